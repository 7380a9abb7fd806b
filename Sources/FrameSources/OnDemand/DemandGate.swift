internal import FrameShare
internal import Glibc

/// A source's view of who wants its frames: asks the publisher, keeps the ``DemandMachine``, and sleeps while nobody does.
///
/// Used by the capturing thread alone. While the source sleeps the thread waits in one `poll(2)` without a time limit.
struct DemandGate {
    let options: OnDemand
    private let publisher: Publisher
    private var machine: DemandMachine
    /// Since when the source has slept, in ns.
    private var asleepSince: Int64

    init(_ options: OnDemand, publisher: Publisher) {
        self.options = options
        self.publisher = publisher
        machine = DemandMachine(linger: options.linger.nanosecondsClamped)
        asleepSince = Self.now
        tell()
    }

    /// A limit below it would have the channel looked at without a pause, in ns.
    private static let leastIdle: Int64 = 100_000_000

    private static var now: Int64 { FrameTimestamp.now().nanoseconds }

    /// What a loop polls besides its own descriptors.
    var descriptor: Int32 { publisher.demandDescriptor }

    /// Takes note of who has come and gone.
    /// - Returns: whether the source is to stop
    mutating func isToStop() -> Bool {
        clear()
        return look() == .stop
    }

    /// How long a loop may sleep before ``isToStop()`` is due.
    var timeLeft: Duration? { machine.deadline.map { .nanoseconds(max(0, $0 - Self.now)) } }

    enum Wait {
        /// The source is to be started.
        case start
        /// It has slept for as long as it may.
        case idle
        /// One of the other descriptors is readable, or the channel has ended.
        case interrupted
    }

    /// Sleeps until the source is wanted.
    /// - Parameter others: descriptors that end the wait, too
    mutating func waitUntilWanted(others: [Int32]) -> Wait {
        var set = ([descriptor] + others).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        while true {
            clear()
            if publisher.hasEnded { return .interrupted }
            if look() == .start { return .start }
            var left = timeLeft
            if let idle = options.idleLimit, machine.subscribers == 0 {
                let end = asleepSince.addingClamped(max(idle.nanosecondsClamped, Self.leastIdle))
                let idleLeft = max(0, end.subtractingClamped(Self.now))
                if idleLeft == 0 {
                    // Where something else keeps the channel open, such as a frame that is held still, the time begins anew.
                    asleepSince = Self.now
                    return .idle
                }
                left = min(left ?? .nanoseconds(idleLeft), .nanoseconds(idleLeft))
            } else {
                asleepSince = Self.now
            }
            PollSet.wait(&set, timeout: left)
            if set.dropFirst().contains(where: { $0.revents != 0 }) { return .interrupted }
        }
    }

    /// The source runs.
    mutating func started() {
        machine.started()
        tell()
    }

    /// A frame came.
    /// - Returns: whether it is the first after a failure
    mutating func gotFrame() -> Bool {
        guard machine.failures > 0 else { return false }
        machine.succeeded()
        return true
    }

    /// The source could not be started, or has failed. Subscribers are told why; it is tried again.
    /// - Returns: whether it is the first failure since a frame came
    mutating func failed(_ reason: String) -> Bool {
        defer { tell() }
        let isNews = machine.failures == 0
        machine.failed(now: Self.now)
        asleepSince = Self.now
        publisher.countSourceErrors(1)
        publisher.setSourceTrouble(reason)
        return isNews
    }

    /// The source was let go.
    mutating func stopped() {
        machine.stopped()
        asleepSince = Self.now
        // What was wrong while it ran is over.
        if machine.failures == 0 { publisher.setSourceTrouble("") }
        tell()
    }

    private mutating func look() -> DemandMachine.Action {
        let before = machine.phase
        let action = machine.look(subscribers: publisher.subscriberCount, now: Self.now)
        if action == .stop { asleepSince = Self.now }
        if machine.phase != before { tell() }
        return action
    }

    private func clear() {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
    }

    private func tell() { publisher.setSourceState(machine.phase.state) }
}

extension DemandMachine.Phase {
    /// As monitors are told.
    var state: SourceState {
        switch self {
        case .asleep: .asleep
        case .starting: .starting
        case .running: .running
        case .lingering: .lingering
        case .waiting: .waiting
        }
    }
}
