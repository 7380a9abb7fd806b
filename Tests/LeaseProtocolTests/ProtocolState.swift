import Synchronization

@testable import LeaseProtocol

/// A publisher and its subscribers at one moment, with what the outside knows of them: which reader holds and awaits
/// which frame. The rules are checked against that knowledge after every step.
struct ProtocolState {
    /// What one reader holds and what it must get next.
    struct Reader {
        var takes: LaneTakes
        /// Slots taken and not released.
        var held: [Int] = []
        /// Slots offered and neither taken nor withdrawn, oldest first.
        var queue: [Int] = []
        var lastTaken: UInt64 = 0
        var delivered: UInt64 = 0
        var hasLeft = false
        /// How many frames had been published when it joined; nil before.
        var joined: UInt64? = 0
    }

    var table: LeaseTable
    var readers: [Reader]
    /// The words of each lane.
    var words: [[UInt64]]
    /// The number of the frame in each slot.
    var content: [UInt64]
    var published: UInt64 = 0

    /// What tells this state from others, frame numbers and counters aside: two states with the same key can only
    /// behave alike.
    var key: [UInt8] {
        var key: [UInt8] = [UInt8(truncatingIfNeeded: table.atSource[word: 0])]
        key.append(table.copying.map { UInt8($0.slot + 1) << 4 | UInt8($0.copy) } ?? 0)
        for (i, reader) in readers.enumerated() where reader.joined != nil {
            key.append((table.entries[i].getsCopies ? 1 : 0) | (table.entries[i].awaitsCopy ? 2 : 0))
            let offers = table.entries[i].offers
            let depth = offers.memory.depth
            key.append(reader.held.reduce(0) { $0 | 1 << UInt8($1) })
            key.append(UInt8(truncatingIfNeeded: offers.outstanding[word: 0]))
            key.append(UInt8(truncatingIfNeeded: words[i][1]))
            key.append(UInt8(offers.offers % UInt64(depth)) << 1 | (reader.hasLeft ? 1 : 0))
            key.append(UInt8(min(offers.offers - reader.takes.next, UInt64(depth))))
            for cell in 0..<depth {
                key.append(Self.relative(Ticket(rawValue: words[i][2 + cell]), to: offers.offers))
                key.append(Self.relative(offers.expected(cell), to: offers.offers))
            }
        }
        return key
    }

    private static func relative(_ ticket: Ticket, to offers: UInt64) -> UInt8 {
        ticket.isEmpty ? 0 : UInt8(ticket.slot + 1) << 4 | UInt8(min(offers - ticket.offer, 15))
    }
}

/// One thing that one of the processes does.
enum ProtocolStep: CustomStringConvertible {
    case collect
    case takeFree
    case giveBack(Int)
    case publish(Int)
    case copy
    case take(reader: Int)
    case release(reader: Int, slot: Int)
    case join(reader: Int)
    case leave(reader: Int)

    /// Whether the publisher does it.
    var changesTable: Bool {
        switch self {
        case .take, .release: false
        default: true
        }
    }

    var description: String {
        switch self {
        case .collect: "collect"
        case .takeFree: "take a free slot"
        case .giveBack(let slot): "give slot \(slot) back"
        case .publish(let slot): "publish slot \(slot)"
        case .copy: "make the copy and offer it"
        case .take(let reader): "reader \(reader) takes"
        case .release(let reader, let slot): "reader \(reader) releases \(slot)"
        case .join(let reader): "reader \(reader) joins"
        case .leave(let reader): "reader \(reader) says goodbye"
        }
    }
}

/// A rule that a step broke.
struct BrokenRule: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
