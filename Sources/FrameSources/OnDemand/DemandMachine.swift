/// When a source on demand starts and stops: pure state, driven by subscribers' comings and goings, the source's failures,
/// and time.
///
/// It keeps two promises. No subscriber waits for ever: while one is there, the source runs, is being started, or is tried
/// again at ``deadline``. No source runs alone: without a subscriber it stops at ``deadline``. A subscriber that comes and
/// goes many times a second starts the source once.
struct DemandMachine: Equatable, Hashable {
    enum Phase: Equatable, Hashable {
        case asleep
        case starting
        case running
        /// Nobody wants frames: the source stops at this moment.
        case lingering(until: Int64)
        /// The source can't be started. With subscribers it is tried again at this moment.
        case waiting(until: Int64)
    }

    /// What the source is to do now.
    enum Action: Equatable {
        case nothing
        case start
        case stop
    }

    private(set) var phase = Phase.asleep
    /// How many subscribers there are.
    private(set) var subscribers = 0
    /// Starts that have failed in succession.
    private(set) var failures = 0
    private let linger: Int64
    private let shortestPause: Int64
    private let longestPause: Int64

    /// All times are nanoseconds of one clock.
    init(linger: Int64, shortestPause: Int64 = 250_000_000, longestPause: Int64 = 10_000_000_000) {
        self.linger = max(0, linger)
        self.shortestPause = max(1, shortestPause)
        self.longestPause = max(self.shortestPause, longestPause)
    }

    /// When ``look(subscribers:now:)`` is to be called, though nothing else happens; nil: nothing is due.
    var deadline: Int64? {
        switch phase {
        case .lingering(let until): until
        case .waiting(let until): subscribers > 0 ? until : nil
        case .asleep, .starting, .running: nil
        }
    }

    /// Whether the source may be told to stop: it gives frames.
    var isOn: Bool {
        switch phase {
        case .running, .lingering: true
        case .asleep, .starting, .waiting: false
        }
    }

    /// Takes note of who is there, and of the time.
    mutating func look(subscribers: Int, now: Int64) -> Action {
        self.subscribers = max(0, subscribers)
        let isWanted = self.subscribers > 0
        switch phase {
        case .asleep:
            guard isWanted else { return .nothing }
            phase = .starting
            return .start
        case .waiting(let until):
            // Also where the subscriber is a new one: a camera that fails is not started for each.
            guard isWanted, now >= until else { return .nothing }
            phase = .starting
            return .start
        case .starting:
            return .nothing
        case .running:
            guard !isWanted else { return .nothing }
            phase = .lingering(until: now.addingReportingOverflow(linger).overflow ? .max : now + linger)
            return lookWhileLingering(now)
        case .lingering:
            guard !isWanted else {
                phase = .running
                return .nothing
            }
            return lookWhileLingering(now)
        }
    }

    private mutating func lookWhileLingering(_ now: Int64) -> Action {
        guard case .lingering(let until) = phase, now >= until else { return .nothing }
        phase = .asleep
        return .stop
    }

    /// The source has been started. Whether it is still wanted is for the next look.
    mutating func started() { if phase == .starting { phase = .running } }

    /// The source gives frames: the next failure is the first of its kind.
    mutating func succeeded() { failures = 0 }

    /// The source could not be started, or has failed while it ran.
    mutating func failed(now: Int64) {
        var pause = shortestPause
        for _ in 0..<min(failures, 32) where pause < longestPause { pause = min(pause * 2, longestPause) }
        failures += 1
        phase = .waiting(until: now.addingReportingOverflow(pause).overflow ? .max : now + pause)
    }

    /// The source was let go for another reason, such as a new set-up: as after ``look(subscribers:now:)`` has said stop.
    mutating func stopped() { phase = .asleep }
}
