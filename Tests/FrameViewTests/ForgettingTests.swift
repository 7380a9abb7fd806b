#if View
@testable import FrameView
@testable import FrameShare
import Testing

@Suite("What a view remembers of channels that are gone")
struct ForgettingTests {
    private func seen(
        _ name: String,
        live isLive: Bool,
        secondsAgo seconds: Int,
        _ now: ContinuousClock.Instant
    ) -> ChannelWatch.Seen {
        let statistics = ChannelStatistics(
            channel: name,
            sourceName: "",
            publisherPID: 1,
            publisherUID: 0,
            generation: 1,
            streams: [],
            slots: 8,
            slotsFree: 8,
            slotsAtSource: 0,
            sourceNeed: 1,
            slotsReserved: 0,
            retiredSlotsHeld: 0,
            published: 0,
            lostBySource: 0,
            lostNoFreeSlot: 0,
            age: 0,
            sinceLastFrame: -1,
            subscribers: []
        )
        var seen = ChannelWatch.Seen(statistics: statistics)
        (seen.isLive, seen.lastLive) = (isLive, now - .seconds(seconds))
        return seen
    }

    @Test("a channel that is gone for ten minutes is forgotten; one that is live, or was named, is not")
    func time() {
        let now = ContinuousClock.now
        let all = [
            "live": seen("live", live: true, secondsAgo: 5000, now),
            "gone": seen("gone", live: false, secondsAgo: 590, now),
            "long": seen("long", live: false, secondsAgo: 610, now),
            "named": seen("named", live: false, secondsAgo: 5000, now),
        ]
        #expect(ChannelWatch.forgettable(all, keeping: ["live", "named"], now: now) == ["long"])
    }

    @Test("of many that are gone the last 64 are remembered")
    func number() {
        let now = ContinuousClock.now
        var all: [String: ChannelWatch.Seen] = [:]
        for i in 0..<70 { all["channel-\(i)"] = seen("channel-\(i)", live: false, secondsAgo: i, now) }
        let forgotten = ChannelWatch.forgettable(all, keeping: [], now: now)
        #expect(Set(forgotten) == Set((64..<70).map { "channel-\($0)" }))
    }
}
#endif
