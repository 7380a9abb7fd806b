/// Which frames a subscriber gets that asked for so many a second: evenly, by their capture times.
///
/// A frame is due once every ``interval``. The frame that lies nearest to that moment is wanted, so a jitter of less than half
/// a frame changes nothing. A camera of 30 frames/s at 10 gives each third. Where the interval is a whole number of frames,
/// the due moment follows the camera's own clock, which is never exactly as fast as it says.
///
/// Stamps may stand still, jump or step back. Then the publisher's clock decides: no break gives more frames than the rate
/// does, and none ends them. All steps are plain arithmetic that can't overflow.
public struct Thinning: Sendable, Hashable {
    /// The intervals that can be asked for, in ns: 10 000 frames a second to one frame an hour.
    public static let intervals: ClosedRange<Int64> = 100_000...3_600_000_000_000
    /// As frames a second.
    public static let rates: ClosedRange<Double> = 1 / 3_600...10_000

    /// The time between two wanted frames, in ns.
    public let interval: Int64
    /// When the next frame is due, on the frames' clock.
    private var due: Int64 = 0
    /// The frame before, wanted or not, on its clock.
    private var last: Int64 = 0
    /// When the last wanted frame was published.
    private var givenAt: Int64?
    /// The capture time that it had: what it would be on the present clock, where that has broken since.
    private var given: Int64 = 0
    /// When the frame before was published.
    private var lastNow: Int64 = 0
    /// The time from frame to frame, in ns, on average; 0: not known yet.
    private var period: Int64 = 0
    private var periods: Int64 = 0

    /// - Parameter interval: in ns; what lies outside of ``intervals`` counts as the nearest that is inside
    public init(interval: Int64) {
        self.interval = min(max(interval, Self.intervals.lowerBound), Self.intervals.upperBound)
    }

    /// The interval of a rate in frames a second; nil for one that can't be asked for.
    public static func interval(ofRate rate: Double) -> Int64? {
        // Not a number is in no range.
        guard rates.contains(rate) else { return nil }
        return Int64((1e9 / rate).rounded())
    }

    /// Whether the frame is wanted. To be asked of each frame once, in order.
    /// - Parameters:
    ///   - captured: its capture time, in ns on any clock
    ///   - now: when it is published, in ns on a clock that never steps back
    public mutating func wants(captured: Int64, now: Int64) -> Bool {
        guard let givenAt else {
            (self.givenAt, given, last, due, lastNow) = (now, captured, captured, captured &+ interval, now)
            return true
        }
        let pause = max(0, now &- lastNow)
        lastNow = now
        let (step, isBeyond) = captured.subtractingReportingOverflow(last)
        last = captured
        guard !isBeyond, step > 0, step <= max(4 * interval, 2_000_000_000) else {
            if pause > 0 { learn(pause) }
            let elapsed = max(0, now &- givenAt)
            let left = max(0, interval - elapsed)
            let isDue = left <= min(period, interval) / 2
            due = captured &+ (isDue ? interval : left)
            given = isDue ? captured : captured &- elapsed
            if isDue { self.givenAt = now }
            return isDue
        }
        learn(step)
        let usual = min(period, interval)
        let late = captured &- due
        // After one that came late, the next is not to follow at its heels.
        guard late >= -usual / 2, captured &- given >= interval / 8 * 3 else { return false }
        (self.givenAt, given) = (now, captured)
        if late > usual {
            // Frames are missing, or come more slowly than asked for.
            due = captured &+ interval
        } else {
            due = due &+ interval &+ (isWholeFrames ? late / 8 : 0)
        }
        return true
    }

    private mutating func learn(_ step: Int64) {
        periods = min(periods + 1, 64)
        // A pause is no period.
        let step = period == 0 ? step : min(step, 4 * period)
        period += (step - period) / periods
        period = max(period, 1)
    }

    /// Whether the interval is a whole number of frames, but for what clocks differ.
    private var isWholeFrames: Bool {
        let frames = (interval + period / 2) / period
        return abs(frames * period - interval) <= period / 64
    }
}
