internal import CLinuxMedia
internal import FrameMemory
internal import Glibc
internal import LeaseProtocol
internal import Synchronization
internal import SystemPackage

// Subscribers in event loops.
extension Subscriber {
    /// A descriptor for event loops (`poll`, `select`, `epoll`, GLib, asyncio): readable while ``tryNext()`` has something to
    /// return or to look after. It is an epoll descriptor, and the same as long as the subscriber lives, whatever happens to
    /// its connection. Only poll it, don't read or close it.
    ///
    /// It may be polled first, before any call of ``tryNext()``. A loop that takes one frame each time the descriptor is
    /// readable misses none. Ask for it before you poll: until then the publisher sends no message for it.
    /// - Throws: `notPollable` without ``Options/pollable``.
    public var pollDescriptor: Int32 {
        get throws(ChannelError) {
            guard let gate else { throw .notPollable }
            state.withLock { state in
                guard !state.isPolled else { return }
                state.isPolled = true
                // An event loop that polls first hears of the first frame, and of those already there.
                if Self.arm(&state) { gate.raise() }
            }
            return gate.number
        }
    }

    /// The next frame if there is one now; nil if not. Never waits.
    /// - Throws: as ``next(timeout:)``; `closed` when the channel has ended in order.
    public func tryNext() throws(ChannelError) -> Frame? {
        if !isMember, let frame = takeFrame() { return frame }
        var (failure, connects) = (nil as ChannelError?, false)
        let taken: TakenFrame? = locked { state in
            do throws(ChannelError) {
                // Only this tells a pollable member what of its work was cancelled.
                let arms = state.isPolled || (isMember && gate != nil)
                return try arms ? tryTakeOrArm(&state, &connects) : tryTake(&state, &connects)
            } catch {
                failure = error
                return nil
            }
        }
        if connects { connectAgainInBackground() }
        if let failure { throw failure }
        return taken?.frame
    }

    /// - Parameter connects: set where a new connection is to be made
    private func tryTake(_ state: inout State, _ connects: inout Bool) throws(ChannelError) -> TakenFrame? {
        if let taken = try take(&state) { return taken }
        try lookNowAndThen(&state)
        let taken = try takeAtEnd(&state)
        if taken == nil, gate != nil { connects = parts(&state) }
        return taken
    }

    /// Whether the connection is over and another is to be made: once.
    private func parts(_ state: inout State) -> Bool {
        guard options.reconnect, state.isOver else { return false }
        gate?.forget(state.link.socket)
        guard !state.isConnecting else { return false }
        state.isConnecting = true
        return true
    }

    /// Takes a frame, or sees to it that the descriptor becomes readable when there is one. While frames are there, what the
    /// socket has stays in it, and so the descriptor stays readable.
    /// - Parameter connects: set where a new connection is to be made
    private func tryTakeOrArm(_ state: inout State, _ connects: inout Bool) throws(ChannelError) -> TakenFrame? {
        // A member hears at once what of its work was cancelled.
        if isMember { try state.link.receive(channel: channel) }
        if let taken = try take(&state) {
            // A generation's message may be what the descriptor was readable by.
            gate?.raise()
            return taken
        }
        for _ in 0..<Self.maximumEmptyGenerations {
            try state.link.receive(channel: channel)
            // Before the look: what raises it after this is something that the look may miss.
            gate?.clear()
            let announced = state.core.current
            Self.arm(&state)
            if let taken = try take(&state) {
                // Whether somebody sends a message for this arming is open.
                gate?.raise()
                return taken
            }
            // That look may have gone over to another generation, in whose lane nothing is announced yet.
            guard state.core.current === announced else { continue }
            let taken = try takeAtEnd(&state)
            if taken == nil { connects = parts(&state) }
            return taken
        }
        throw Self.endlessGenerations
    }

    /// Takes in what the publisher says, for whoever waits or takes. What an event loop was to be woken by may be among it: then
    /// the alarm wakes it.
    func takeInMessages(_ state: inout State) throws(ChannelError) {
        let before = state.link.messages
        defer { if state.link.messages != before { gate?.raise() } }
        try state.link.receive(channel: channel)
    }

    /// What was offered before the end that was just heard of, or the end.
    private func takeAtEnd(_ state: inout State) throws(ChannelError) -> TakenFrame? {
        guard let end = try ended(state) else { return nil }
        if let taken = try take(&state) { return taken }
        if options.reconnect { return nil }
        throw end
    }

    /// SLEEP of an event loop: announces in the lane that it will poll.
    /// - Returns: whether something was offered meanwhile, for which no message may come
    @discardableResult
    static func arm(_ state: inout State) -> Bool {
        state.core.tellLatenciesIfDue()
        state.arming = state.arming &+ 1 == 0 ? 1 : state.arming &+ 1
        state.core.current.lane.asleepOnSocket.pointee.store(state.arming, ordering: .relaxed)
        // The announcement comes before the look; the publisher's offer before its look at the announcement.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        return state.core.somethingIsOffered
    }

    /// Connects again and again until that works, on a thread of its own: nobody waits who could.
    private func connectAgainInBackground() {
        do throws(ChannelError) {
            try beginAttempt(again: true)
        } catch {
            // No thread can be started now: the event loop is woken a moment later, and its next look tries once more.
            state.withLock {
                $0.isConnecting = false
                gate?.raise(afterNanoseconds: 10_000_000)
            }
        }
    }
}

/// What an event loop polls for a subscriber: an epoll descriptor that stands for the socket of whatever connection the
/// subscriber has, and for an alarm of its own. So the descriptor stays the same when the subscriber connects again, and tells
/// of frames for which no publisher sends a message: those that were there before anybody looked.
///
/// The alarm is raised and cleared under the subscriber's lock.
final class PollGate: Sendable {
    private let epoll: OwnedDescriptor
    private let alarm: OwnedDescriptor
    /// Whether the alarm is raised: then it costs no call to raise it again.
    private let isRaised = Atomic<Bool>(false)

    /// Raises it later, where that was asked for; closed when it is cleared.
    private let timer = Mutex<OwnedDescriptor?>(nil)
    private let hasTimer = Atomic<Bool>(false)

    init() throws(ChannelError) {
        epoll = try Self.owned("epoll_create1", fs_epoll_create())
        alarm = try Self.owned("eventfd", fs_eventfd(0))
        let result = fs_epoll_add(epoll.number, alarm.number, FS_EPOLLIN, 0)
        guard result == 0 else { throw .system(call: "epoll_ctl", Errno(rawValue: -result)) }
    }

    private static func owned(_ call: String, _ result: Int32) throws(ChannelError) -> OwnedDescriptor {
        guard result >= 0 else {
            if -result == EMFILE || -result == ENFILE { throw .outOfDescriptors }
            throw .system(call: call, Errno(rawValue: -result))
        }
        return OwnedDescriptor(owning: result)
    }

    /// What is to be polled.
    var number: Int32 { epoll.number }

    /// From now on it is readable when the socket is.
    func watch(_ socket: ControlSocket) throws(ChannelError) {
        let result = fs_epoll_add(epoll.number, socket.number, FS_EPOLLIN, 0)
        guard result == 0 else { throw .system(call: "epoll_ctl", Errno(rawValue: -result)) }
    }

    /// The socket counts no more: it has hung up, and would be readable for ever.
    func forget(_ socket: ControlSocket) { _ = fs_epoll_remove(epoll.number, socket.number) }

    /// Makes it readable until it is cleared.
    func raise() {
        guard !isRaised.exchange(true, ordering: .sequentiallyConsistent) else { return }
        var one: UInt64 = 1
        _ = write(alarm.number, &one, 8)
    }

    /// Makes it readable after a while, until it is cleared; at once where this process has no descriptor left for a timer.
    func raise(afterNanoseconds delay: Int64) {
        let number = fs_timer_create()
        guard number >= 0 else { return raise() }
        var made: OwnedDescriptor? = OwnedDescriptor(owning: number)
        guard fs_timer_set(number, delay) == 0, fs_epoll_add(epoll.number, number, FS_EPOLLIN, 0) == 0 else {
            return raise()
        }
        timer.withLock { swap(&$0, &made) }
        hasTimer.store(true, ordering: .relaxed)
    }

    func clear() {
        if hasTimer.exchange(false, ordering: .relaxed) { timer.withLock { $0 = nil } }
        guard isRaised.exchange(false, ordering: .sequentiallyConsistent) else { return }
        var value: UInt64 = 0
        _ = read(alarm.number, &value, 8)
    }
}
