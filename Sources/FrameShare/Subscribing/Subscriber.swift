internal import CLinuxMedia
internal import Glibc
internal import LeaseProtocol
public import Logging
internal import Synchronization

/// Reads a channel's frames in place.
///
/// ```swift
/// let camera = try Subscriber(channel: "camera0", streams: ["main"], policy: .latest)
/// while let frame = try await camera.next() {
///     detect(frame["main"].bytes, frame.metadata, frame.sequence)
/// }
/// ```
///
/// Frames come in order. What a slow reader misses is its own loss, told by ``Frame/lost`` and ``statistics``. All
/// methods may be called from any thread; several that wait at once share the frames.
public final class Subscriber: Sendable {
    /// How to subscribe.
    public struct Options: Sendable {
        /// The name that `top` shows; nil: the program's.
        public var name: String?
        /// The most slots that can be pinned, counting what is queued; nil: one more than the policy queues.
        public var budget: Int?
        /// Whether the budget is kept for this subscriber alone: it is refused if all reservations don't fit, and
        /// never loses a frame to others. `everyFrame` always reserves.
        public var reserve = false
        /// Whether to connect again, for ever, when the channel ends or its publisher dies.
        public var reconnect = false
        /// What to do while there is no frame.
        public var wait = WaitStrategy.sleep
        /// Where the socket is; nil: ``ChannelDirectory/standard()``.
        public var directory: ChannelDirectory?
        /// How long connecting may take.
        public var connectTimeout: Duration = .seconds(5)
        /// How long the first connection waits for a channel that is not there yet; nil: not at all. Cancelling the task ends
        /// the wait. In a task prefer ``Subscriber/connect(to:streams:policy:options:)``, which blocks no thread of Swift's.
        /// ``reconnect`` is for the time after it.
        public var waitForChannel: Duration?
        /// Whether frames of the source's start-up are wanted, too (``FrameFlags/startup``): those before exposure and white
        /// balance have settled. A publisher that is older than this program gives them always.
        public var startupFrames = false
        /// Whether ``Subscriber/pollDescriptor`` is wanted, for event loops.
        public var pollable = false
        /// The group whose work it shares: each frame goes to one member of it. A member answers with
        /// ``Frame/request``. Nil: it is offered every frame, as others are.
        public var group: String?
        /// At most so many frames a second, 1/3600 to 10 000; nil: all. Evenly, by their capture times: a camera of 30 frames
        /// a second at 10 gives each third. The frames between wake nobody, and are no losses
        /// (``SubscriberStatistics/passedOver``). A group gets as many as its most demanding member asks for.
        public var atMost: Double?
        /// Where it says once that a wait without a time limit is in vain, as the whole budget is held; nil: a logger of its
        /// own, "frameshare".
        public var logger: Logger?
        /// Called before each attempt to connect again, on the library's own thread: sees to it that somebody publishes the
        /// channel.
        package var beforeReconnecting: (@Sendable () -> Void)?

        public init() {}
    }

    /// The rates that ``Options/atMost`` can be, in frames a second.
    public static let rates: ClosedRange<Double> = Thinning.rates

    /// What a waiting reader does before it sleeps.
    public enum WaitStrategy: Sendable, Hashable {
        /// Sleeps at once: best for cameras.
        case sleep
        /// Looks again and again for so long, then sleeps: faster for frames that follow closely, on a free core.
        case spinThenSleep(Duration)
        /// Never sleeps: fastest, and takes a whole core.
        case spin
    }

    /// The channel's name.
    public let channel: String
    /// How frames that it is too slow for are dealt with.
    public let policy: Policy
    let options: Options
    /// Whether it shares a group's frames with others.
    let isMember: Bool
    /// Whether it does nothing else before it sleeps: neither spins, nor hears of a group's work.
    private let sleepsAtOnce: Bool
    let directory: ChannelDirectory
    let hello: Message.Hello
    let state: Mutex<State>
    let waiters = WaiterThreads(name: "fs-frames")
    let interrupts = Atomic<UInt32>(0)
    /// What event loops poll; nil without ``Options/pollable``.
    let gate: PollGate?
    /// What threads sleep on that wait for a new connection: bumped when an attempt has ended, and when they must look.
    let reconnection = FutexWord()

    struct State {
        var closed = false
        var core: SubscriberCore
        var link: SubscriberLink
        /// Whether a frame that lies in the lane is taken at once: neither closed nor to be looked at first.
        var takesAtOnce = true
        /// Which frames it keeps, where its publisher is too old to know of rates.
        var thinning: Thinning?
        var arming: UInt32 = 0
        /// Whether an event loop has asked for the descriptor. Until then no message is to come for each frame.
        var isPolled = false
        var connections: UInt64 = 1
        /// What the watcher of the socket found wrong, until someone waits for a frame.
        var failure: ChannelError?
        /// Whether a thread connects again at this moment: one does it for all.
        var isConnecting = false
        /// When the next attempt may begin, in ns, and the pause after it, should it fail.
        var nextAttempt: Int64 = 0
        var attemptPause = Subscriber.shortestPause
        /// Whether it was said that the whole budget is held.
        var hasAdvised = false
        /// Whether the publisher has said something of its source's trouble that no thread has looked at.
        var hasNotice = false
        /// The source's trouble that was logged last.
        var toldTrouble = ""

        var isOver: Bool { link.hungUp || link.end != nil || failure != nil }

        init(link: SubscriberLink, first: ReceivedGeneration, isMember: Bool, interval: Int64) {
            self.link = link
            core = SubscriberCore(first, isMember: isMember, hasRate: interval > 0)
            chooseThinning(interval)
        }

        /// For a new connection: who thins.
        mutating func chooseThinning(_ interval: Int64) {
            thinning = interval > 0 && link.version < .thinning ? Thinning(interval: interval) : nil
            takesAtOnce = !closed && thinning == nil
        }
    }

    /// Connects to a channel, on the calling thread.
    /// - Parameters:
    ///   - channel: its name
    ///   - streams: the streams wanted; empty: all
    ///   - policy: what happens to frames that come faster than they are taken
    /// - Throws: `noSuchChannel`, `notAllowed`, `refused` with the publisher's reason, `unknownStream`, `memory` where
    ///   what the publisher sent is not safe to map; `cancelled` when the task is; and others.
    public convenience init(
        channel: String,
        streams: [String] = [],
        policy: Policy = .latest,
        options: Options = Options()
    ) throws(ChannelError) {
        try self.init(
            channel: channel,
            streams: streams,
            policy: policy,
            options: options,
            isGivenUp: { Task.isCancelled || fs_signal_came() != 0 }
        )
    }

    /// As ``init(channel:streams:policy:options:)``, for tasks: connects, and waits for the channel, on a thread of its own.
    /// - Throws: as there
    public static func connect(
        to channel: String,
        streams: [String] = [],
        policy: Policy = .latest,
        options: Options = Options()
    ) async throws(ChannelError) -> Subscriber {
        // Looks ten times a second whether the task is cancelled: nothing need wake it.
        try await WaiterThreads(name: "fs-connect").wait(onCancel: {}) { isGivenUp throws(ChannelError) in
            try Subscriber(channel: channel, streams: streams, policy: policy, options: options, isGivenUp: isGivenUp)
        }
    }

    private init(
        channel: String,
        streams: [String],
        policy: Policy,
        options: Options,
        isGivenUp: () -> Bool
    ) throws(ChannelError) {
        directory = try ChannelDirectory.resolve(options.directory)
        self.channel = channel
        self.policy = policy
        self.options = options
        isMember = options.group != nil
        sleepsAtOnce = options.wait == .sleep && options.group == nil
        hello = Message.Hello(
            role: .subscriber,
            name: options.name ?? Self.programName,
            request: LeaseRequest(policy: policy, budget: options.budget, reserved: options.reserve),
            pollable: options.pollable,
            group: options.group ?? "",
            streams: streams,
            interval: try Self.interval(of: options.atMost)
        )
        if let group = options.group, !ChannelName.isValid(group) { throw .badGroupName(group) }
        try Self.check(hello.request)
        var link = try Self.connect(channel, directory, hello, options, isGivenUp)
        guard let first = link.takeArrived() else { throw .publisherLost(channel: channel) }
        gate = options.pollable ? try PollGate() : nil
        try gate?.watch(link.socket)
        state = Mutex(State(link: link, first: first, isMember: isMember, interval: hello.interval))
        if options.group != nil && !options.pollable { try watchSocket() }
    }

    deinit { close() }

    /// The first connection.
    private static func connect(
        _ channel: String,
        _ directory: ChannelDirectory,
        _ hello: Message.Hello,
        _ options: Options,
        _ isGivenUp: () -> Bool
    ) throws(ChannelError) -> SubscriberLink {
        let wait = Deadline(after: options.waitForChannel ?? .zero)
        var pause = ConnectPause()
        while true {
            do throws(ChannelError) {
                return try SubscriberLink.connect(
                    channel: channel,
                    directory: directory,
                    hello: hello,
                    startupFrames: options.startupFrames,
                    timeout: options.connectTimeout,
                    isGivenUp: isGivenUp
                )
            } catch {
                guard case .noSuchChannel = error else { throw error }
                if options.waitForChannel != nil, isGivenUp() { throw .cancelled }
                if wait.hasPassed { throw error }
            }
            try pause.take(until: wait, channel: channel, isGivenUp: isGivenUp)
        }
    }

    /// Refuses numbers that no publisher accepts, in the words that a publisher has for them.
    private static func check(_ request: LeaseRequest) throws(ChannelError) {
        if case .queue(let depth) = request.policy, !(1...LaneMemory.maximumDepth).contains(depth) {
            throw .refused(AdmissionRefusal.badDepth(depth).description)
        }
        guard (1...SlotSet.capacity).contains(request.budget) else {
            throw .refused(AdmissionRefusal.badBudget(request.budget, slots: SlotSet.capacity).description)
        }
    }

    private static func interval(of rate: Double?) throws(ChannelError) -> Int64 {
        guard let rate else { return 0 }
        guard let interval = Thinning.interval(ofRate: rate) else { throw .badRate(rate) }
        return interval
    }

    private static var programName: String {
        String(cString: fs_program_name())
    }

    // MARK: taking frames

    /// The next frame; waits on a thread of the subscriber's own until there is one.
    /// - Parameter timeout: nil: for as long as it takes
    /// - Returns: nil when the channel has ended in order
    /// - Throws: `timedOut`, which says whether this subscriber holds its whole budget of frames (``BudgetUse/isFull``);
    ///   `cancelled` when the task is; `sourceFailed`; `publisherLost`; `disconnected`
    public func next(timeout: Duration? = nil) async throws(ChannelError) -> Frame? {
        try await next(passing: nil, timeout: timeout)
    }

    /// The next frame that was captured after a moment, on the source's own clock. Older ones are passed over.
    public func next(after moment: FrameTimestamp, timeout: Duration? = nil) async throws(ChannelError) -> Frame? {
        try await next(passing: moment, timeout: timeout)
    }

    /// The next frame; waits on the calling thread for as long as it takes. The fastest way: no other thread is involved.
    /// - Returns: nil when the channel has ended in order
    @section("frameshare_way")
    public func nextBlocking() throws(ChannelError) -> Frame? {
        let before = interrupts.load(ordering: .acquiring)
        if let frame = takeFrame() { return frame }
        return try waitBlocking(passing: nil, Deadline(after: nil), before)
    }

    /// The next frame; waits on the calling thread.
    /// - Parameters:
    ///   - moment: pass over frames captured at this moment or before
    ///   - timeout: nil: for as long as it takes
    /// - Returns: nil when the channel has ended in order
    @section("frameshare_way")
    public func nextBlocking(
        after moment: FrameTimestamp? = nil,
        timeout: Duration? = nil
    ) throws(ChannelError) -> Frame? {
        let before = interrupts.load(ordering: .acquiring)
        if moment == nil, let frame = takeFrame() { return frame }
        return try waitBlocking(passing: moment, Deadline(after: timeout), before)
    }

    @inline(never)
    @section("frameshare_way")
    private func waitBlocking(
        passing moment: FrameTimestamp?,
        _ deadline: Deadline,
        _ before: UInt32
    ) throws(ChannelError) -> Frame? {
        // A look that does not wait makes no more calls than it did.
        if sleepsAtOnce, moment == nil, deadline.isNever || deadline.remaining > 0,
            let frame = try sleepForFrame(before, deadline)
        {
            return frame
        }
        return try wait(passing: moment, deadline, before)
    }

    @inline(never)
    private func wait(
        passing moment: FrameTimestamp?,
        _ deadline: Deadline,
        _ before: UInt32
    ) throws(ChannelError) -> Frame? {
        let taken = try waitForFrame(passing: moment, deadline: deadline) {
            interrupts.load(ordering: .acquiring) != before
        }
        return taken?.frame
    }

    private func next(passing moment: FrameTimestamp?, timeout: Duration?) async throws(ChannelError) -> Frame? {
        let deadline = Deadline(after: timeout)
        if moment == nil, let taken = try takeNow() { return taken.frame }
        let taken = try await waiters.wait(onCancel: { [weak self] in self?.wakeOwnSleepers() }) {
            [self] interrupted throws(ChannelError) in
            try waitForFrame(passing: moment, deadline: deadline, interrupted: interrupted)
        }
        return taken?.frame
    }

    /// The frame that lies in the lane, made where its ticket is taken: the way of a reader that is awake. Nil also where
    /// something else is to be looked at first.
    @inline(__always)
    func takeFrame() -> Frame? {
        state.withLock { $0.takesAtOnce ? $0.core.takeFrame() : nil }
    }

    /// Runs `body` under the lock, and lets the generations end after it that it has gone on from.
    @inline(__always)
    func locked<Result>(_ body: (inout State) -> Result) -> Result {
        var outgoing: [ReceivedGeneration] = []
        defer { withExtendedLifetime(outgoing) {} }
        return state.withLock { state in
            defer { if !state.core.outgoing.isEmpty { swap(&outgoing, &state.core.outgoing) } }
            return body(&state)
        }
    }

    @section("frameshare_way")
    func takeNow() throws(ChannelError) -> TakenFrame? {
        var failure: ChannelError? = nil
        let taken: TakenFrame? = locked { state in
            do throws(ChannelError) {
                return try take(&state)
            } catch {
                failure = error
                return nil
            }
        }
        if let failure { throw failure }
        return taken
    }

    /// More generations without a frame than fit into a socket: the publisher sends them faster than they can be read.
    static let maximumEmptyGenerations = 256
    static let endlessGenerations = ChannelError.protocolViolation("generation upon generation without a frame")

    /// Takes a frame if one is offered, changing over to the next generation when this one is exhausted.
    @section("frameshare_way")
    func take(_ state: inout State) throws(ChannelError) -> TakenFrame? {
        for _ in 0...Self.maximumEmptyGenerations {
            guard !state.closed else { throw .closed }
            if let slot = state.core.takeSlot() {
                if let taken = state.core.account(slot) {
                    if wants(taken, &state) { return taken }
                    continue
                }
                // Cut off: the reason is on its way.
                try takeInMessages(&state)
                return nil
            }
            if let next = state.link.takeArrived() {
                state.core.attach(next)
                continue
            }
            let page = state.core.current.page
            guard
                page.generation.pointee.load(ordering: .acquiring) != state.core.current.offer.generation
                    || page.state != .open
            else { return nil }
            try takeInMessages(&state)
            if state.link.arrived.isEmpty {
                // What was offered between the look at the lane and the end that was just heard of.
                return state.core.takeSlot().flatMap { state.core.account($0) }.flatMap { wants($0, &state) ? $0 : nil }
            }
        }
        throw Self.endlessGenerations
    }

    /// Whether a frame is to be kept; its lease ends here where not. A publisher that knows of rates offers no others.
    private func wants(_ taken: TakenFrame, _ state: inout State) -> Bool {
        guard state.thinning != nil else { return true }
        let isWanted = state.thinning?.wants(captured: taken.record.timestamp.nanoseconds, now: monotonicNow())
        if isWanted ?? true { return true }
        _ = taken.frame
        state.core.passOver()
        return false
    }

    /// What ended this connection, once nothing is left to take; nil while it lives.
    func ended(_ state: State) throws(ChannelError) -> ChannelError? {
        if let failure = state.failure { return failure }
        if let end = state.link.end { return end.error ?? .closed }
        guard state.link.hungUp else { return nil }
        switch state.core.current.page.state {
        case .open: return .publisherLost(channel: channel)
        case .ended: return .closed
        case .failed: return .sourceFailed("the publisher did not say why")
        }
    }

    /// Asks the encoder of a channel of packets for a keyframe, so that this reader can begin. An encoder gives one at most every
    /// half second. Returns at once; a publisher that is no encoder, or too old, does nothing. From any thread.
    public func requestKeyframe() {
        state.withLock { state in
            guard !state.closed, !state.link.hungUp, state.link.end == nil else { return }
            state.link.socket.send(.keyframeWanted)
        }
    }

    /// Makes every ``nextBlocking(after:timeout:)`` that waits now throw `cancelled`. From any thread.
    public func interrupt() {
        interrupts.wrappingAdd(1, ordering: .releasing)
        wakeOwnSleepers()
    }

    private func wakeOwnSleepers() {
        // Sleepers of its user's other subscribers wake too, find nothing and sleep again.
        raiseAlarm(state.withLock { $0.link.sleepers })
        reconnection.bump()
    }

    /// Leaves the channel. Frames that are still held stay valid. A thread or task that waits gets `closed`.
    public func close() {
        let first = state.withLock { state in
            guard !state.closed else { return false }
            state.closed = true
            state.takesAtOnce = false
            state.link.leave()
            gate?.raise()
            return true
        }
        guard first else { return }
        wakeOwnSleepers()
        waiters.close()
    }

    // MARK: what it is

    /// The streams subscribed to, as they are now.
    public var streams: [Stream] { state.withLock { $0.core.current.offer.streams.map(\.stream) } }

    /// The most bytes of metadata that a frame has.
    package var metadataCapacity: Int { state.withLock { $0.core.current.offer.metadataCapacity } }

    /// The publisher's number for it.
    var identity: UInt32 { state.withLock { $0.link.welcome.subscriber } }

    /// The generation that frames come from now.
    var received: ReceivedGeneration { state.withLock { $0.core.current } }

    /// Who publishes.
    public var publisher: PublisherInfo {
        state.withLock { state in
            PublisherInfo(
                pid: state.link.publisher.pid,
                uid: state.link.publisher.uid,
                sourceName: state.link.welcome.sourceName,
                slots: state.core.current.offer.slots,
                memory: state.core.current.offer.streams.map { ($0.stream.name, $0.memory, $0.protection) }
            )
        }
    }

    /// What came and what was lost so far.
    public var statistics: SubscriberStatistics {
        state.withLock { state in
            let latency = state.core.latencyFigures()
            return SubscriberStatistics(
                delivered: state.core.delivered,
                lost: state.core.lost,
                passedOver: state.core.passedOver,
                held: state.link.leases.count,
                budget: hello.request.budget,
                connections: state.connections,
                latencyP50: latency.p50,
                latencyP99: latency.p99,
                latencyMax: latency.maximum
            )
        }
    }
}
