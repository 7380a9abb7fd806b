internal import Synchronization

/// The subscriber's side of one lane.
///
/// Not thread-safe for taking: one taker at a time (`Subscriber` holds a lock). Releasing is safe from any thread.
public struct LaneTakes: Sendable {
    public let memory: LaneMemory
    private let slots: Int
    /// The offer that is due next.
    private(set) var next: UInt64 = 0

    /// Opens a lane for a pool of `slots`.
    public init(memory: LaneMemory, slots: Int) {
        self.memory = memory
        self.slots = slots
    }

    /// Whether something was offered that has not been looked at. Used to re-check after announcing sleep.
    public var somethingOffered: Bool {
        // Acquiring: pairs with the releasing store in OFFER.
        memory.offered.pointee.load(ordering: .acquiring) != next
    }

    /// Whether the publisher has taken back what is leased here. What was read before this look was read before the publisher
    /// could rewrite it.
    public var isRevoked: Bool {
        atomicMemoryFence(ordering: .acquiring)
        return memory.revoked.pointee.load(ordering: .acquiring) != 0
    }

    /// Beside one for each cell. A step is far quicker than an offer, which is what makes another necessary.
    private static let mostSteps = 4096

    /// TAKE: the next frame's slot, or nil when there is none now. Frames come in order; one that was withdrawn in the
    /// meantime is passed over. A cell that holds nonsense is passed over too: a hostile publisher gets no index of
    /// its choosing, and can't keep this looking for ever: after more steps than any correct one makes it take, it gives up
    /// for now.
    public mutating func take() -> Int? {
        let depth = UInt64(memory.depth)
        for _ in 0..<Self.mostSteps + memory.depth {
            let offered = memory.offered.pointee.load(ordering: .acquiring)
            guard offered != next else { return nil }
            if offered < next || offered - next > depth {
                // Far behind: older cells were offered anew. (Or the count ran backwards: a hostile publisher.)
                next = offered > depth ? offered - depth : 0
                continue
            }
            let cell = memory.cell(Int(next % depth))
            let found = Ticket(rawValue: cell.pointee.load(ordering: .relaxed))
            guard !found.isEmpty && found.offer == next else {
                next += 1  // withdrawn, or replaced by a later offer that is due later
                continue
            }
            // Acquiring: the frame record written before the offer is seen from here on. Releasing is not needed:
            // nothing was written for the publisher. A lost race means withdrawn.
            let taken = cell.pointee.compareExchange(
                expected: found.rawValue,
                desired: 0,
                ordering: .acquiring
            ).exchanged
            next += 1
            guard taken && found.slot >= 0 && found.slot < slots else { continue }
            return found.slot
        }
        return nil
    }

    /// RELEASE: gives a slot back; in any order, from any thread, any number of times. Follow it with a look at the
    /// channel page's shortage word.
    public static func release(_ slot: Int, in memory: LaneMemory) {
        // Releasing: our reads of the pixels come before the publisher's rewriting. Sequentially consistent, since a
        // look at `shortage` follows, and the publisher stores that before it looks here: each must see the other.
        memory.released(slot >> 6).pointee.bitwiseOr(1 << UInt64(slot & 63), ordering: .sequentiallyConsistent)
    }
}
