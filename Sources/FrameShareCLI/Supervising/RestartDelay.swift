/// How long a worker that has ended is left alone before it is started again: twice as long each time, until it has lived
/// for a while.
struct RestartDelay {
    static let shortest = Duration.milliseconds(100)
    /// A worker that lived for so long is a healthy one.
    static let healthyAfter = Duration.seconds(10)

    let longest: Duration
    private var next = shortest

    init(longest: Duration) { self.longest = max(longest, Self.shortest) }

    /// The pause after a run of so long.
    mutating func afterRun(of lived: Duration) -> Duration {
        if lived >= Self.healthyAfter { next = Self.shortest }
        defer { next = min(next * 2, longest) }
        return next
    }
}
