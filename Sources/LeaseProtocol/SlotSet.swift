internal import CLinuxMedia

/// A set of slot numbers, a bit each, of fixed size: it never allocates. What it costs goes with the highest slot that
/// was ever in it, not with its capacity: of a pool of up to 64 slots one word.
public struct SlotSet: Sendable {
    /// The most slots a pool may have: 1024, 16 words.
    public static let capacity = Int(FS_MAX_SLOTS)

    /// The slots 0 to 63: all, in most pools. What is done for every frame looks here first, and goes to the others in calls
    /// that most pools never make.
    public private(set) var low: UInt64 = 0
    /// The words in use: all from here on are 0.
    private var used = 0
    /// The slots from 64 on. Indexed by its spans: an index into the array itself would copy all of it.
    private var high = InlineArray<15, UInt64>(repeating: 0)

    /// Makes an empty set.
    public init() {}

    /// Makes the set of all slots from 0 up to, but not including, `count`.
    public init(below count: Int) {
        self.init()
        for slot in 0..<min(max(count, 0), Self.capacity) { insert(slot) }
    }

    /// Makes the set of what words say, a bit for each slot: `low` for the first 64, `more` for those that follow.
    init(low: UInt64, more: UnsafeBufferPointer<UInt64>) {
        self.low = low
        used = 1
        for i in 0..<min(more.count, 15) where more[i] != 0 {
            set(i + 1, more[i])
            used = i + 2
        }
    }

    /// The slots `word * 64` to `word * 64 + 63`, a bit each.
    public subscript(word word: Int) -> UInt64 { word == 0 ? low : high.span[word - 1] }

    private mutating func set(_ word: Int, _ bits: UInt64) {
        if word == 0 {
            low = bits
        } else {
            var words = high.mutableSpan
            words[word - 1] = bits
        }
    }

    /// Whether `slot` is in the set. A number outside the capacity never is.
    public func contains(_ slot: Int) -> Bool {
        guard slot >= 0 && slot < Self.capacity else { return false }
        return self[word: slot >> 6] & (1 << UInt64(slot & 63)) != 0
    }

    /// Adds `slot`; a number outside the capacity is ignored.
    @inline(__always)
    public mutating func insert(_ slot: Int) {
        if slot >= 0 && slot < 64 && used > 0 {
            low |= 1 << UInt64(slot)
        } else {
            insertHigh(slot)
        }
    }

    @inline(never)
    private mutating func insertHigh(_ slot: Int) {
        guard slot >= 0 && slot < Self.capacity else { return }
        let word = slot >> 6
        set(word, self[word: word] | 1 << UInt64(slot & 63))
        used = max(used, word + 1)
    }

    /// Takes `slot` out.
    @inline(__always)
    public mutating func remove(_ slot: Int) {
        if slot >= 0 && slot < 64 {
            low &= ~(1 << UInt64(slot))
        } else {
            removeHigh(slot)
        }
    }

    @inline(never)
    private mutating func removeHigh(_ slot: Int) {
        guard slot >= 0 && slot < Self.capacity else { return }
        set(slot >> 6, self[word: slot >> 6] & ~(1 << UInt64(slot & 63)))
    }

    /// Adds every slot of `other`.
    public mutating func formUnion(_ other: borrowing SlotSet) {
        for i in 0..<other.used { set(i, self[word: i] | other[word: i]) }
        used = max(used, other.used)
    }

    /// Keeps what is in `other` too.
    public mutating func formIntersection(_ other: borrowing SlotSet) {
        for i in 0..<used { set(i, self[word: i] & other[word: i]) }
    }

    /// Takes out every slot of `other`.
    public mutating func subtract(_ other: borrowing SlotSet) {
        for i in 0..<min(used, other.used) { set(i, self[word: i] & ~other[word: i]) }
    }

    /// How many slots are in the set.
    public var count: Int {
        var n = 0
        for i in 0..<used { n += self[word: i].nonzeroBitCount }
        return n
    }

    /// Whether the set is empty.
    public var isEmpty: Bool {
        for i in 0..<used where self[word: i] != 0 { return false }
        return true
    }

    /// The lowest slot in the set.
    public var first: Int? {
        for i in 0..<used where self[word: i] != 0 { return i << 6 + self[word: i].trailingZeroBitCount }
        return nil
    }

    /// Calls `body` with each slot, lowest first.
    public func forEach<E: Error>(_ body: (Int) throws(E) -> Void) throws(E) {
        for i in 0..<used {
            var word = self[word: i]
            while word != 0 {
                try body(i << 6 + word.trailingZeroBitCount)
                word &= word - 1
            }
        }
    }
}
