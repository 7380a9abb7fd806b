import FrameShare
import Glibc

/// When frames are due: absolute moments on the monotonic clock, so that a rate does not drift.
struct FrameSchedule {
    /// Half of what 64 bits hold, in ns: 146 years.
    private static let longest = 4e18

    /// Nanoseconds; 0: frames are due at once.
    private let period: Double
    private var start: Int64

    init(framesPerSecond: Double) {
        period = framesPerSecond > 0 ? min(1_000_000_000 / framesPerSecond, Self.longest) : 0
        start = FrameTimestamp.now().nanoseconds
    }

    private func due(_ frame: UInt64) -> Int64 {
        let (moment, overflow) = start.addingReportingOverflow(
            Int64(min((Double(frame) * period).rounded(), Self.longest))
        )
        return overflow ? .max : moment
    }

    /// Sleeps (`clock_nanosleep(2)` with an absolute time) until a frame is due, and looks ten times a second whether
    /// to stop.
    /// - Returns: `false` when it was stopped.
    func sleep(untilFrame frame: UInt64, stopped: () -> Bool) -> Bool {
        guard period > 0 else {
            return !stopped()
        }
        let due = due(frame)
        while !stopped() {
            let now = FrameTimestamp.now().nanoseconds
            if now >= due {
                return true
            }
            let next = min(due, now + 100_000_000)
            var time = timespec(tv_sec: Int(next / 1_000_000_000), tv_nsec: Int(next % 1_000_000_000))
            // Interrupted by a signal: just looks again.
            _ = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil)
        }
        return false
    }

    /// How many frames from this one on it is too late for: those whose successor is due already.
    func framesMissed(since frame: UInt64) -> UInt64 {
        guard period > 0 else {
            return 0
        }
        let late = FrameTimestamp.now().nanoseconds - due(frame)
        return UInt64(min(max(0, Double(late) / period), Self.longest))
    }

    /// Takes a time that was waited out of the schedule, in ns.
    mutating func postpone(by time: Int64) { start += time }
}
