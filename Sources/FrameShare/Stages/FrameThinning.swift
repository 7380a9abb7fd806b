/// Which frames are wanted: every nth, and no more than so many a second.
struct FrameThinning {
    let every: Int
    /// Between two frames, in ns; nil: any number of them.
    private let interval: Int64?
    private var seen = 0
    private var due: Int64?

    init(every: Int, maximumRate: Double?) {
        self.every = max(1, every)
        interval = maximumRate.flatMap { $0 > 0 ? min(1_000_000_000_000_000_000, Int64(clamping: 1e9 / $0)) : nil }
    }

    /// Whether the frame captured at this moment is wanted. Frames come in order.
    mutating func wants(_ timestamp: Int64) -> Bool {
        defer { seen += 1 }
        guard seen % every == 0 else { return false }
        guard let interval else { return true }
        // A camera's frames are not exactly as far apart as its rate says. An eighth of an interval early is taken as in
        // time; what is due next does not move by it, so that the rate holds on average.
        guard let due, timestamp >= due &- 2 &* interval, timestamp <= due &+ interval else {
            self.due = timestamp &+ interval  // the first, or after a break, or after the clock was set
            return true
        }
        guard timestamp >= due &- interval / 8 else { return false }
        self.due = due &+ interval
        return true
    }
}
