import Testing

@testable import LeaseProtocol

/// Members of a group, stepped by hand.
@Suite("Groups")
struct GroupTests {
    private struct NoneFree: Error {}

    private final class Pool {
        var table: LeaseTable
        var readers: [LaneTakes] = []
        private var lanes: [PlainLane] = []

        init(slots: Int, sourceNeed: Int = 1, copySlots: Int = 0) {
            table = LeaseTable(slots: slots, sourceNeed: sourceNeed, copySlots: copySlots)
        }

        @discardableResult
        func join(_ request: LeaseRequest, group: UInt16? = nil) throws -> UInt32 {
            let lane = PlainLane(depth: request.policy.depth(budget: request.budget))
            let id = UInt32(lanes.count)
            try table.admit(id, request, group: group, lane: lane.memory)
            lanes.append(lane)
            readers.append(LaneTakes(memory: lane.memory, slots: table.total))
            return id
        }

        /// Publishes a frame and returns who of each group got it, and in which slot it is.
        func publish() throws -> (slot: Int, members: [UInt32?]) {
            table.collectReleases()
            guard let slot = table.takeFree() else { throw NoneFree() }
            table.publish(slot)
            return (slot, table.groupOffers.map(\.member))
        }

        /// As ``publish()``, where there may have to be a copy, or none may be free; the slots that the group was offered.
        func publishWithCopies() {
            table.collectReleases()
            guard let slot = table.takeFree() else { return }
            table.publish(slot)
            table.publishCopy()
        }

        func withdraw(_ slot: Int, from member: UInt32) -> Bool { table.withdraw(slot: slot, from: member) }
        func handOver(_ slot: Int, from member: UInt32) -> UInt32? { table.handOver(slot, from: member, group: 0) }
        func move(_ slot: Int, from member: UInt32, to other: UInt32) -> Bool {
            table.move(slot, from: member, to: other)
        }
        func withdrawals() -> [LeaseTable.Withdrawal] { table.takeWithdrawals() }
        func take(_ reader: UInt32) -> Int? { readers[Int(reader)].take() }
        func release(_ slot: Int, by reader: UInt32) { LaneTakes.release(slot, in: lanes[Int(reader)].memory) }
    }

    @Test("each frame goes to exactly one member, the least loaded, then the one served longest ago")
    func leastLoaded() throws {
        let pool = Pool(slots: 12)
        for _ in 0..<3 { try pool.join(LeaseRequest(policy: .queue(2), budget: 3), group: 0) }
        #expect(try (0..<6).map { _ in try pool.publish().members } == [[0], [1], [2], [0], [1], [2]])
        // The second finishes both of its frames: it has the least to do now.
        for _ in 0..<2 { pool.release(try #require(pool.take(1)), by: 1) }
        #expect(try (0..<2).map { _ in try pool.publish().members } == [[1], [1]])
        #expect(pool.withdrawals().isEmpty)
        #expect((0..<3).map { pool.table.outstanding(of: $0) } == [2, 2, 2])
    }

    @Test(
        "with copies, members never take what the source needs, and get every frame",
        arguments: 1...6 as ClosedRange<UInt64>
    )
    func copies(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let pool = Pool(slots: 4, sourceNeed: 2, copySlots: 4)
        for _ in 0..<2 { try pool.join(LeaseRequest(policy: .queue(2), budget: 3), group: 0) }
        try pool.join(LeaseRequest(policy: .queue(2), budget: 2, reserved: seed % 2 == 0))
        var held: [(reader: UInt32, slot: Int)] = []
        var copies = 0
        for _ in 0..<3000 {
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                pool.publishWithCopies()
                #expect(pool.table.leftToSource >= 2, "\(pool.table.pinned.members)")
                #expect(pool.table.pinned.count <= 6)
            case 1 where !held.isEmpty:
                let lease = held.remove(at: Int.random(in: held.indices, using: &random))
                pool.release(lease.slot, by: lease.reader)
            default:
                let reader = UInt32.random(in: 0..<3, using: &random)
                guard let slot = pool.take(reader) else { continue }
                if slot >= 4 { copies += 1 }
                held.append((reader, slot))
            }
            #expect(pool.table.entries.allSatisfy { $0.violation == nil })
        }
        #expect(copies > 20)
    }

    @Test("a copy that is being made for a group takes room of its every-frame members")
    func roomWhileCopying() throws {
        let pool = Pool(slots: 2, sourceNeed: 1, copySlots: 3)
        try pool.join(LeaseRequest(policy: .everyFrame, budget: 3), group: 0)
        _ = try pool.publish()
        let free = pool.table.takeFree()
        let slot = try #require(free)
        pool.table.publish(slot)
        #expect(pool.table.copying?.replacesFrame == true)
        // One is out, one is on its way: there is room for a third, and not beside one that is being filled.
        #expect(pool.table.hasRoom(inFlight: 0))
        #expect(!pool.table.hasRoom(inFlight: 1))
        pool.table.publishCopy()
        #expect(pool.table.hasRoom(inFlight: 0))
        #expect(!pool.table.hasRoom(inFlight: 1))
    }

    @Test("groups and plain subscribers stand side by side: all of the others get every frame")
    func sideBySide() throws {
        let pool = Pool(slots: 16)
        try pool.join(LeaseRequest(policy: .queue(4)))
        for group: UInt16 in [3, 3, 7, 7] { try pool.join(LeaseRequest(policy: .queue(2)), group: group) }
        for turn in 0..<4 { #expect(try pool.publish().members == [UInt32(1 + turn % 2), UInt32(3 + turn % 2)]) }
        #expect(pool.table.outstanding(of: 0) == 4)
        #expect((1...4).map { pool.table.outstanding(of: $0) } == [2, 2, 2, 2])
    }

    @Test("when all are full the newest frame takes the place of the one that waits longest; what it replaced is told")
    func replaced() throws {
        let pool = Pool(slots: 8)
        for _ in 0..<2 { try pool.join(LeaseRequest(policy: .latest), group: 0) }
        let first = try pool.publish()
        let second = try pool.publish()
        #expect(first.members == [0] && second.members == [1])
        #expect(try pool.publish().members == [0])
        #expect(pool.withdrawals() == [.init(member: 0, slot: first.slot)])
        #expect(try pool.publish().members == [1])
        #expect(pool.withdrawals() == [.init(member: 1, slot: second.slot)])
        #expect(pool.table.entries.map(\.droppedByPolicy) == [1, 1])
    }

    @Test("a frame is lost to a group whose members hold all they may, and to it alone")
    func groupFull() throws {
        let pool = Pool(slots: 8)
        try pool.join(LeaseRequest(policy: .latest, budget: 1), group: 0)
        try pool.join(LeaseRequest(policy: .latest))
        _ = try pool.publish()
        let held = try #require(pool.take(0))
        #expect(try pool.publish().members == [nil])
        #expect(pool.take(1) != nil)
        #expect(!pool.table.hasRoom(in: 0))
        pool.release(held, by: 0)
        pool.table.collectReleases()
        #expect(pool.table.hasRoom(in: 0))
        #expect(try pool.publish().members == [0])
    }

    @Test("a source waits for a group of every-frame members only when all of them are full")
    func everyFrame() throws {
        let pool = Pool(slots: 8)
        for _ in 0..<2 { try pool.join(LeaseRequest(policy: .everyFrame, budget: 2), group: 0) }
        for room in (1...4).reversed() {
            #expect(pool.table.hasRoom(inFlight: room - 1) && !pool.table.hasRoom(inFlight: room))
            _ = try pool.publish()
        }
        #expect(!pool.table.hasRoom(inFlight: 0))
        #expect(try pool.publish().members == [nil], "the group alone loses it")
        pool.release(try #require(pool.take(1)), by: 1)
        pool.table.collectReleases()
        #expect(pool.table.hasRoom(inFlight: 0))
    }

    @Test("a frame in a member's hands is given to another without being free in between")
    func handOver() throws {
        let pool = Pool(slots: 4)
        for _ in 0..<2 { try pool.join(LeaseRequest(policy: .queue(1)), group: 0) }
        let (slot, members) = try pool.publish()
        #expect(members == [0])
        #expect(pool.take(0) == slot)
        #expect(pool.handOver(slot, from: 0) == 1)
        pool.table.remove(0)
        #expect(!pool.table.free.contains(slot))
        #expect(pool.take(1) == slot)
        pool.release(slot, by: 1)
        pool.table.collectReleases()
        #expect(pool.table.free.contains(slot))
        #expect(pool.handOver(slot, from: 1) == nil, "nobody else is there")
    }

    @Test("what a member has not taken moves to another that has room")
    func moved() throws {
        let pool = Pool(slots: 8)
        for _ in 0..<2 { try pool.join(LeaseRequest(policy: .queue(2)), group: 0) }
        let slots = try (0..<4).map { _ in try pool.publish().slot }
        #expect(pool.take(0) == slots[0])
        #expect(!pool.move(slots[0], from: 0, to: 1), "it was taken")
        #expect(!pool.move(slots[2], from: 0, to: 1), "the other's queue is full")
        #expect(pool.take(1) == slots[1])
        #expect(pool.move(slots[2], from: 0, to: 1))
        #expect(pool.take(0) == nil)
        #expect([pool.take(1), pool.take(1)] == [slots[3], slots[2]])
        #expect(pool.withdrawals().isEmpty)
    }

    @Test("a frame is taken back from the middle of a queue, unless it was taken; the rest comes in order")
    func withdrawOne() throws {
        let pool = Pool(slots: 8)
        let member = try pool.join(LeaseRequest(policy: .queue(4)), group: 0)
        let slots = try (0..<4).map { _ in try pool.publish().slot }
        #expect(pool.withdraw(slots[1], from: member))
        #expect(!pool.withdraw(slots[1], from: member))
        #expect(pool.table.free.contains(slots[1]))
        #expect(pool.take(member) == slots[0])
        #expect(!pool.withdraw(slots[0], from: member))
        #expect(pool.take(member) == slots[2])
        #expect(pool.take(member) == slots[3])
        for slot in [slots[0], slots[2], slots[3]] { pool.release(slot, by: member) }
        pool.table.collectReleases()
        #expect(pool.table.free.count == 8)
        #expect(!pool.table.hasViolation)
    }

    @Test("whatever members do, every frame of 20 000 is with one member, replaced and told, or lost")
    func random() throws {
        var random = SeededGenerator(seed: 5)
        let pool = Pool(slots: 10)
        for policy: DeliveryPolicy in [.latest, .queue(2), .queue(1)] {
            try pool.join(LeaseRequest(policy: policy), group: 1)
        }
        var held: [(UInt32, Int)] = []
        var (taken, replaced, lost) = (0, 0, 0)
        for _ in 0..<20_000 {
            let outcome = try pool.publish()
            lost += outcome.members == [nil] ? 1 : 0
            let gone = pool.withdrawals()
            replaced += gone.count
            #expect(!gone.contains { $0.slot == outcome.slot })
            for member: UInt32 in 0..<3 where Int.random(in: 0..<3, using: &random) == 0 {
                guard let slot = pool.take(member) else { continue }
                taken += 1
                #expect(!held.contains { $0.1 == slot }, "slot \(slot) is with two members")
                held.append((member, slot))
            }
            while held.count > 2 {
                let (member, slot) = held.remove(at: Int.random(in: 0..<held.count, using: &random))
                pool.release(slot, by: member)
            }
        }
        for member: UInt32 in 0..<3 { while pool.take(member) != nil { taken += 1 } }
        #expect(taken + replaced + lost == 20_000)
        #expect(taken > 5000 && replaced > 100)
    }
}
