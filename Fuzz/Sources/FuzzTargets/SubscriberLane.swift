@testable import LeaseProtocol

/// A lane as the subscriber sees it, while the publisher writes whatever it likes to it.
///
/// No slot outside the pool is ever taken, and no more slots than there are cells without a write in between.
func fuzzSubscriberLane(_ bytes: UnsafeRawBufferPointer) {
    var input = Input(bytes)
    let slots = 1 + Int(input.byte() % 16)
    let lane = HostileLane(depth: 1 + Int(input.byte() % 4))
    var takes = LaneTakes(memory: lane.memory, slots: slots)
    while !input.isAtEnd {
        lane.scribble(as: &input)
        guard input.byte() % 2 == 0 else { continue }
        var count = 0
        while let slot = takes.take() {
            precondition((0..<slots).contains(slot), "a slot that the pool hasn't got")
            count += 1
            precondition(count <= lane.memory.depth, "more frames than cells")
            LaneTakes.release(slot, in: lane.memory)
        }
        precondition(!takes.somethingOffered, "it stopped before the end")
    }
}
