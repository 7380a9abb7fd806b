internal import CLinuxMedia

/// The subscribers of a table, in the order they joined: a row for each, side by side in memory that begins at a cache line.
/// A frame passes along the rows without counting references and without copying one.
///
/// A copy of the list has the same rows: its table is one thing, whoever passes it on. ``copied()`` makes another.
// @unchecked: the rows are changed by the table's one holder, who serialises that.
public struct EntryList: RandomAccessCollection, @unchecked Sendable {
    public typealias Entry = LeaseTable.Entry

    /// Where the rows are.
    struct Block {
        var rows: UnsafeMutablePointer<Entry>
        var count = 0
        var capacity: Int

        init(capacity: Int) {
            self.capacity = capacity
            rows = Self.allocate(capacity)
        }

        private static func allocate(_ capacity: Int) -> UnsafeMutablePointer<Entry> {
            UnsafeMutableRawPointer
                .allocate(byteCount: capacity * MemoryLayout<Entry>.stride, alignment: Int(FS_CACHE_LINE))
                .bindMemory(to: Entry.self, capacity: capacity)
        }

        mutating func grow() {
            let larger = Self.allocate(capacity * 2)
            larger.moveInitialize(from: rows, count: count)
            UnsafeMutableRawPointer(rows).deallocate()
            rows = larger
            capacity *= 2
        }
    }

    /// Keeps the block. The last reference to it frees the rows and their books.
    private final class Owner {
        let block: UnsafeMutablePointer<Block>

        init() {
            block = .allocate(capacity: 1)
            block.initialize(to: Block(capacity: 4))
        }

        deinit {
            for i in 0..<block.pointee.count { block.pointee.rows[i].offers.freeBook() }
            UnsafeMutableRawPointer(block.pointee.rows).deallocate()
            block.deallocate()
        }
    }

    private let owner = Owner()
    /// That of `owner`, which this keeps alive.
    let block: UnsafeMutablePointer<Block>

    init() { block = owner.block }

    public var count: Int { block.pointee.count }
    public var startIndex: Int { 0 }
    public var endIndex: Int { count }

    // Not set to another row from outside: each has a book of its own.
    public internal(set) subscript(index: Int) -> Entry {
        // Addresses: a coroutine that yields a row would copy it, on the heap in builds for debugging.
        unsafeAddress {
            precondition(index >= 0 && index < count, "a table has \(count) subscribers, no number \(index)")
            return UnsafePointer(block.pointee.rows + index)
        }
        nonmutating unsafeMutableAddress {
            precondition(index >= 0 && index < count, "a table has \(count) subscribers, no number \(index)")
            return block.pointee.rows + index
        }
    }

    /// The same with rows and books of its own.
    func copied() -> EntryList {
        let made = EntryList()
        for i in 0..<count { made.append(self[i].copied()) }
        return made
    }

    func append(_ entry: Entry) {
        if block.pointee.count == block.pointee.capacity { block.pointee.grow() }
        (block.pointee.rows + block.pointee.count).initialize(to: entry)
        block.pointee.count += 1
    }

    /// - Returns: what it was; its offers are at their end.
    @discardableResult
    func remove(at index: Int) -> Entry {
        let removed = self[index]
        removed.offers.freeBook()
        for i in index..<count - 1 { block.pointee.rows[i] = block.pointee.rows[i + 1] }
        block.pointee.count -= 1
        return removed
    }

    /// All rows: the way of a frame, where each is looked at. This value keeps them.
    @inline(__always)
    var rows: UnsafeMutableBufferPointer<Entry> {
        UnsafeMutableBufferPointer(start: block.pointee.rows, count: block.pointee.count)
    }
}
