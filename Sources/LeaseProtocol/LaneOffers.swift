internal import CLinuxMedia
internal import Synchronization

/// The publisher's side of one lane, with its private truth: what it has put in each cell and which slots are out.
///
/// Step names are those of the model in `Models/`. All of it is wait-free: no step loops on what the peer does.
///
/// A plain value, so that a frame passes it without counting references. Its book is memory that whoever made it frees by
/// ``freeBook()`` once no copy is used any more.
// @unchecked: the book is changed by one holder, who serialises that.
public struct LaneOffers: @unchecked Sendable {
    /// What a peer did that no correct subscriber does. It is disconnected for it.
    public enum Violation: Error, Equatable, Sendable, CustomStringConvertible {
        /// A cell held a word that the publisher had not put there.
        case foreignTicket(cell: Int, found: UInt64)
        /// A slot was given back that still lay in its cell, not taken.
        case releasedWithoutTaking(slot: Int)

        public var description: String {
            switch self {
            case .foreignTicket(let cell, let found):
                "lane cell \(cell) held \(found), which was never offered"
            case .releasedWithoutTaking(let slot):
                "slot \(slot) was released without having been taken"
            }
        }
    }

    // In the order and the sizes in which a frame needs them: with what the table keeps beside, one cache line.
    public let memory: LaneMemory
    /// For each cell the ticket that was put in it, empty once that is known to be taken or withdrawn. Then for each slot the
    /// cell (+ 1) that its ticket was put in, 0 once it is known to be taken: 16 bits each. Then the words of `outstanding`
    /// beyond the first.
    private let book: UnsafeMutablePointer<UInt64>
    /// The slots below 64 that this subscriber has queued or leased.
    private(set) var low: UInt64 = 0
    /// How many offers were made.
    public private(set) var offers: UInt64 = 0
    private let slotCount: UInt16
    /// The cell that is due: the number of offers, modulo the depth.
    private var due: UInt16 = 0
    private var outCount: UInt16 = 0

    /// How many slots are outstanding.
    @inline(__always)
    public var outstandingCount: Int { Int(outCount) }

    private var slots: Int { Int(slotCount) }
    private var placesSize: Int { (slots + 3) / 4 }
    /// The words of a set of slots beyond the first.
    private var moreWords: Int { (slots - 1) / 64 }
    private var bookSize: Int { memory.depth + placesSize + moreWords }
    private var more: UnsafeMutablePointer<UInt64> { book + memory.depth + placesSize }
    /// Invariant of those that use it: a slot of the pool.
    @inline(__always)
    private func place(_ slot: Int) -> UnsafeMutablePointer<UInt16> {
        UnsafeMutableRawPointer(book + memory.depth).assumingMemoryBound(to: UInt16.self) + slot
    }

    /// Starts a lane over zeroed memory, for a pool of `slots`.
    public init(memory: LaneMemory, slots: Int) {
        precondition(slots >= 1 && slots <= SlotSet.capacity, "a pool has 1 to 1024 slots")
        self.memory = memory
        slotCount = UInt16(slots)
        let size = memory.depth + (slots + 3) / 4 + (slots - 1) / 64
        book = Self.allocate(size)
        book.initialize(repeating: 0, count: size)
    }

    private static func allocate(_ words: Int) -> UnsafeMutablePointer<UInt64> {
        // Of most lanes one cache line, and no other's.
        let line = Int(FS_CACHE_LINE)
        return
            UnsafeMutableRawPointer
            .allocate(byteCount: (words * 8 + line - 1) / line * line, alignment: line)
            .bindMemory(to: UInt64.self, capacity: words)
    }

    /// The same with a book of its own.
    func copied() -> LaneOffers { LaneOffers(copying: self) }

    private init(copying other: LaneOffers) {
        (memory, slotCount, due, offers) = (other.memory, other.slotCount, other.due, other.offers)
        (outCount, low) = (other.outCount, other.low)
        book = Self.allocate(other.bookSize)
        book.initialize(from: other.book, count: other.bookSize)
    }

    /// Ends it: no copy may be used from here on.
    func freeBook() { UnsafeMutableRawPointer(book).deallocate() }

    /// The slots that this subscriber has queued or leased: the publisher's word on what the peer pins.
    public var outstanding: SlotSet {
        SlotSet(low: low, more: UnsafeBufferPointer(start: more, count: moreWords))
    }

    /// Whether a slot is queued for this subscriber, or leased.
    public func hasOutstanding(_ slot: Int) -> Bool {
        guard slot >= 0 && slot < slots else { return false }
        return (slot < 64 ? low : more[slot >> 6 - 1]) & 1 << UInt64(slot & 63) != 0
    }

    /// What was put in a cell; empty once it is known to be taken or withdrawn.
    func expected(_ cell: Int) -> Ticket { Ticket(rawValue: book[cell]) }

    @inline(__always)
    private mutating func nowOutstanding(_ slot: Int) {
        let bit = 1 &<< UInt64(slot & 63) as UInt64
        if slot < 64 { low |= bit } else { more[slot >> 6 &- 1] |= bit }
        outCount &+= 1
    }

    @inline(__always)
    private mutating func noLongerOutstanding(_ slot: Int) {
        let bit = 1 &<< UInt64(slot & 63) as UInt64
        if slot < 64 { low &= ~bit } else { more[slot >> 6 &- 1] &= ~bit }
        outCount &-= 1
        place(slot).pointee = 0
    }

    /// COLLECT: takes what the subscriber has given back. A bit for a slot that is not out is ignored: releases are
    /// idempotent, and a hostile peer can set any.
    @inline(__always)
    public mutating func collectReleases() throws(Violation) {
        // Relaxed look first: an exchange would take the cache line from the subscriber for nothing.
        if memory.released(0).pointee.load(ordering: .relaxed) != 0 { try collect(0) }
        if slotCount > 64 { try collectMore() }
    }

    @inline(never)
    private mutating func collectMore() throws(Violation) {
        for word in 1...moreWords where memory.released(word).pointee.load(ordering: .relaxed) != 0 {
            try collect(word)
        }
    }

    @inline(__always)
    private mutating func collect(_ word: Int) throws(Violation) {
        // Acquiring pairs with RELEASE: the peer's reads of the pixels are done before the slot is rewritten.
        let known = word == 0 ? low : more[word &- 1]
        var bits = memory.released(word).pointee.exchange(0, ordering: .acquiring) & known
        while bits != 0 {
            let slot = word &<< 6 | bits.trailingZeroBitCount
            bits &= bits &- 1
            let place = place(slot)
            if place.pointee != 0 {
                // Known only as queued so far; taken means that its cell is empty, or reused (then the book moved on).
                let cell = Int(place.pointee) &- 1
                guard memory.cell(cell).pointee.load(ordering: .relaxed) == 0 else {
                    throw .releasedWithoutTaking(slot: slot)
                }
                book[cell] = 0
                place.pointee = 0
            }
            outCount &-= 1
            if word == 0 { low &= ~(1 &<< UInt64(slot)) } else { more[word &- 1] &= ~(1 &<< UInt64(slot & 63)) }
        }
    }

    /// OFFER: puts `slot` in the cell that is due, whatever the subscriber is doing. Returns the slot of the frame
    /// that lay there untaken and is hereby withdrawn, if there was one.
    @inline(__always)
    public mutating func offer(_ slot: Int) throws(Violation) -> Int? {
        let index = Int(due)
        let ticket = Ticket(offer: offers, slot: slot)
        // Releasing: the frame record written before is seen by whoever takes the ticket. Acquiring: a peer's
        // emptying of the cell is ordered before what we do with that knowledge.
        let old = Ticket(
            rawValue: memory.cell(index).pointee.exchange(ticket.rawValue, ordering: .acquiringAndReleasing)
        )
        var withdrawn: Int? = nil
        let before = Ticket(rawValue: book[index])
        if old.isEmpty {
            if !before.isEmpty { place(before.slot).pointee = 0 }  // it was taken: a lease now
        } else if old == before {
            withdrawn = before.slot
            noLongerOutstanding(before.slot)
        } else {
            throw .foreignTicket(cell: index, found: old.rawValue)
        }
        book[index] = ticket.rawValue
        place(slot).pointee = UInt16(truncatingIfNeeded: index &+ 1)
        nowOutstanding(slot)
        offers &+= 1
        due = index &+ 1 == memory.depth ? 0 : due &+ 1
        // Releasing: whoever sees the new count finds the ticket. The fence before looking who sleeps is the
        // caller's, one for all lanes.
        memory.offered.pointee.store(offers, ordering: .releasing)
        return withdrawn
    }

    /// WITHDRAW: takes back the oldest frame that is still queued. Returns its slot, or nil when all are taken.
    public mutating func withdrawOldest() throws(Violation) -> Int? {
        let depth = UInt64(memory.depth)
        var offer = offers > depth ? offers - depth : 0
        while offer < offers {
            defer { offer += 1 }
            let index = Int(offer % depth)
            let ticket = expected(index)
            guard !ticket.isEmpty else { continue }
            // Acquiring on either outcome: an emptied cell means taken.
            let (exchanged, original) = memory.cell(index).pointee.compareExchange(
                expected: ticket.rawValue,
                desired: 0,
                ordering: .acquiringAndReleasing
            )
            book[index] = 0
            if exchanged {
                noLongerOutstanding(ticket.slot)
                return ticket.slot
            }
            guard original == 0 else { throw .foreignTicket(cell: index, found: original) }
            place(ticket.slot).pointee = 0
        }
        return nil
    }

    /// WITHDRAW of one slot, wherever it is in the queue; false when it was taken, or was never out. The subscriber passes
    /// over its empty cell as over any other that was withdrawn.
    public mutating func withdraw(_ slot: Int) throws(Violation) -> Bool {
        guard hasOutstanding(slot), place(slot).pointee != 0 else { return false }
        let index = Int(place(slot).pointee) - 1
        let ticket = expected(index)
        // Acquiring on either outcome: an emptied cell means taken.
        let (exchanged, original) = memory.cell(index).pointee.compareExchange(
            expected: ticket.rawValue,
            desired: 0,
            ordering: .acquiringAndReleasing
        )
        book[index] = 0
        guard exchanged else {
            guard original == 0 else { throw .foreignTicket(cell: index, found: original) }
            place(slot).pointee = 0
            return false
        }
        noLongerOutstanding(slot)
        return true
    }

    /// The number of the oldest offer still queued, if any.
    public var oldestQueued: Ticket? {
        let depth = UInt64(memory.depth)
        var offer = offers > depth ? offers - depth : 0
        while offer < offers {
            let index = Int(offer % depth)
            let ticket = expected(index)
            if !ticket.isEmpty && memory.cell(index).pointee.load(ordering: .relaxed) == ticket.rawValue {
                return ticket
            }
            offer += 1
        }
        return nil
    }

    /// Whether the next offer would withdraw the oldest frame anyway.
    public var cellDueIsQueued: Bool {
        let ticket = expected(Int(due))
        return !ticket.isEmpty && memory.cell(Int(due)).pointee.load(ordering: .relaxed) == ticket.rawValue
    }

    /// The slots that lie in cells, not taken: outstanding, but no lease.
    public var queued: SlotSet {
        var set = SlotSet()
        for index in 0..<memory.depth {
            let ticket = expected(index)
            if !ticket.isEmpty && memory.cell(index).pointee.load(ordering: .relaxed) == ticket.rawValue {
                set.insert(ticket.slot)
            }
        }
        return set
    }
}
