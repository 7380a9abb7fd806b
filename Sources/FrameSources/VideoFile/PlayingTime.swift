internal import FrameShare
internal import Glibc

/// When the frames of a recording are due. Where their times jump, stand still, go back or are missing, they go on evenly.
struct PlayingTime {
    /// 0: at once.
    private let speed: Double
    private var timeline: FrameTimeline
    /// The moment of the timeline's 0, on the monotonic clock.
    private var start: Int64?
    /// The latest stamp, or what stands for one.
    private var stamp: Int64 = 0

    /// A source that comes later than this begins to count anew, in ns: frames in a bunch would help nobody.
    private static let mostLate: Int64 = 500_000_000

    /// - Parameter step: the usual time from one frame to the next, in ns, where it is known
    init(speed: Double, step: Int64?) {
        self.speed = speed
        timeline = FrameTimeline(pauses: .closed, step: step)
    }

    /// The usual time from one frame to the next, in ns.
    var step: Int64 { timeline.step }

    /// Where the next frame is.
    /// - Parameter stamp: its time in ns; nil: it has none
    mutating func place(_ stamp: Int64?) -> FrameTimeline.Place {
        self.stamp = stamp ?? Self.sum(self.stamp, timeline.step)
        return timeline.place(self.stamp)
    }

    private static func sum(_ a: Int64, _ b: Int64) -> Int64 {
        let (sum, overflow) = a.addingReportingOverflow(b)
        return overflow ? (b < 0 ? .min : .max) : sum
    }

    private func due(_ place: FrameTimeline.Place) -> Int64 {
        guard speed > 0, let start else { return FrameTimestamp.now().nanoseconds }
        // Half of what 64 bits hold: 146 years.
        return Self.sum(start, Int64(min(max(Double(place.time) / speed, 0), 4e18)))
    }

    /// Sleeps until a frame is due, and looks ten times a second whether to stop.
    /// - Returns: false when it was stopped
    mutating func sleep(until place: FrameTimeline.Place, stopped: () -> Bool) -> Bool {
        if start == nil {
            let begun = FrameTimestamp.now().nanoseconds
            start = begun
            start = Self.sum(begun, begun - due(place))
        }
        let due = due(place)
        while !stopped() {
            let now = FrameTimestamp.now().nanoseconds
            if speed == 0 || now >= due {
                if speed > 0, now - due > Self.mostLate { start? += now - due }
                return true
            }
            let next = min(due, now + 100_000_000)
            var time = timespec(tv_sec: Int(next / 1_000_000_000), tv_nsec: Int(next % 1_000_000_000))
            _ = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil)
        }
        return false
    }

    /// The moment at which a frame was due, on the clock that it was recorded by.
    func now(_ place: FrameTimeline.Place, _ clock: FrameClock?) -> FrameTimestamp {
        let (here, due) = (FrameTimestamp.now(), due(place))
        guard let clock, clock != .monotonic else { return FrameTimestamp(nanoseconds: due) }
        let there = FrameTimestamp.now(clock)
        return FrameTimestamp(nanoseconds: there.nanoseconds &- (here.nanoseconds &- due), clock: clock)
    }

    /// Stops the clock for a time that has passed, in ns.
    mutating func postpone(by time: Int64) { start = start.map { Self.sum($0, time) } }

    /// Waits for subscribers that want every frame, and stops the clock meanwhile.
    mutating func waitForRoom(_ publisher: Publisher, _ stopped: () -> Bool) throws(ChannelError) {
        guard speed > 0 else { return }
        let waited = try publisher.timeWaitingForRoom(stopped: stopped)
        start? += waited
    }

    /// A slot; nil when there is none, and a camera would not wait either.
    func nextSlot(_ publisher: Publisher, stopped: () -> Bool) throws(ChannelError) -> WritableSlot? {
        if speed > 0 { return try publisher.tryNextSlot() }
        while !stopped() {
            do throws(ChannelError) {
                return try publisher.nextSlotBlocking(timeout: .seconds(2))
            } catch .timedOut {
                continue
            }
        }
        return nil
    }

    /// The recording's first frame comes as long after its last as frames are apart.
    mutating func beginAgain() { timeline.beginAgain() }
}
