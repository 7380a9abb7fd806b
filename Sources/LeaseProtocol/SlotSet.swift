internal import CLinuxMedia

/// A set of slot numbers, a bit each, of fixed size: it never allocates.
public struct SlotSet: Sendable {
    /// The most slots a pool may have.
    public static let capacity = Int(FS_MAX_SLOTS)
    @usableFromInline static let wordCount = 16

    @usableFromInline var words: InlineArray<16, UInt64>

    /// Makes an empty set.
    @inlinable public init() { words = InlineArray(repeating: 0) }

    /// Makes the set of all slots from 0 up to, but not including, `count`.
    public init(below count: Int) {
        self.init()
        for slot in 0..<min(max(count, 0), Self.capacity) { insert(slot) }
    }

    /// Whether `slot` is in the set. A number outside the capacity never is.
    @inlinable public func contains(_ slot: Int) -> Bool {
        guard slot >= 0 && slot < Self.wordCount * 64 else { return false }
        return words[slot >> 6] & (1 << UInt64(slot & 63)) != 0
    }

    /// Adds `slot`; a number outside the capacity is ignored.
    @inlinable public mutating func insert(_ slot: Int) {
        guard slot >= 0 && slot < Self.wordCount * 64 else { return }
        words[slot >> 6] |= 1 << UInt64(slot & 63)
    }

    /// Takes `slot` out.
    @inlinable public mutating func remove(_ slot: Int) {
        guard slot >= 0 && slot < Self.wordCount * 64 else { return }
        words[slot >> 6] &= ~(1 << UInt64(slot & 63))
    }

    /// Adds every slot of `other`.
    @inlinable public mutating func formUnion(_ other: SlotSet) {
        for i in 0..<Self.wordCount { words[i] |= other.words[i] }
    }

    /// Takes out every slot of `other`.
    @inlinable public mutating func subtract(_ other: SlotSet) {
        for i in 0..<Self.wordCount { words[i] &= ~other.words[i] }
    }

    /// How many slots are in the set.
    @inlinable public var count: Int {
        var n = 0
        for i in 0..<Self.wordCount { n += words[i].nonzeroBitCount }
        return n
    }

    /// Whether the set is empty.
    @inlinable public var isEmpty: Bool {
        var all: UInt64 = 0
        for i in 0..<Self.wordCount { all |= words[i] }
        return all == 0
    }

    /// The lowest slot in the set.
    @inlinable public var first: Int? {
        for i in 0..<Self.wordCount where words[i] != 0 { return i << 6 + words[i].trailingZeroBitCount }
        return nil
    }

    /// Calls `body` with each slot, lowest first.
    @inlinable public func forEach<E: Error>(_ body: (Int) throws(E) -> Void) throws(E) {
        for i in 0..<Self.wordCount {
            var word = words[i]
            while word != 0 {
                try body(i << 6 + word.trailingZeroBitCount)
                word &= word - 1
            }
        }
    }
}
