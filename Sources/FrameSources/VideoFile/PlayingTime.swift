internal import FrameShare
internal import Glibc

/// When the frames of a recording are due.
struct PlayingTime {
    /// 0: at once.
    private let speed: Double
    private var start: Int64?
    /// The recording's time that stands for `start`.
    private var first: Int64 = 0
    private var last: Int64 = 0
    private var interval: Int64 = 33_333_333

    init(speed: Double) { self.speed = speed }

    private func due(_ pts: Int64, from start: Int64) -> Int64 {
        speed > 0 ? start + Int64(Double(pts - first) / speed) : FrameTimestamp.now().nanoseconds
    }

    /// Sleeps until a frame is due, and looks ten times a second whether to stop.
    /// - Returns: false when it was stopped
    mutating func sleep(until pts: Int64, stopped: () -> Bool) -> Bool {
        if start == nil { (start, first) = (FrameTimestamp.now().nanoseconds, pts) }
        if pts > last { (interval, last) = (max(1, min(pts - last, 1_000_000_000)), pts) }
        let due = due(pts, from: start ?? 0)
        while !stopped() {
            let now = FrameTimestamp.now().nanoseconds
            if speed == 0 || now >= due { return true }
            let next = min(due, now + 100_000_000)
            var time = timespec(tv_sec: Int(next / 1_000_000_000), tv_nsec: Int(next % 1_000_000_000))
            _ = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil)
        }
        return false
    }

    /// The moment at which a frame was due, on the clock that it was recorded by.
    func now(_ pts: Int64, _ clock: FrameClock?) -> FrameTimestamp {
        let (here, due) = (FrameTimestamp.now(), due(pts, from: start ?? 0))
        guard let clock, clock != .monotonic else { return FrameTimestamp(nanoseconds: due) }
        let there = FrameTimestamp.now(clock)
        return FrameTimestamp(nanoseconds: there.nanoseconds - (here.nanoseconds - due), clock: clock)
    }

    /// Waits for subscribers that want every frame, and stops the clock meanwhile.
    mutating func waitForRoom(_ publisher: Publisher, _ stopped: () -> Bool) throws(ChannelError) {
        guard speed > 0 else { return }
        let began = FrameTimestamp.now().nanoseconds
        // Where nobody has to be waited for, the clock goes on, however long this thread was kept from running.
        var patience = Duration.zero
        while !stopped() {
            do throws(ChannelError) {
                try publisher.waitForRoom(timeout: patience)
                break
            } catch .timedOut {
                patience = .seconds(2)
            }
        }
        if patience > .zero { start? += FrameTimestamp.now().nanoseconds - began }
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
    mutating func beginAgain() {
        guard let begun = start else { return }
        start = speed > 0 ? begun + Int64(Double(last - first + interval) / speed) : nil
        last = first
    }
}
