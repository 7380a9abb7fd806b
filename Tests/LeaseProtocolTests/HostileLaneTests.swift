import Synchronization
import Testing

@testable import LeaseProtocol

/// A peer can write anything to the lane at any moment. It may be found out or not; it must never trap the other side
/// nor touch anyone else.
@Suite("A lane full of lies")
struct HostileLaneTests {
    @Test("a publisher that counts offers as fast as it can keeps no subscriber looking for ever")
    func endlessOffers() async {
        let lane = PlainLane(depth: 3)
        let memory = lane.memory
        let isOver = Atomic(false)
        let liar = Task.detached {
            var offer: UInt64 = 0
            while !isOver.load(ordering: .relaxed) {
                offer &+= 1_000_003
                memory.offered.pointee.store(offer, ordering: .relaxed)
            }
        }
        var takes = LaneTakes(memory: memory, slots: 4)
        for _ in 0..<2000 { #expect(takes.take() == nil) }
        isOver.store(true, ordering: .relaxed)
        await liar.value
        withExtendedLifetime(lane) {}
    }

    @Test("a subscriber that scribbles over its lane harms nobody else", arguments: 1...8 as ClosedRange<UInt64>)
    func hostileSubscriber(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var (violations, rounds) = (0, 0)
        for _ in 0..<150 {
            rounds += 1
            let slots = Int.random(in: 4...8, using: &random)
            let depth = Int.random(in: 1...3, using: &random)
            let (bad, good) = (PlainLane(depth: depth), PlainLane(depth: 1))
            var table = LeaseTable(slots: slots, sourceNeed: 1)
            try table.admit(1, LeaseRequest(policy: .queue(depth), budget: depth), lane: bad.memory)
            try table.admit(2, LeaseRequest(policy: .latest, budget: 2, reserved: true), lane: good.memory)
            var honest = LaneTakes(memory: good.memory, slots: slots)
            for frame in 0..<40 {
                for _ in 0..<Int.random(in: 0..<3, using: &random) {
                    // The released bits and the cells, above all.
                    let word = Bool.random(using: &random) ? 32 : Int.random(in: 0..<bad.wordCount, using: &random)
                    bad.scribble(random.hostileWord(slots: slots, offers: UInt64(frame)), at: word)
                }
                table.collectReleases()
                guard let slot = table.takeFree() else {
                    Issue.record("the source found no slot")
                    return
                }
                table.publish(slot)
                #expect(honest.take() == slot)
                #expect(!table.free.contains(slot))
                LaneTakes.release(slot, in: good.memory)
                #expect(table.entries[0].offers.outstandingCount == table.entries[0].offers.outstanding.count)
                #expect(table.entries[0].offers.outstandingCount <= depth)
            }
            #expect(table.entries[1].violation == nil)
            if table.entries[0].violation != nil { violations += 1 }
            table.remove(1)
            table.collectReleases()
            #expect(table.free.count == slots)
        }
        // Most of this is found out: a test that never meets a violation would prove nothing.
        #expect(violations > rounds / 4)
    }

    @Test("once it broke the rules a subscriber is offered nothing more")
    func violatorGetsNothing() throws {
        let lane = PlainLane(depth: 1)
        var table = LeaseTable(slots: 3, sourceNeed: 1)
        try table.admit(1, LeaseRequest(policy: .latest), lane: lane.memory)
        for _ in 0..<2 {
            lane.memory.cell(0).pointee.store(999, ordering: .relaxed)
            if let slot = table.takeFree() { table.publish(slot) }
        }
        #expect(table.entries[0].violation == .foreignTicket(cell: 0, found: 999))
        #expect(table.entries[0].offers.offers <= 1)
    }

    @Test("a publisher that scribbles over the lane gets no slot of its choosing taken, and no endless loop")
    func hostilePublisher() {
        var random = SeededGenerator(seed: 5)
        for _ in 0..<2000 {
            let depth = Int.random(in: 1...4, using: &random)
            let slots = Int.random(in: 1...8, using: &random)
            let lane = PlainLane(depth: depth)
            var takes = LaneTakes(memory: lane.memory, slots: slots)
            for round in 0..<20 {
                for word in lane.cellWords where Bool.random(using: &random) {
                    lane.scribble(random.hostileWord(slots: slots + 3, offers: UInt64(round)), at: word)
                }
                lane.scribble(random.hostileWord(slots: slots, offers: UInt64(round)), at: lane.offeredWord)
                _ = takes.somethingOffered
                while let slot = takes.take() {
                    guard (0..<slots).contains(slot) else {
                        Issue.record("slot \(slot) of \(slots) was taken")
                        return
                    }
                }
            }
        }
    }

    @Test("an offer count at the end of its range is survived, and one that runs backwards")
    func extremeCounts() {
        let lane = PlainLane(depth: 2)
        var takes = LaneTakes(memory: lane.memory, slots: 4)
        for count in [.max, 0, .max - 1, 3, 1 << 48, 1 << 63, 5] as [UInt64] {
            lane.scribble(count, at: lane.offeredWord)
            #expect(takes.take() == nil)
            #expect(!takes.somethingOffered)
        }
        // An honest publisher is heard again afterwards.
        lane.memory.cell(1).pointee.store(Ticket(offer: 5, slot: 3).rawValue, ordering: .relaxed)
        lane.scribble(6, at: lane.offeredWord)
        #expect(takes.take() == 3)
    }
}
