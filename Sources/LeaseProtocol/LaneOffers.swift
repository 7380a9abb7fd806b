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

    public let memory: LaneMemory
    private let releasedWords: Int
    /// The cell that is due: the number of offers, modulo the depth.
    private var due = 0
    /// How many offers were made.
    public private(set) var offers: UInt64 = 0
    /// How many slots are outstanding.
    public private(set) var outstandingCount = 0
    /// For each cell the ticket that was put in it, empty once that is known to be taken or withdrawn. After those, for each
    /// slot, the cell (+ 1) that its ticket was put in, 0 once it is known to be taken.
    private let book: UnsafeMutablePointer<UInt64>
    private let bookSize: Int
    /// The slots that this subscriber has queued or leased: the publisher's word on what the peer pins.
    public private(set) var outstanding = SlotSet()

    /// Starts a lane over zeroed memory, for a pool of `slots`.
    public init(memory: LaneMemory, slots: Int) {
        self.memory = memory
        releasedWords = (slots + 63) / 64
        bookSize = memory.depth + slots
        book = .allocate(capacity: bookSize)
        book.initialize(repeating: 0, count: bookSize)
    }

    /// The same with a book of its own.
    func copied() -> LaneOffers { LaneOffers(copying: self) }

    private init(copying other: LaneOffers) {
        (memory, releasedWords, due, offers) = (other.memory, other.releasedWords, other.due, other.offers)
        (outstandingCount, outstanding, bookSize) = (other.outstandingCount, other.outstanding, other.bookSize)
        book = .allocate(capacity: bookSize)
        book.initialize(from: other.book, count: bookSize)
    }

    /// Ends it: no copy may be used from here on.
    func freeBook() { book.deallocate() }

    /// What was put in a cell; empty once it is known to be taken or withdrawn.
    func expected(_ cell: Int) -> Ticket { Ticket(rawValue: book[cell]) }

    private mutating func noLongerOutstanding(_ slot: Int) {
        outstanding.remove(slot)
        outstandingCount -= 1
        book[memory.depth + slot] = 0
    }

    /// Whether there may be something to collect: a look that takes no cache line from the subscriber.
    var hasReleases: Bool {
        for word in 0..<releasedWords where memory.released(word).pointee.load(ordering: .relaxed) != 0 { return true }
        return false
    }

    /// COLLECT: takes what the subscriber has given back. A bit for a slot that is not out is ignored: releases are
    /// idempotent, and a hostile peer can set any.
    public mutating func collectReleases() throws(Violation) {
        for i in 0..<releasedWords {
            // Relaxed look first: an exchange would take the cache line from the subscriber for nothing.
            guard memory.released(i).pointee.load(ordering: .relaxed) != 0 else { continue }
            // Acquiring pairs with RELEASE: the peer's reads of the pixels are done before the slot is rewritten.
            let known = i == 0 ? outstanding.low : outstanding[word: i]
            var bits = memory.released(i).pointee.exchange(0, ordering: .acquiring) & known
            while bits != 0 {
                let slot = i << 6 + bits.trailingZeroBitCount
                bits &= bits - 1
                let cell = Int(book[memory.depth + slot]) - 1
                if cell >= 0 {
                    // Known only as queued so far; taken means that its cell is empty, or reused (then the book moved on).
                    let found = memory.cell(cell).pointee.load(ordering: .relaxed)
                    guard found == 0 else { throw .releasedWithoutTaking(slot: slot) }
                    book[cell] = 0
                }
                noLongerOutstanding(slot)
            }
        }
    }

    /// OFFER: puts `slot` in the cell that is due, whatever the subscriber is doing. Returns the slot of the frame
    /// that lay there untaken and is hereby withdrawn, if there was one.
    public mutating func offer(_ slot: Int) throws(Violation) -> Int? {
        let index = due
        let ticket = Ticket(offer: offers, slot: slot)
        // Releasing: the frame record written before is seen by whoever takes the ticket. Acquiring: a peer's
        // emptying of the cell is ordered before what we do with that knowledge.
        let old = Ticket(
            rawValue: memory.cell(index).pointee.exchange(ticket.rawValue, ordering: .acquiringAndReleasing)
        )
        var withdrawn: Int? = nil
        let before = Ticket(rawValue: book[index])
        if old.isEmpty {
            if !before.isEmpty { book[memory.depth + before.slot] = 0 }  // it was taken: a lease now
        } else if old == before {
            withdrawn = before.slot
            noLongerOutstanding(before.slot)
        } else {
            throw .foreignTicket(cell: index, found: old.rawValue)
        }
        book[index] = ticket.rawValue
        book[memory.depth + slot] = UInt64(index + 1)
        outstanding.insert(slot)
        outstandingCount += 1
        offers += 1
        due = index + 1 == memory.depth ? 0 : index + 1
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
            book[memory.depth + ticket.slot] = 0
        }
        return nil
    }

    /// WITHDRAW of one slot, wherever it is in the queue; false when it was taken, or was never out. The subscriber passes
    /// over its empty cell as over any other that was withdrawn.
    public mutating func withdraw(_ slot: Int) throws(Violation) -> Bool {
        guard outstanding.contains(slot), book[memory.depth + slot] != 0 else { return false }
        let index = Int(book[memory.depth + slot]) - 1
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
            book[memory.depth + slot] = 0
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
        let ticket = expected(due)
        return !ticket.isEmpty && memory.cell(due).pointee.load(ordering: .relaxed) == ticket.rawValue
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
