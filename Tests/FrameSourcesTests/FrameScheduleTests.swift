import FrameShare
import Testing

@testable import FrameSources

@Suite("When frames of a rate are due")
struct FrameScheduleTests {
    @Test(
        "any rate has moments that can be counted in nanoseconds",
        arguments: [.leastNonzeroMagnitude, 1e-300, 1e-9, 0.001, 1, 1e6, 1e18, 1e300, .infinity, 0, -1, .nan]
    )
    func anyRate(rate: Double) {
        var schedule = FrameSchedule(framesPerSecond: rate)
        for frame in [0, 1, 2, 1 << 40, UInt64.max] {
            #expect(!schedule.sleep(untilFrame: frame) { true })
            _ = schedule.framesMissed(since: frame)
        }
        // The first frame is due at once, whatever the rate.
        #expect(schedule.sleep(untilFrame: 0) { false })
        schedule.postpone(by: 0)
        _ = schedule.framesMissed(since: 1)
    }
}
