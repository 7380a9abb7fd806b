/// The subscribers of a table, in the order they joined: a row of plain memory for each. A frame passes along the rows
/// without counting references and without copying a row.
///
/// It is a value: a copy that is changed gets rows of its own.
// @unchecked: the rows and their books are reached through this value alone, and changed only where nobody shares them.
public struct EntryList: RandomAccessCollection, @unchecked Sendable {
    public typealias Entry = LeaseTable.Entry

    /// The memory of the rows. The last reference to it frees their books.
    private final class Memory {
        let rows: UnsafeMutablePointer<Entry>
        let capacity: Int
        /// How many rows there are: the list's count, for the end.
        let count: UnsafeMutablePointer<Int>

        init(capacity: Int) {
            self.capacity = capacity
            rows = .allocate(capacity: capacity)
            count = .allocate(capacity: 1)
            count.initialize(to: 0)
        }

        deinit {
            for i in 0..<count.pointee { rows[i].offers.freeBook() }
            rows.deallocate()
            count.deallocate()
        }
    }

    private var memory = Memory(capacity: 4)
    /// Those of `memory`, which this keeps alive.
    private var rows: UnsafeMutablePointer<Entry>
    public private(set) var count = 0

    init() { rows = memory.rows }

    public var startIndex: Int { 0 }
    public var endIndex: Int { count }

    // Not set to another row from outside: each has a book of its own.
    public internal(set) subscript(index: Int) -> Entry {
        // Addresses: a coroutine that yields a row would copy it, on the heap in builds for debugging.
        unsafeAddress {
            precondition(index >= 0 && index < count, "a table has \(count) subscribers, no number \(index)")
            return UnsafePointer(rows + index)
        }
        unsafeMutableAddress {
            precondition(index >= 0 && index < count, "a table has \(count) subscribers, no number \(index)")
            makeUnique()
            return rows + index
        }
    }

    @inline(__always)
    private mutating func makeUnique() {
        if !isKnownUniquelyReferenced(&memory) { copyRows(capacity: memory.capacity) }
    }

    /// Goes over to rows that have their own books.
    @inline(never)
    private mutating func copyRows(capacity: Int) {
        let made = Memory(capacity: capacity)
        for i in 0..<count { (made.rows + i).initialize(to: rows[i].copied()) }
        made.count.pointee = count
        (memory, rows) = (made, made.rows)
    }

    mutating func append(_ entry: Entry) {
        makeUnique()
        if count == memory.capacity { copyRows(capacity: count * 2) }
        (rows + count).initialize(to: entry)
        setCount(count + 1)
    }

    /// - Returns: what it was; its offers are at their end.
    @discardableResult
    mutating func remove(at index: Int) -> Entry {
        let removed = self[index]
        makeUnique()
        rows[index].offers.freeBook()
        for i in index..<count - 1 { rows[i] = rows[i + 1] }
        setCount(count - 1)
        return removed
    }

    private mutating func setCount(_ new: Int) {
        count = new
        memory.count.pointee = new
    }

    /// Calls `body` with all rows: the way of a frame, where each is looked at.
    /// - Returns: what `body` returns
    @inline(__always)
    mutating func updateRows<R>(_ body: (UnsafeMutableBufferPointer<Entry>) -> R) -> R {
        makeUnique()
        // Invariant: the memory is this value's alone, which nothing else can touch before the body returns.
        return body(UnsafeMutableBufferPointer(start: rows, count: count))
    }

    /// Calls `body` with all rows, to be read.
    @inline(__always)
    func withRows<R>(reading body: (UnsafeBufferPointer<Entry>) -> R) -> R {
        // Invariant: this value keeps the memory, and is not changed before the body returns.
        body(UnsafeBufferPointer(start: rows, count: count))
    }
}
