internal import LeaseProtocol

/// Moves subscribers that lag to copies before their leases take the source's slots.
///
/// A channel with these has slots in ordinary memory beside its pool, which the source never fills. While offering a frame
/// would leave the source fewer slots than ``floor``, a subscriber that has two frames or more is offered a copy of it
/// instead; once it has caught up it is offered the source's frames again. A copy has the original's number, sequence,
/// timestamp, flags and metadata: what differs is ``Image/memory``, and that it takes the source nothing.
///
/// What a subscriber holds of the source's slots stays so until it lets go. When all copies are held, a subscriber that
/// shares loses frames (counted as ``ChannelStatistics/SubscriberStatus/droppedByShortage``); one with a reservation is
/// offered the source's, never those that the source needs. Members of a group share its frames as they are, unless the
/// source could not spare the slot.
///
/// ``Publisher/publish(_:_:metadata:)`` then takes as long as a copy of the frame where one is wanted; whoever does not lag
/// is offered the frame before that.
public struct LagCopies: Sendable, Hashable {
    /// How many copies can be held at once: a count from 1, or the memory they may take. Taken when the channel opens.
    public var capacity: CopyCapacity
    /// How many slots the source is to keep, counting those that it has; nil: one more than
    /// ``Publisher/Options/sourceNeed``.
    public var floor: Int?

    public init(_ capacity: CopyCapacity, floor: Int? = nil) {
        self.capacity = capacity
        self.floor = floor
    }

    /// The floor of a pool of so many slots.
    func floor(sourceNeed: Int, slots: Int) -> Int { min(max(floor ?? sourceNeed + 1, sourceNeed), slots) }
}
