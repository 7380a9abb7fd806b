internal import CLinuxMedia
internal import FrameMemory
internal import Glibc
internal import Synchronization

/// The thread `fs-watch`, one for a process. It sleeps until a publisher hangs up on one of the process's connections, and
/// wakes whoever waits for frames of that connection. So a waiting reader needs no timer of its own.
///
/// It starts with the first wait, keeps no process alive, and is not there in a forked child, which starts one of its own.
final class HangUpWatcher: Sendable {
    private struct State {
        var isRunning = false
        var lastID: UInt64 = 0
        /// What to do at a hang-up, by the number that stands for the connection.
        var hangUps: [UInt64: @Sendable () -> Void] = [:]
        /// What was handed over and is not done: each is asked again, a moment later, until it says that it is.
        var unfinished: [@Sendable () -> Bool] = []
    }

    private let epoll: OwnedDescriptor
    private let event: OwnedDescriptor
    private let state = Mutex(State())
    /// Of `event`, in the epoll descriptor. Connections count from 1.
    private static let eventID: UInt64 = 0

    private init?() {
        epoll = OwnedDescriptor(owning: fs_epoll_create())
        event = OwnedDescriptor(owning: fs_eventfd(0))
        guard epoll.number >= 0, event.number >= 0,
            fs_epoll_add(epoll.number, event.number, FS_EPOLLIN, Self.eventID) == 0
        else { return nil }
    }

    // MARK: one for a process

    /// The address of this process's watcher, which lives as long as the process; 0 where there is none yet. An atomic, and
    /// no lock: a lock that another thread holds at a fork stays locked in the child.
    private static let shared = Atomic<UInt>(0)
    /// How often this process has become a child since the first watcher: what an ancestor's watcher has is not this one's.
    private static let forks = Atomic<UInt32>(0)

    /// Whether a child forgets its parent's watcher: else there can be none.
    private static let isForgottenInChildren: Bool = {
        let result = pthread_atfork(
            nil,
            nil,
            {
                HangUpWatcher.forks.wrappingAdd(1, ordering: .relaxed)
                let address = HangUpWatcher.shared.exchange(0, ordering: .relaxed)
                guard let pointer = UnsafeRawPointer(bitPattern: address) else { return }
                // Its descriptors are closed here and nothing more: what stands in the epoll descriptor is the parent's, and
                // so may be the lock. The object is never touched again.
                Unmanaged<HangUpWatcher>.fromOpaque(pointer)._withUnsafeGuaranteedRef {
                    close($0.epoll.number)
                    close($0.event.number)
                }
            }
        )
        return result == 0
    }()

    private static func current() -> HangUpWatcher? {
        guard isForgottenInChildren else { return nil }
        if let found = UnsafeRawPointer(bitPattern: shared.load(ordering: .acquiring)) {
            return Unmanaged<HangUpWatcher>.fromOpaque(found).takeUnretainedValue()
        }
        guard let made = HangUpWatcher() else { return nil }
        // Kept for ever, once it is the one.
        let pointer = Unmanaged.passRetained(made)
        let (isFirst, other) = shared.compareExchange(
            expected: 0,
            desired: UInt(bitPattern: pointer.toOpaque()),
            ordering: .acquiringAndReleasing
        )
        guard !isFirst, let found = UnsafeRawPointer(bitPattern: other) else { return made }
        pointer.release()
        return Unmanaged<HangUpWatcher>.fromOpaque(found).takeUnretainedValue()
    }

    // MARK: watching

    /// A connection that is watched, as long as this lives.
    final class Watch: Sendable {
        private let watcher: HangUpWatcher
        private let socket: ControlSocket
        private let id: UInt64
        private let forks = HangUpWatcher.forks.load(ordering: .relaxed)

        fileprivate init(_ watcher: HangUpWatcher, _ socket: ControlSocket, _ id: UInt64) {
            (self.watcher, self.socket, self.id) = (watcher, socket, id)
        }

        /// Whether this process has the thread: not so in a child of the process that made this.
        var isOfThisProcess: Bool { forks == HangUpWatcher.forks.load(ordering: .relaxed) }

        /// Lets the thread ask `isDone` again and again until that is so.
        func handOver(_ isDone: @escaping @Sendable () -> Bool) {
            guard isOfThisProcess else { return }
            watcher.state.withLock { $0.unfinished.append(isDone) }
            watcher.signal()
        }

        deinit { if isOfThisProcess { watcher.forget(socket, id) } }
    }

    /// Calls `hungUp` on the thread, once, as soon as the socket's other end is gone; also where it is gone already.
    /// - Returns: nil where there can be no such thread
    static func watch(_ socket: ControlSocket, hungUp: @escaping @Sendable () -> Void) -> Watch? {
        guard let watcher = current(), let id = watcher.add(hungUp) else { return nil }
        guard fs_epoll_add(watcher.epoll.number, socket.number, FS_EPOLL_HANG_UP_ONCE, id) == 0 else {
            watcher.state.withLock { $0.hangUps[id] = nil }
            return nil
        }
        return Watch(watcher, socket, id)
    }

    /// - Returns: nil where the thread can't be started
    private func add(_ hungUp: @escaping @Sendable () -> Void) -> UInt64? {
        state.withLock { state in
            if !state.isRunning {
                do throws(ChannelError) {
                    // Nothing is captured: the thread never ends, and so would never let go of it.
                    try BackgroundThread.start(name: "fs-watch") { HangUpWatcher.runShared() }
                } catch {
                    return nil
                }
                state.isRunning = true
            }
            state.lastID += 1
            state.hangUps[state.lastID] = hungUp
            return state.lastID
        }
    }

    private func forget(_ socket: ControlSocket, _ id: UInt64) {
        _ = fs_epoll_remove(epoll.number, socket.number)
        let hungUp = state.withLock { $0.hangUps.removeValue(forKey: id) }
        withExtendedLifetime(hungUp) {}
    }

    private func signal() {
        var one: UInt64 = 1
        _ = write(event.number, &one, 8)
    }

    private static func runShared() {
        guard let found = UnsafeRawPointer(bitPattern: shared.load(ordering: .acquiring)) else { return }
        Unmanaged<HangUpWatcher>.fromOpaque(found)._withUnsafeGuaranteedRef { $0.run() }
    }

    private func run() {
        var ready = [UInt64](repeating: 0, count: 64)
        var pause: Int32 = -1
        while true {
            let count = fs_epoll_wait(epoll.number, &ready, Int32(ready.count), pause)
            // A program that has closed all its descriptors gets no hang-ups any more, and is not to spin on it.
            if count < 0 && count != -EINTR { BackgroundThread.pause(nanoseconds: 100_000_000) }
            for id in ready.prefix(Int(max(0, count))) {
                if id == Self.eventID {
                    var value: UInt64 = 0
                    _ = read(event.number, &value, 8)
                } else {
                    // Called without the lock: the last reference to a subscriber may end in it.
                    let hungUp = state.withLock { $0.hangUps.removeValue(forKey: id) }
                    hungUp?()
                }
            }
            var rest: [@Sendable () -> Bool] = []
            state.withLock { swap(&rest, &$0.unfinished) }
            rest.removeAll { $0() }
            guard !rest.isEmpty else {
                pause = -1
                continue
            }
            state.withLock { $0.unfinished += rest }
            // Soon at first: who is not done is between two instructions, as a rule.
            pause = pause < 0 ? 1 : min(pause * 2, 50)
        }
    }
}
