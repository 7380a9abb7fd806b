import Testing

@testable import LeaseProtocol

/// One publisher, two subscribers, every order of their steps, until no new state is found.
///
/// No slot is rewritten under a lease, none is taken twice, order is kept, every loss is counted once, nobody pins more
/// than its budget, the source always has what it needs, and everything comes back: see `ProtocolExplorer`.
@Suite("Every interleaving of a publisher and its subscribers keeps the rules")
struct ExplorationTests {
    @Test("latest beside latest", arguments: 3...4)
    func latest(slots: Int) async throws {
        let explorer = ProtocolExplorer(
            slots: slots,
            [LeaseRequest(policy: .latest), LeaseRequest(policy: .latest)]
        )
        #expect(try await explorer.exploreAll() > 100)
    }

    @Test("a queue beside latest")
    func queue() async throws {
        let explorer = ProtocolExplorer(
            slots: 3,
            [LeaseRequest(policy: .queue(2), budget: 2), LeaseRequest(policy: .latest)]
        )
        #expect(try await explorer.exploreAll() > 100)
    }

    @Test("a deep queue", arguments: 3...4)
    func deepQueue(slots: Int) async throws {
        let explorer = ProtocolExplorer(slots: slots, [LeaseRequest(policy: .queue(3), budget: 3)])
        #expect(try await explorer.exploreAll() > 100)
    }

    @Test("every frame beside latest", arguments: 3...4)
    func everyFrame(slots: Int) async throws {
        let explorer = ProtocolExplorer(
            slots: slots,
            [LeaseRequest(policy: .everyFrame, budget: slots - 2), LeaseRequest(policy: .latest)]
        )
        #expect(try await explorer.exploreAll() > 40)
    }

    @Test("every frame beside latest at a source that waits for nobody: one loses its own frames, the other none by it")
    func everyFrameOfLiveSource() async throws {
        for (slots, inFlight) in [(3, 1), (4, 1), (4, 2)] {
            var explorer = ProtocolExplorer(
                slots: slots,
                sourceNeed: inFlight,
                [LeaseRequest(policy: .everyFrame, budget: slots - 1 - inFlight), LeaseRequest(policy: .latest)]
            )
            (explorer.isLive, explorer.inFlight) = (true, inFlight)
            explorer.readersLeave = slots == 3
            #expect(try await explorer.exploreAll() > 40)
        }
    }

    @Test("copies for every frame at a source that waits for nobody")
    func copiesOfLiveSource() async throws {
        var explorer = ProtocolExplorer(slots: 2, [LeaseRequest(policy: .everyFrame, budget: 3)])
        (explorer.copySlots, explorer.floor, explorer.isLive) = (3, 2, true)
        #expect(try await explorer.exploreAll() > 100)
    }

    @Test("a reserved queue beside a shared one")
    func reservedBesideShared() async throws {
        let explorer = ProtocolExplorer(
            slots: 4,
            [
                LeaseRequest(policy: .queue(2), budget: 2, reserved: true),
                LeaseRequest(policy: .queue(1), budget: 2),
            ]
        )
        #expect(try await explorer.exploreAll() > 100)
    }

    @Test("a source that keeps two slots in flight and needs two")
    func twoInFlight() async throws {
        var explorer = ProtocolExplorer(
            slots: 4,
            sourceNeed: 2,
            [LeaseRequest(policy: .latest), LeaseRequest(policy: .latest, budget: 1)]
        )
        explorer.inFlight = 2
        #expect(try await explorer.exploreAll() > 100)
    }

    @Test("subscribers that say goodbye while they hold frames")
    func leaving() async throws {
        var explorer = ProtocolExplorer(
            slots: 3,
            [LeaseRequest(policy: .latest), LeaseRequest(policy: .latest)]
        )
        explorer.readersLeave = true
        #expect(try await explorer.exploreAll() > 100)
    }

    @Test("a reservation that comes while another holds and awaits frames")
    func lateReservation() async throws {
        var explorer = ProtocolExplorer(
            slots: 4,
            [
                LeaseRequest(policy: .queue(2), budget: 3), LeaseRequest(policy: .latest, budget: 2, reserved: true),
            ]
        )
        explorer.lastReaderJoinsLate = true
        #expect(try await explorer.exploreAll() > 100)
    }

    @Test("copies for a queue that lags, beside latest", arguments: [(3, 1, 2), (2, 2, 1)])
    func copies(slots: Int, copySlots: Int, floor: Int) async throws {
        var explorer = ProtocolExplorer(
            slots: slots,
            [LeaseRequest(policy: .queue(2), budget: 3), LeaseRequest(policy: .latest)]
        )
        (explorer.copySlots, explorer.floor) = (copySlots, floor)
        #expect(try await explorer.exploreAll() > 100)
    }

    @Test("copies for every frame, with a budget larger than the source's pool")
    func copiesOfEveryFrame() async throws {
        var explorer = ProtocolExplorer(
            slots: 2,
            [LeaseRequest(policy: .everyFrame, budget: 3)]
        )
        (explorer.copySlots, explorer.floor) = (3, 2)
        #expect(try await explorer.exploreAll() > 100)
    }

    @Test("copies for a reservation beside one that shares, a source with two slots in flight, and goodbyes")
    func copiesOfReservations() async throws {
        var explorer = ProtocolExplorer(
            slots: 3,
            sourceNeed: 1,
            [LeaseRequest(policy: .queue(1), budget: 2, reserved: true), LeaseRequest(policy: .latest)]
        )
        (explorer.copySlots, explorer.floor, explorer.inFlight) = (1, 2, 2)
        explorer.readersLeave = true
        #expect(try await explorer.exploreAll() > 100)
    }

    @Test("long random runs with copies", arguments: 1...4 as ClosedRange<UInt64>)
    func randomRunsWithCopies(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var explorer = ProtocolExplorer(
            slots: 4,
            sourceNeed: Int(seed % 3),
            [
                LeaseRequest(policy: .queue(3), budget: 4), LeaseRequest(policy: .latest),
                LeaseRequest(policy: .everyFrame, budget: 4), LeaseRequest(policy: .queue(2), budget: 3),
            ]
        )
        (explorer.copySlots, explorer.floor, explorer.inFlight) = (4, 2, 2)
        explorer.isLive = seed > 2
        let copies = try run(explorer, steps: 4000, &random)
        #expect(copies > 20)
    }

    @Test("long random runs with deeper queues and more slots", arguments: 1...4 as ClosedRange<UInt64>)
    func randomRuns(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var explorer = ProtocolExplorer(
            slots: 8,
            sourceNeed: Int(seed % 3),
            [
                LeaseRequest(policy: .queue(3), budget: 4), LeaseRequest(policy: .latest),
                LeaseRequest(policy: .everyFrame, budget: 3), LeaseRequest(policy: .queue(2), reserved: seed > 2),
            ].filter { seed < 3 || $0.policy != .everyFrame }
        )
        explorer.inFlight = 2
        explorer.isLive = seed % 2 == 0
        _ = try run(explorer, steps: 3000, &random)
    }

    /// Takes so many steps at random; every reader gets frames. Returns how many copies were made.
    private func run(_ explorer: ProtocolExplorer, steps: Int, _ random: inout SeededGenerator) throws -> Int {
        var state = try explorer.start()
        var copies = 0
        for _ in 0..<steps {
            let step = try #require(explorer.steps(from: state).randomElement(using: &random))
            if case .copy = step { copies += 1 }
            try explorer.apply(step, to: &state)
        }
        #expect(state.published > 100)
        #expect(state.readers.allSatisfy { $0.delivered > 10 })
        return copies
    }
}
