/// What stands in a cell of a lane: which offer it was, and which slot it offers. 0 is the empty cell.
public struct Ticket: Equatable, Sendable {
    /// The word in the cell: offer number in the upper 48 bits, slot + 1 in the lower 16.
    public let rawValue: UInt64

    /// The empty cell.
    public static let empty = Ticket(rawValue: 0)

    /// Reads a cell's word as it is; the word may be a peer's claim.
    @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The ticket of offer number `offer` for `slot`.
    @inlinable public init(offer: UInt64, slot: Int) {
        rawValue = offer &<< 16 | UInt64(truncatingIfNeeded: slot &+ 1) & 0xffff
    }

    /// Whether the cell is empty.
    @inlinable public var isEmpty: Bool { rawValue == 0 }

    /// The offer's number, from 0, modulo 2^48: at 1000 frames a second it comes round after 8900 years.
    @inlinable public var offer: UInt64 { rawValue >> 16 }

    /// The slot, or -1 in a malformed ticket.
    @inlinable public var slot: Int { Int(rawValue & 0xffff) &- 1 }
}
