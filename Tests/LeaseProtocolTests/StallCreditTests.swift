import Testing

@testable import LeaseProtocol

/// How long each user may make a source wait.
@Suite("The time that a user may make a source wait")
struct StallCreditTests {
    private static let second: Int64 = 1_000_000_000

    @Test("each user has the limit in any minute, in however many waits it is used up")
    func limit() {
        var credit = StallCredit(limit: 10 * Self.second)
        #expect(credit.left(1000, now: 0) == 10 * Self.second)
        for wait in 1...40 { credit.charge(1000, Self.second / 4, now: Int64(wait) * Self.second) }
        #expect(credit.left(1000, now: 41 * Self.second) == 0)
        #expect(credit.left(1001, now: 41 * Self.second) == 10 * Self.second, "another user has its own")
        credit.charge(1000, Self.second, now: 42 * Self.second)
        #expect(credit.left(1000, now: 42 * Self.second) == 0)
    }

    @Test("what was used comes back when a minute has passed, and no sooner")
    func minute() {
        var credit = StallCredit(limit: 10 * Self.second)
        credit.charge(7, 6 * Self.second, now: 6 * Self.second)
        credit.charge(7, 4 * Self.second, now: 30 * Self.second)
        #expect(credit.left(7, now: 65 * Self.second) == 0)
        #expect(credit.left(7, now: 66 * Self.second) == 6 * Self.second)
        #expect(credit.left(7, now: 89 * Self.second) == 6 * Self.second)
        #expect(credit.left(7, now: 90 * Self.second) == 10 * Self.second)
    }

    @Test(
        "in no minute is more than the limit given, whatever the order of waits",
        arguments: 1...4 as ClosedRange<UInt64>
    )
    func anyMinute(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let limit = 3 * Self.second
        var credit = StallCredit(limit: limit)
        var now: Int64 = 0
        var waits: [(end: Int64, duration: Int64)] = []
        for _ in 0..<500 {
            now += Int64.random(in: 0..<2_000_000_000, using: &random)
            let left = credit.left(5, now: now)
            let wait = min(left, Int64.random(in: 1..<500_000_000, using: &random))
            now += wait
            credit.charge(5, wait, now: now)
            waits.append((now, wait))
            let inMinute = waits.reduce(0) { $0 + ($1.end > now - 60 * Self.second ? $1.duration : 0) }
            #expect(inMinute <= limit)
        }
        #expect(waits.reduce(0) { $0 + $1.duration } > 3 * limit, "it comes back each time")
    }

    @Test("who can be many users gets no memory for each, and keeps no place for ever")
    func manyUsers() {
        var credit = StallCredit(limit: Self.second)
        credit.charge(7000, Self.second, now: Self.second)
        for user in 0..<1000 { credit.charge(UInt32(user), 1_000_000, now: Self.second) }
        // A crowd that has used a little takes nothing from a user that has used nothing, and hides none that has used all.
        #expect(credit.left(5000, now: 2 * Self.second) == Self.second)
        #expect(credit.left(7000, now: 2 * Self.second) == 0)
        #expect(credit.left(7000, now: 61 * Self.second) == Self.second)
    }

    @Test("times beyond what 64 bits hold are no trap")
    func extremes() {
        for limit in [Int64.min, -1, 0, .max] {
            var credit = StallCredit(limit: limit)
            for now in [Int64.min, -1, 0, .max] {
                for time in [Int64.min, 0, .max, .max] { credit.charge(1, time, now: now) }
                #expect((0...max(0, limit)).contains(credit.left(1, now: now)))
            }
        }
    }
}
