public import Synchronization

/// The subscriber's side of one lane.
///
/// Not thread-safe for taking: one taker at a time (`Subscriber` holds a lock). Releasing is safe from any thread.
public struct LaneTakes: Sendable {
    public let memory: LaneMemory
    @usableFromInline let slots: Int
    /// The offer that is due next.
    @usableFromInline var next: UInt64 = 0
    /// The cell that it is in: `next`, modulo the depth.
    @usableFromInline var cell = 0

    /// Opens a lane for a pool of `slots`.
    public init(memory: LaneMemory, slots: Int) {
        self.memory = memory
        self.slots = slots
    }

    /// Whether something was offered that has not been looked at. Used to re-check after announcing sleep.
    @inlinable public var somethingOffered: Bool {
        // Acquiring: pairs with the releasing store in OFFER.
        memory.offered.pointee.load(ordering: .acquiring) != next
    }

    /// Whether the publisher has taken back what is leased here. What was read before this look was read before the publisher
    /// could rewrite it.
    @inlinable public var isRevoked: Bool {
        atomicMemoryFence(ordering: .acquiring)
        return memory.revoked.pointee.load(ordering: .acquiring) != 0
    }

    /// Beside one for each cell. A step is far quicker than an offer, which is what makes another necessary.
    private static let mostSteps = 4096

    /// TAKE: the next frame's slot, or nil when there is none now. Frames come in order; one that was withdrawn in the
    /// meantime is passed over. A cell that holds nonsense is passed over too: a hostile publisher gets no index of
    /// its choosing, and can't keep this looking for ever: after more steps than any correct one makes it take, it gives up
    /// for now.
    @inlinable @inline(__always)
    public mutating func take() -> Int? {
        let offered = memory.offered.pointee.load(ordering: .acquiring)
        if offered == next { return nil }
        // The usual case: the ticket that is due lies in its cell.
        if offered &- next <= UInt64(truncatingIfNeeded: memory.depth) {
            let word = memory.cell(cell)
            let found = Ticket(rawValue: word.pointee.load(ordering: .relaxed))
            if found.offer == next, take(found, from: word) {
                step()
                let slot = found.slot
                if slot >= 0 && slot < slots { return slot }
            }
        }
        return takeFurther()
    }

    /// Acquiring: the frame record written before the offer is seen from here on. Releasing is not needed: nothing was
    /// written for the publisher. False, a lost race, means withdrawn.
    @inlinable @inline(__always)
    func take(_ ticket: Ticket, from cell: UnsafeMutablePointer<Atomic<UInt64>>) -> Bool {
        cell.pointee.compareExchange(expected: ticket.rawValue, desired: 0, ordering: .acquiring).exchanged
    }

    @inlinable @inline(__always)
    mutating func step() {
        next &+= 1
        cell = cell &+ 1 == memory.depth ? 0 : cell &+ 1
    }

    /// As ``take()``, where the cell that is due does not hold what is due.
    @usableFromInline @inline(never)
    @section("frameshare_way")
    mutating func takeFurther() -> Int? {
        let depth = UInt64(memory.depth)
        for _ in 0..<Self.mostSteps + memory.depth {
            let offered = memory.offered.pointee.load(ordering: .acquiring)
            guard offered != next else { return nil }
            if offered < next || offered - next > depth {
                // Far behind: older cells were offered anew. (Or the count ran backwards: a hostile publisher.)
                next = offered > depth ? offered - depth : 0
                cell = Int(next % depth)
                continue
            }
            let word = memory.cell(cell)
            let found = Ticket(rawValue: word.pointee.load(ordering: .relaxed))
            guard !found.isEmpty && found.offer == next else {
                step()  // withdrawn, or replaced by a later offer that is due later
                continue
            }
            let taken = take(found, from: word)
            step()
            guard taken && found.slot >= 0 && found.slot < slots else { continue }
            return found.slot
        }
        return nil
    }

    /// RELEASE: gives a slot back; in any order, from any thread, any number of times. Follow it with a look at the
    /// channel page's shortage word.
    @inlinable @inline(__always)
    public static func release(_ slot: Int, in memory: LaneMemory) {
        // Releasing: our reads of the pixels come before the publisher's rewriting. Sequentially consistent, since a
        // look at `shortage` follows, and the publisher stores that before it looks here: each must see the other.
        memory.released(slot >> 6).pointee.bitwiseOr(1 &<< UInt64(slot & 63), ordering: .sequentiallyConsistent)
    }
}
