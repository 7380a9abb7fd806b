import Testing

@testable import LeaseProtocol

/// Which frames a subscriber gets that asked for so many a second.
@Suite("Thinning")
struct ThinningTests {
    private static let second: Int64 = 1_000_000_000

    /// The places of the wanted among frames at these times.
    private func wanted(_ rate: Double, _ times: [Int64]) throws -> [Int] {
        let interval = try #require(Thinning.interval(ofRate: rate))
        var thinning = Thinning(interval: interval)
        return times.indices.filter { thinning.wants(captured: times[$0], now: times[$0]) }
    }

    private func steps(_ places: [Int]) -> [Int] { zip(places.dropFirst(), places).map { $0 - $1 } }

    @Test(
        "A whole number of frames: each nth, for ever, also where the camera is not as fast as it says, and jitters",
        arguments: [
            (30.0, 10.0, 3), (30.03, 10, 3), (29.97, 10, 3), (60, 30, 2), (25, 5, 5), (30, 30, 1), (59.94, 20, 3),
        ],
        [0.0, 0.1, 0.3]
    )
    func everyNth(rates: (camera: Double, asked: Double, nth: Int), jitter: Double) throws {
        var random = SeededGenerator(seed: 7)
        let period = 1e9 / rates.camera
        let times = (0..<6000).map {
            Int64((Double($0) + Double.random(in: -jitter...jitter, using: &random)) * period)
        }
        let steps = steps(try wanted(rates.asked, times.map { $0 + 5 * Self.second }))
        // Until the time from frame to frame is known.
        #expect(steps.dropFirst(30).allSatisfy { $0 == rates.nth }, "\(steps.prefix(200))")
    }

    @Test(
        "Any other rate: as many as asked for, none closer than a frame less than the interval",
        arguments: [(30.0, 20.0), (30, 25), (30, 7), (12, 10), (60, 59), (24, 10), (120, 50)],
        [0.0, 0.2]
    )
    func otherRates(rates: (camera: Double, asked: Double), jitter: Double) throws {
        var random = SeededGenerator(seed: 11)
        let period = 1e9 / rates.camera
        let times = (0..<12_000).map {
            Int64((Double($0) + Double.random(in: -jitter...jitter, using: &random)) * period)
        }
        let places = try wanted(rates.asked, times)
        let seconds = Double(times[times.count - 1] - times[0]) / 1e9
        #expect(
            abs(Double(places.count) / seconds - rates.asked) < 0.01 * rates.asked,
            "\(places.count) in \(seconds) s"
        )
        let most = Int((rates.camera / rates.asked).rounded(.up))
        let least = Int((rates.camera / rates.asked).rounded(.down))
        #expect(steps(places).dropFirst(30).allSatisfy { (max(1, least - 1)...most + 1).contains($0) })
    }

    @Test("A source that is slower than asked for loses nothing", arguments: [8.0, 9.99, 1, 0.2])
    func slower(camera: Double) throws {
        let times = (0..<500).map { Int64(Double($0) * 1e9 / camera) }
        #expect(try wanted(10, times).count == 500)
    }

    @Test("After frames that are missing it goes on evenly")
    func gaps() throws {
        let times = (0..<300).filter { !(100..<117).contains($0) && $0 % 50 != 9 }.map { Int64($0) * Self.second / 30 }
        let got = try wanted(10, times).map { times[$0] }
        let pauses = zip(got.dropFirst(), got).map { $0 - $1 }
        #expect(pauses.allSatisfy { $0 > 66_000_000 })
        #expect(pauses.count { $0 < 99_000_000 } <= 8 && pauses.count { $0 > 134_000_000 } == 1)
    }

    @Test("Stamps that stand still, jump or step back: the publisher's clock decides")
    func brokenStamps() throws {
        let sources: [(String, (Int) -> Int64)] = [
            ("all zero", { _ in 0 }), ("back and forth", { $0 % 2 == 0 ? 1 << 60 : -1 << 60 }),
            ("the smallest and the largest", { $0 % 2 == 0 ? .min : .max }),
            ("backwards", { -Int64($0) * 33_000_000 }),
            ("a step back each second", { Int64($0 % 30) * 33_333_333 }),
            ("days between two", { Int64($0) * 86_400 * 1_000_000_000 }),
        ]
        for (name, stamp) in sources {
            var thinning = Thinning(interval: 100_000_000)
            let given = (0..<3000).count { thinning.wants(captured: stamp($0), now: Int64($0) * 33_333_333 + 9) }
            #expect((900...1100).contains(given), "\(name): \(given) of 3000 at 30 frames/s in 100 s")
        }
    }

    @Test("Whatever six steps the times make: no two are given sooner than they may, and none is awaited for long")
    func exhaustive() {
        let steps: [Int64] = [-5 * Self.second, 0, 10_000_000, 33_000_000, 50_000_000, 120_000_000, 3 * Self.second]
        let interval: Int64 = 100_000_000
        for code in 0..<117_649 {
            var thinning = Thinning(interval: interval)
            var (rest, captured, now) = (code, Self.second, Self.second)
            guard thinning.wants(captured: captured, now: now) else {
                Issue.record("the first is not wanted")
                return
            }
            var (givenAt, evenly) = (now, true)
            for _ in 0..<6 {
                let step = steps[rest % 7]
                rest /= 7
                captured += step
                // A frame takes its time to come, whatever its stamp says.
                now += max(10_000_000, min(step, Self.second))
                evenly = evenly && step > 0 && step <= 120_000_000
                let isWanted = thinning.wants(captured: captured, now: now)
                if isWanted {
                    if now - givenAt < interval / 8 * 3 {
                        Issue.record("\(code): \(now - givenAt) ns after the one before")
                    }
                    givenAt = now
                } else if now - givenAt >= (evenly ? interval + interval / 2 : 2 * interval + interval / 2) {
                    Issue.record("\(code): none for \(now - givenAt) ns")
                }
            }
        }
    }

    @Test("Rates that can't be asked for have no interval", arguments: [0, -1, .nan, .infinity, 1e9, -.infinity, 1e-9])
    func refused(rate: Double) { #expect(Thinning.interval(ofRate: rate) == nil) }

    // MARK: in the table

    private final class Pool {
        var table = LeaseTable(slots: 8, sourceNeed: 1)
        var readers: [LaneTakes] = []
        private var lanes: [PlainLane] = []
        private var now: Int64 = 0

        func join(_ rate: Double?, group: UInt16? = nil) throws {
            let request = LeaseRequest(policy: .queue(2))
            let lane = PlainLane(depth: request.policy.depth(budget: request.budget))
            let interval = rate.flatMap { Thinning.interval(ofRate: $0) } ?? 0
            try table.admit(UInt32(lanes.count), request, group: group, interval: interval, lane: lane.memory)
            lanes.append(lane)
            readers.append(LaneTakes(memory: lane.memory, slots: table.total))
        }

        /// Publishes a frame at 30 frames/s; who of them has it then, and takes it.
        func publish(asked: Bool = false) throws -> [Int] {
            table.collectReleases()
            let free = table.takeFree()
            let slot = try #require(free)
            now += 1_000_000_000 / 30
            if table.hasRates {
                table.publishThinned(slot, captured: now, now: now, groupsAreAsked: asked)
            } else {
                table.publish(slot)
            }
            return readers.indices.filter { reader in
                guard let slot = readers[reader].take() else { return false }
                LaneTakes.release(slot, in: lanes[reader].memory)
                return true
            }
        }
    }

    @Test("Each is offered its own; what is passed over is no loss, and wakes nobody")
    func table() throws {
        let pool = Pool()
        try pool.join(nil)
        try pool.join(10)
        try pool.join(15)
        var got = [0, 0, 0]
        for _ in 0..<300 {
            let who = try pool.publish()
            for reader in who { got[reader] += 1 }
            let woken = (0..<3).filter { pool.table.hasNews(for: UInt32($0)) }
            #expect(woken == [0] + who.filter { $0 > 0 })
        }
        #expect(got == [300, 100, 150])
        #expect((0..<3).map { pool.table.passedOver(of: $0) } == [0, 200, 150])
        #expect(pool.table.entries.allSatisfy { $0.droppedByPolicy + $0.droppedByBudget + $0.droppedByShortage == 0 })
        pool.table.remove(1)
        pool.table.remove(2)
        #expect(!pool.table.hasRates)
    }

    @Test("A group gets what its most demanding member asks for; a frame that is asked about goes to it in any case")
    func group() throws {
        let pool = Pool()
        try pool.join(5, group: 3)
        try pool.join(10, group: 3)
        var (given, offers) = (0, 0)
        for _ in 0..<300 {
            given += try pool.publish().count
            offers += pool.table.groupOffers.count
            #expect(pool.table.isPassedOver(3) == pool.table.groupOffers.isEmpty)
        }
        #expect(given == 100 && offers == 100)
        #expect(try (0..<30).reduce(0) { sum, _ in try sum + pool.publish(asked: true).count } == 30)
        try pool.join(nil, group: 3)
        #expect(try (0..<30).reduce(0) { sum, _ in try sum + pool.publish().count } == 30)
    }
}
