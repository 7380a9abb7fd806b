internal import CLinuxMedia

/// A set of slot numbers, a bit each, of fixed size: it never allocates. What it costs goes with the highest slot that
/// was ever in it, not with its capacity.
public struct SlotSet: Sendable {
    /// The most slots a pool may have.
    public static let capacity = Int(FS_MAX_SLOTS)
    @usableFromInline static let wordCount = 16

    @usableFromInline var words: InlineArray<16, UInt64>
    /// The words in use: all from here on are 0.
    @usableFromInline var used: Int

    /// Makes an empty set.
    @inlinable public init() {
        words = InlineArray(repeating: 0)
        used = 0
    }

    /// Makes the set of all slots from 0 up to, but not including, `count`.
    public init(below count: Int) {
        self.init()
        for slot in 0..<min(max(count, 0), Self.capacity) { insert(slot) }
    }

    /// The slots `word * 64` to `word * 64 + 63`, a bit each.
    @inlinable public subscript(word word: Int) -> UInt64 { words[word] }

    /// Whether `slot` is in the set. A number outside the capacity never is.
    @inlinable public func contains(_ slot: Int) -> Bool {
        guard slot >= 0 && slot < Self.wordCount * 64 else { return false }
        return words[slot >> 6] & (1 << UInt64(slot & 63)) != 0
    }

    /// Adds `slot`; a number outside the capacity is ignored.
    @inlinable public mutating func insert(_ slot: Int) {
        guard slot >= 0 && slot < Self.wordCount * 64 else { return }
        words[slot >> 6] |= 1 << UInt64(slot & 63)
        used = max(used, slot >> 6 + 1)
    }

    /// Takes `slot` out.
    @inlinable public mutating func remove(_ slot: Int) {
        guard slot >= 0 && slot < Self.wordCount * 64 else { return }
        words[slot >> 6] &= ~(1 << UInt64(slot & 63))
    }

    /// Adds every slot of `other`.
    @inlinable public mutating func formUnion(_ other: borrowing SlotSet) {
        for i in 0..<other.used { words[i] |= other.words[i] }
        used = max(used, other.used)
    }

    /// Keeps what is in `other` too.
    @inlinable public mutating func formIntersection(_ other: borrowing SlotSet) {
        for i in 0..<used { words[i] &= other.words[i] }
    }

    /// Takes out every slot of `other`.
    @inlinable public mutating func subtract(_ other: borrowing SlotSet) {
        for i in 0..<min(used, other.used) { words[i] &= ~other.words[i] }
    }

    /// How many slots are in the set.
    @inlinable public var count: Int {
        var n = 0
        for i in 0..<used { n += words[i].nonzeroBitCount }
        return n
    }

    /// Whether the set is empty.
    @inlinable public var isEmpty: Bool {
        for i in 0..<used where words[i] != 0 { return false }
        return true
    }

    /// The lowest slot in the set.
    @inlinable public var first: Int? {
        for i in 0..<used where words[i] != 0 { return i << 6 + words[i].trailingZeroBitCount }
        return nil
    }

    /// Calls `body` with each slot, lowest first.
    @inlinable public func forEach<E: Error>(_ body: (Int) throws(E) -> Void) throws(E) {
        for i in 0..<used {
            var word = words[i]
            while word != 0 {
                try body(i << 6 + word.trailingZeroBitCount)
                word &= word - 1
            }
        }
    }
}
