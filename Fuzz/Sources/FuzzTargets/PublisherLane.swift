@testable import LeaseProtocol

/// A subscriber's lane as the publisher sees it, while the subscriber writes whatever it likes to it.
///
/// The publisher always finds a slot to fill, never counts wrong, and the subscriber beside the hostile one gets every
/// frame and keeps what it holds. Once the hostile one has gone, all that it held is free.
func fuzzPublisherLane(_ bytes: UnsafeRawBufferPointer) {
    var input = Input(bytes)
    let slots = 4 + Int(input.byte() % 8)
    let depth = 1 + Int(input.byte() % 3)
    let policy: DeliveryPolicy = [.latest, .queue(depth), .everyFrame][Int(input.byte() % 3)]
    let budget = policy == .latest ? 1 + Int(input.byte() % 3) : depth
    // What lags gets copies, where there are slots for them.
    let (copySlots, floor) = (Int(input.byte() % 4), Int(input.byte() % 12))
    let cells = policy.depth(budget: budget)
    let (bad, good) = (HostileLane(depth: cells), HostileLane(depth: 1))
    var table = LeaseTable(slots: slots, sourceNeed: 1, copySlots: copySlots, floor: floor)
    do {
        // Two that are reserved, for one frame held and one offered.
        try table.admit(2, LeaseRequest(policy: .latest, budget: 2, reserved: true), lane: good.memory)
        try table.admit(1, LeaseRequest(policy: policy, budget: budget), lane: bad.memory)
    } catch {
        return  // the arithmetic is not fuzzed here
    }
    var honest = LaneTakes(memory: good.memory, slots: table.total)
    var accomplice = LaneTakes(memory: bad.memory, slots: table.total)
    var held: Int?
    while !input.isAtEnd {
        switch input.byte() % 8 {
        case 0, 1: bad.scribble(as: &input)
        case 2: if let slot = accomplice.take() { LaneTakes.release(slot, in: bad.memory) }
        case 3: _ = accomplice.take()
        case 4: table.withdraw(Int(input.byte() % 4), from: 1)
        case 5: if input.byte() == 0 { table.stopOffering(to: 1) }
        default:
            table.collectReleases()
            guard let slot = table.takeFree() else { preconditionFailure("the source found no slot") }
            precondition(slot != held, "a slot under a lease is filled again")
            table.publish(slot)
            let copy = table.copying?.copy
            precondition(copy == nil || copy != held, "a slot under a lease is filled with a copy")
            table.publishCopy()
            guard let taken = honest.take() else { preconditionFailure("the honest one was not offered a frame") }
            precondition(taken == slot || taken == copy, "the honest one got another frame")
            if let held { LaneTakes.release(held, in: good.memory) }
            held = taken
        }
        for entry in table.entries {
            precondition(entry.offers.outstandingCount == entry.offers.outstanding.count, "it counted wrong")
            precondition(entry.offers.outstandingCount <= entry.request.budget, "more is out than the budget")
            precondition(entry.id == 1 || entry.violation == nil, "the honest one is blamed")
        }
        if let held {
            precondition(!table.free.contains(held) && !table.freeCopies.contains(held), "a slot under a lease is free")
        }
    }
    table.remove(1)
    if let held { LaneTakes.release(held, in: good.memory) }
    table.collectReleases()
    precondition(table.free.count == slots && table.freeCopies.count == copySlots, "a slot was lost")
}
