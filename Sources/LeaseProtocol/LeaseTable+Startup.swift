// Frames of a source's start-up, which most subscribers do not want.
extension LeaseTable {
    /// As ``publish(_:)``, but the frame is offered only to subscribers that take frames of a start-up. The others lose
    /// nothing.
    /// - Parameter takes: whether a subscriber takes such frames
    public mutating func publishStartup(_ slot: Int, takes: (SubscriberID) -> Bool) {
        // Those who said goodbye are offered nothing; for this frame, the others are treated the same.
        let heldBack = entries.indices.filter { !entries[$0].isLeaving && !takes(entries[$0].id) }
        for i in heldBack { entries[i].isLeaving = true }
        publish(slot)
        for i in heldBack { entries[i].isLeaving = false }
    }
}
