internal import LeaseProtocol

/// Moves subscribers that lag to copies before their leases take the source's slots.
///
/// A channel with these has slots in ordinary memory beside its pool. The source never fills them. When an offer would leave the
/// source fewer slots than ``floor``, a subscriber that has two frames or more gets a copy instead. Once it has caught up, it gets
/// the source's frames again. A copy has the original's number, sequence, timestamp, flags and metadata. Only ``Image/memory``
/// differs, and the source keeps its slot.
///
/// A subscriber keeps the source's slots that it holds until it releases them. When all copies are held, a subscriber without a
/// reservation loses frames (counted as ``ChannelStatistics/SubscriberStatus/droppedByShortage``). One with a reservation gets
/// the source's slots, but never those that the source needs. Members of a group share its frames as they are, unless the source
/// can't spare the slot.
///
/// When a copy is wanted, ``Publisher/publish(_:_:metadata:)`` takes as long as the copy. Subscribers that don't lag are offered
/// the frame before that.
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
