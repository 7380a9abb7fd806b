import Testing

@testable import LeaseProtocol

/// Who gets the next frame when slots are scarce.
@Suite("Sharing a pool")
struct SharingTests {
    /// A publisher with its readers, stepped by hand.
    private final class Pool {
        var table: LeaseTable
        var readers: [LaneTakes] = []
        private var lanes: [PlainLane] = []

        init(slots: Int, sourceNeed: Int = 1, _ requests: [LeaseRequest]) throws {
            table = LeaseTable(slots: slots, sourceNeed: sourceNeed)
            for request in requests { try join(request) }
        }

        func join(_ request: LeaseRequest) throws {
            let lane = PlainLane(depth: request.policy.depth(budget: request.budget))
            try table.admit(UInt32(lanes.count), request, lane: lane.memory)
            lanes.append(lane)
            readers.append(LaneTakes(memory: lane.memory, slots: table.slots))
        }

        /// Fills and publishes a slot; false when none was free.
        @discardableResult
        func publish() -> Bool {
            table.collectReleases()
            guard let slot = table.takeFree() else { return false }
            table.publish(slot)
            return true
        }

        func take(_ reader: Int) -> Int? { readers[reader].take() }
        func release(_ slot: Int, by reader: Int) { LaneTakes.release(slot, in: lanes[reader].memory) }
    }

    @Test("a subscriber that never releases keeps its budget and no slot more; the source goes on")
    func hoarder() throws {
        let pool = try Pool(slots: 5, [LeaseRequest(policy: .latest, budget: 2), LeaseRequest(policy: .latest)])
        var delivered = 0
        for frame in 0..<100 {
            #expect(pool.publish(), "frame \(frame) found no free slot")
            _ = pool.take(0)
            if let slot = pool.take(1) {
                delivered += 1
                pool.release(slot, by: 1)
            }
        }
        #expect(delivered == 100)
        #expect(pool.table.entries[0].offers.outstandingCount == 2)
        #expect(pool.table.entries[0].droppedByBudget == 98)
        #expect(pool.table.entries[1].dropped == 0)
    }

    @Test("what is merely queued is withdrawn when slots run short; leases are not")
    func queuedGivesWay() throws {
        let pool = try Pool(
            slots: 4,
            [LeaseRequest(policy: .queue(3), budget: 3), LeaseRequest(policy: .latest)]
        )
        // The first reader sleeps with three frames queued: all that is shared.
        for _ in 0..<3 { pool.publish() }
        while let slot = pool.take(1) { pool.release(slot, by: 1) }
        #expect(pool.table.entries[0].offers.queued.count == 3)
        let droppedBefore = pool.table.entries[1].dropped
        // The second still gets its frames: the oldest queued ones give way.
        for _ in 0..<10 {
            #expect(pool.publish())
            let slot = try #require(pool.take(1))
            pool.release(slot, by: 1)
        }
        #expect(pool.table.entries[1].dropped == droppedBefore)
        #expect(pool.table.entries[0].dropped == 10)
    }

    @Test("when the shared slots are all leased, frames are lost for shortage and counted so")
    func shortage() throws {
        let pool = try Pool(
            slots: 3,
            [LeaseRequest(policy: .latest, budget: 2), LeaseRequest(policy: .latest, budget: 2)]
        )
        pool.publish()
        let held = try #require(pool.take(0))
        pool.publish()
        _ = try #require(pool.take(0))
        // Two of three slots are leased by the first, the third is the source's.
        for _ in 0..<5 { #expect(pool.publish()) }
        #expect(pool.table.entries[1].droppedByShortage == 5)
        #expect(pool.table.entries[1].droppedByBudget == 0)
        pool.release(held, by: 0)
        pool.publish()
        #expect(pool.take(1) != nil)
    }

    @Test("a reservation is never lost to those who share, however much they hold")
    func reservedLosesNothing() throws {
        let pool = try Pool(
            slots: 6,
            [
                LeaseRequest(policy: .queue(2), budget: 2, reserved: true), LeaseRequest(policy: .latest, budget: 6),
                LeaseRequest(policy: .latest, budget: 6),
            ]
        )
        for _ in 0..<200 {
            #expect(pool.publish())
            _ = pool.take(1)
            _ = pool.take(2)
            let slot = try #require(pool.take(0))
            pool.release(slot, by: 0)
        }
        #expect(pool.table.entries[0].dropped == 0)
        #expect(pool.table.shared == 3)
    }

    @Test("a reservation waits for leases of what it would take; what is merely queued gives way at once")
    func lateReservation() throws {
        let pool = try Pool(slots: 4, [LeaseRequest(policy: .queue(3), budget: 3)])
        for _ in 0..<3 { pool.publish() }
        let held = [pool.take(0), pool.take(0)].compactMap { $0 }
        let request = LeaseRequest(policy: .latest, budget: 2, reserved: true)
        #expect(throws: AdmissionRefusal.sharedSlotsAreHeld(asked: 2, shared: 1, held: 2)) { try pool.join(request) }
        #expect(
            AdmissionRefusal.sharedSlotsAreHeld(asked: 2, shared: 1, held: 2).description
                == "2 slots can't be reserved now: subscribers that share hold 2 frames, and 1 slots would be left to them;"
                + " ask again when they have released some, or start the publisher with at least 1 slots more"
        )
        #expect(pool.take(0) == nil, "the third frame was withdrawn for it")
        #expect(pool.table.entries[0].droppedByShortage == 1)
        pool.release(try #require(held.first), by: 0)
        try pool.join(request)
        // From now on the source always finds a slot, and the reservation loses nothing.
        for _ in 0..<5 {
            #expect(pool.publish())
            let slot = try #require(pool.take(1))
            #expect(pool.table.pinned.count <= 3)
            pool.release(slot, by: 1)
        }
        #expect(pool.table.entries[1].dropped == 0)
    }

    @Test("every frame: there is room until the budget is out, counting what is being filled")
    func roomForEveryFrame() throws {
        let pool = try Pool(slots: 8, [LeaseRequest(policy: .everyFrame, budget: 3), LeaseRequest(policy: .latest)])
        for out in 0..<3 {
            for inFlight in 0...4 {
                #expect(pool.table.hasRoom(inFlight: inFlight) == (out + inFlight < 3))
            }
            pool.publish()
        }
        #expect(!pool.table.hasRoom(inFlight: 0))
        var without: [UInt32] = []
        pool.table.forEachWithoutRoom(inFlight: 0) { without.append($0) }
        #expect(without == [0])
        let slot = try #require(pool.take(0))
        #expect(!pool.table.hasRoom(inFlight: 0), "taken is not released")
        pool.release(slot, by: 0)
        pool.table.collectReleases()
        #expect(pool.table.hasRoom(inFlight: 0))
    }

    @Test("every frame: who has no room at a source that does not wait loses the new frame alone, and keeps its place")
    func lossWithoutRoom() throws {
        let pool = try Pool(slots: 6, [LeaseRequest(policy: .everyFrame, budget: 2), LeaseRequest(policy: .latest)])
        for _ in 0..<5 { pool.publish() }
        let entry = pool.table.entries[0]
        #expect([entry.droppedByPolicy, entry.droppedByBudget, entry.droppedByShortage] == [0, 3, 0])
        #expect(entry.offers.queued.count == 2)
        let first = try #require(pool.take(0))
        #expect(pool.take(0) != nil)
        #expect(pool.take(0) == nil)
        // With room again it is offered the next frame.
        pool.release(first, by: 0)
        pool.publish()
        #expect(pool.take(0) != nil)
        #expect(pool.table.entries[0].dropped == 3)
    }

    @Test("no copy is made for a subscriber that could not be offered it")
    func noCopyForTheFull() throws {
        var table = LeaseTable(slots: 3, sourceNeed: 1, copySlots: 4, floor: 3)
        let lane = PlainLane(depth: 3)
        try table.admit(0, LeaseRequest(policy: .everyFrame, budget: 3), lane: lane.memory)
        var copies = 0
        for _ in 0..<20 {
            table.collectReleases()
            let free = table.takeFree()
            table.publish(try #require(free))
            if table.copying != nil { copies += 1 }
            table.publishCopy()
        }
        #expect(copies == 1, "two frames are the source's own; then it lags, and has its whole budget with the third")
        #expect(table.entries[0].droppedByBudget == 17)
    }

    @Test("a subscriber that is removed frees all that it held or awaited")
    func removal() throws {
        let pool = try Pool(slots: 4, [LeaseRequest(policy: .queue(2)), LeaseRequest(policy: .latest)])
        for _ in 0..<3 { pool.publish() }
        _ = pool.take(0)
        pool.table.remove(0)
        pool.table.remove(1)
        #expect(pool.table.free.count == 4)
    }

    @Test("slots that the source abandons are free again")
    func abandonment() throws {
        let pool = try Pool(slots: 4, [])
        while pool.table.takeFree() != nil {}
        #expect(pool.table.free.isEmpty)
        pool.table.giveBack(2)
        #expect(pool.table.takeFree() == 2)
        pool.table.abandonSource()
        #expect(pool.table.free.count == 4)
    }
}
