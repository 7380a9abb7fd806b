import Synchronization
import Testing

@testable import LeaseProtocol

@Suite("A lane")
struct LaneTests {
    private let slots = 4

    @Test("a ticket keeps its offer number and slot, and none is the empty cell", arguments: [0, 1, 1023])
    func ticket(slot: Int) {
        for offer in [0, 1, (1 << 48) - 1] as [UInt64] {
            let ticket = Ticket(offer: offer, slot: slot)
            #expect(ticket.offer == offer)
            #expect(ticket.slot == slot)
            #expect(!ticket.isEmpty)
        }
        #expect(Ticket.empty.isEmpty)
        #expect(Ticket(rawValue: 0xffff_0000).slot == -1)
    }

    @Test("what a frame needs of a subscriber is in one cache line, which it shares with no other")
    func rows() {
        #expect(MemoryLayout<LeaseTable.Entry>.stride.isMultiple(of: 64))
        #expect(MemoryLayout<LaneOffers>.size <= 48)
    }

    @Test("pools of more than 64 slots keep every slot's place", arguments: [1, 63, 64, 65, 128, 1000, 1024])
    func largePools(slots: Int) throws {
        let lane = LanePair(depth: 3, slots: slots)
        let last = [0, slots / 2, slots - 1]
        for slot in Set(last).sorted() {
            #expect(try lane.offers.offer(slot) == nil)
            #expect(lane.offers.hasOutstanding(slot) && lane.offers.outstanding.contains(slot))
            #expect(lane.takes.take() == slot)
            LaneTakes.release(slot, in: lane.words.memory)
            try lane.offers.collectReleases()
            #expect(!lane.offers.hasOutstanding(slot) && lane.offers.outstanding.isEmpty)
        }
        for slot in Set(last).sorted() { #expect(try lane.offers.offer(slot) == nil) }
        #expect(lane.offers.outstanding.members == Set(last).sorted())
        #expect(lane.offers.outstandingCount == Set(last).count)
        #expect(try lane.offers.withdraw(slots - 1))
        #expect(!lane.offers.hasOutstanding(slots - 1))
    }

    @Test("an offered slot is taken once, and comes back once it is released and collected")
    func roundTrip() throws {
        let lane = LanePair(depth: 1, slots: slots)
        #expect(lane.takes.take() == nil)
        #expect(!lane.takes.somethingOffered)
        #expect(try lane.offers.offer(2) == nil)
        #expect(lane.takes.somethingOffered)
        #expect(lane.offers.queued.members == [2])
        #expect(lane.takes.take() == 2)
        #expect(lane.takes.take() == nil)
        #expect(!lane.takes.somethingOffered)
        #expect(lane.offers.outstanding.members == [2])
        #expect(lane.offers.queued.isEmpty)
        try lane.offers.collectReleases()
        #expect(lane.offers.outstandingCount == 1)
        LaneTakes.release(2, in: lane.words.memory)
        try lane.offers.collectReleases()
        #expect(lane.offers.outstandingCount == 0)
        #expect(lane.offers.outstanding.isEmpty)
    }

    @Test("a full lane withdraws its oldest frame for the newest", arguments: 1...3)
    func withdrawsOldest(depth: Int) throws {
        let lane = LanePair(depth: depth, slots: slots)
        for slot in 0..<depth { #expect(try lane.offers.offer(slot) == nil) }
        #expect(lane.offers.cellDueIsQueued)
        #expect(try lane.offers.offer(3) == 0)
        #expect(lane.offers.outstandingCount == depth)
        var taken: [Int] = []
        while let slot = lane.takes.take() { taken.append(slot) }
        #expect(taken == Array(1..<depth) + [3])
    }

    @Test("frames are withdrawn oldest first; taken ones stay")
    func withdraw() throws {
        let lane = LanePair(depth: 3, slots: slots)
        for slot in 0..<3 { _ = try lane.offers.offer(slot) }
        #expect(lane.takes.take() == 0)
        #expect(lane.offers.oldestQueued?.slot == 1)
        #expect(try lane.offers.withdrawOldest() == 1)
        #expect(lane.offers.outstanding.members == [0, 2])
        #expect(lane.takes.take() == 2)
        #expect(try lane.offers.withdrawOldest() == nil)
        #expect(lane.offers.oldestQueued == nil)
        #expect(lane.offers.outstanding.members == [0, 2])
    }

    @Test("releases come in any order and as often as one likes")
    func releases() throws {
        let lane = LanePair(depth: 3, slots: slots)
        for slot in 0..<3 { _ = try lane.offers.offer(slot) }
        for _ in 0..<3 { _ = lane.takes.take() }
        for slot in [2, 0, 2] { LaneTakes.release(slot, in: lane.words.memory) }
        try lane.offers.collectReleases()
        #expect(lane.offers.outstanding.members == [1])
        LaneTakes.release(2, in: lane.words.memory)
        LaneTakes.release(1, in: lane.words.memory)
        try lane.offers.collectReleases()
        #expect(lane.offers.outstanding.isEmpty)
        #expect(lane.offers.outstandingCount == 0)
    }

    @Test("a reader that fell far behind goes on with the oldest frame that is still there", arguments: 1...3)
    func farBehind(depth: Int) throws {
        let lane = LanePair(depth: depth, slots: slots)
        for offer in 0..<50 {
            let slot = offer % (depth + 1)
            #expect(try lane.offers.offer(slot) == (offer < depth ? nil : (offer - depth) % (depth + 1)))
        }
        let newest = (50 - depth..<50).map { $0 % (depth + 1) }
        var taken: [Int] = []
        while let slot = lane.takes.take() { taken.append(slot) }
        #expect(taken == newest)
    }

    @Test("slots of every word of the released set come back")
    func manySlots() throws {
        let lane = LanePair(depth: 1, slots: SlotSet.capacity)
        for slot in 0..<SlotSet.capacity {
            _ = try lane.offers.offer(slot)
            #expect(lane.takes.take() == slot)
        }
        #expect(lane.offers.outstandingCount == SlotSet.capacity)
        for slot in (0..<SlotSet.capacity).reversed() { LaneTakes.release(slot, in: lane.words.memory) }
        try lane.offers.collectReleases()
        #expect(lane.offers.outstanding.isEmpty)
        #expect(lane.offers.outstandingCount == 0)
    }

    @Test("a slot released without having been taken is a violation")
    func releasedUntaken() throws {
        let lane = LanePair(depth: 2, slots: slots)
        _ = try lane.offers.offer(1)
        LaneTakes.release(1, in: lane.words.memory)
        #expect(throws: LaneOffers.Violation.releasedWithoutTaking(slot: 1)) { try lane.offers.collectReleases() }
    }

    @Test("a word in a cell that was never offered is a violation, both for an offer and for a withdrawal")
    func foreignTicket() throws {
        let lane = LanePair(depth: 1, slots: slots)
        _ = try lane.offers.offer(1)
        lane.words.memory.cell(0).pointee.store(77, ordering: .relaxed)
        var other = lane.offers
        #expect(throws: LaneOffers.Violation.foreignTicket(cell: 0, found: 77)) { try other.withdrawOldest() }
        #expect(throws: LaneOffers.Violation.foreignTicket(cell: 0, found: 77)) { try lane.offers.offer(2) }
        let text = LaneOffers.Violation.foreignTicket(cell: 0, found: 77).description
        #expect(text == "lane cell 0 held 77, which was never offered")
    }

    @Test("slots given back that were never out are ignored")
    func strayReleases() throws {
        let lane = LanePair(depth: 1, slots: slots)
        for slot in 0..<4 { LaneTakes.release(slot, in: lane.words.memory) }
        lane.words.memory.released(0).pointee.bitwiseOr(.max, ordering: .relaxed)
        try lane.offers.collectReleases()
        #expect(lane.offers.outstandingCount == 0)
        #expect(try lane.offers.offer(3) == nil)
    }
}
