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
        var state = try explorer.start()
        for _ in 0..<3000 {
            guard let step = explorer.steps(from: state).randomElement(using: &random) else { return }
            try explorer.apply(step, to: &state)
        }
        #expect(state.published > 100)
        #expect(state.readers.allSatisfy { $0.delivered > 10 })
    }
}
