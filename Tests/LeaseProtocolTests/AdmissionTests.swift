import Testing

@testable import LeaseProtocol

@Suite("Admission")
struct AdmissionTests {
    /// Admits as many as fit; each lane is kept by the array.
    private func table(
        slots: Int,
        sourceNeed: Int,
        _ requests: [LeaseRequest]
    ) throws -> (table: LeaseTable, lanes: [PlainLane]) {
        var table = LeaseTable(slots: slots, sourceNeed: sourceNeed)
        var lanes: [PlainLane] = []
        for (i, request) in requests.enumerated() {
            let lane = PlainLane(depth: request.policy.depth(budget: request.budget))
            lanes.append(lane)
            try table.admit(UInt32(i), request, lane: lane.memory)
        }
        return (table, lanes)
    }

    private func refusal(_ request: LeaseRequest, by table: LeaseTable) -> AdmissionRefusal? {
        do throws(AdmissionRefusal) {
            try table.checkAdmission(request)
            return nil
        } catch {
            return error
        }
    }

    @Test("reservations are let in while source and reservations fit the pool, and not one slot further")
    func reservations() throws {
        for slots in 2...8 {
            for need in 0...slots {
                for asked in 1...slots {
                    let (table, _) = try table(slots: slots, sourceNeed: need, [])
                    let request = LeaseRequest(policy: .latest, budget: asked, reserved: true)
                    #expect((refusal(request, by: table) == nil) == (need + asked <= slots))
                }
            }
        }
    }

    @Test("a refused reservation is told the arithmetic and what would do")
    func arithmetic() throws {
        let (table, _) = try table(slots: 8, sourceNeed: 3, [LeaseRequest(policy: .everyFrame, budget: 3)])
        let refused = refusal(LeaseRequest(policy: .everyFrame, budget: 4), by: table)
        #expect(refused == .reservationsDoNotFit(slots: 8, sourceNeed: 3, reserved: 3, asked: 4))
        #expect(
            refused?.description
                == "4 slots can't be reserved: the pool has 8, the source needs 3, 3 are reserved already, so 2 are left;"
                + " start the publisher with at least 10 slots, ask for a smaller budget, or do not reserve"
        )
    }

    @Test("who wants to share is refused only when nothing is left to share, and told so")
    func nothingToShare() throws {
        let (full, _) = try table(slots: 4, sourceNeed: 1, [LeaseRequest(policy: .everyFrame, budget: 3)])
        let refused = refusal(LeaseRequest(policy: .latest), by: full)
        #expect(refused == .nothingLeftToShare(slots: 4, sourceNeed: 1, reserved: 3))
        #expect(
            refused?.description
                == "no slot is left to share: the pool has 4, the source needs 1, 3 are reserved; start the publisher with"
                + " at least 5 slots"
        )
        let (roomy, _) = try table(slots: 5, sourceNeed: 1, [LeaseRequest(policy: .everyFrame, budget: 3)])
        #expect(refusal(LeaseRequest(policy: .latest), by: roomy) == nil)
    }

    @Test("impossible depths and budgets are named", arguments: [0, -1, 1025, Int.max, Int.min])
    func impossible(number: Int) throws {
        let (table, _) = try table(slots: 4, sourceNeed: 1, [])
        let depth = refusal(LeaseRequest(policy: .queue(number), budget: 2), by: table)
        #expect(depth == .badDepth(number))
        #expect(depth?.description == "a queue of \(number) frames is not possible; ask for 1 to 1024")
        let budget = refusal(LeaseRequest(policy: .latest, budget: number), by: table)
        #expect(budget == .badBudget(number, slots: 4))
        #expect(budget?.description == "a budget of \(number) slots is not possible in a pool of 4; ask for 1 to 4")
    }

    @Test("a policy of any depth has a default budget; none traps", arguments: [0, -1, 1024, Int.max, Int.min])
    func defaultBudgets(depth: Int) throws {
        let request = LeaseRequest(policy: .queue(depth))
        let (table, _) = try table(slots: 4, sourceNeed: 1, [])
        #expect(refusal(request, by: table) != nil)
    }

    @Test("a queue deeper than its budget is told which budget it needs")
    func deepQueue() throws {
        let (table, _) = try table(slots: 8, sourceNeed: 1, [])
        let refused = refusal(LeaseRequest(policy: .queue(4), budget: 3), by: table)
        #expect(refused == .depthAboveBudget(depth: 4, budget: 3))
        #expect(refused?.description == "a queue of 4 frames does not fit a budget of 3 slots; ask for a budget of 5")
        #expect(refusal(LeaseRequest(policy: .queue(4), budget: 5), by: table) == nil)
    }

    @Test("budgets where none is asked for: one frame in work beside what is queued; every frame always reserves")
    func defaults() {
        #expect(LeaseRequest(policy: .latest).budget == 2)
        #expect(LeaseRequest(policy: .queue(5)).budget == 6)
        #expect(LeaseRequest(policy: .everyFrame).budget == 2)
        #expect(!LeaseRequest(policy: .latest).reserved)
        #expect(LeaseRequest(policy: .everyFrame, reserved: false).reserved)
    }

    @Test("what a subscriber had reserved can be reserved again once it has left")
    func leaving() throws {
        let made = try table(slots: 4, sourceNeed: 1, [LeaseRequest(policy: .everyFrame, budget: 3)])
        var table = made.table
        let again = LeaseRequest(policy: .latest, budget: 3, reserved: true)
        #expect(table.reserved == 3)
        #expect(refusal(again, by: table) != nil)
        table.remove(0)
        #expect(table.reserved == 0)
        #expect(refusal(again, by: table) == nil)
        table.remove(0)
        #expect(table.reserved == 0)
        withExtendedLifetime(made.lanes) {}
    }
}
