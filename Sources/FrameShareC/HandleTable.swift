internal import FrameShareCHeader
internal import Synchronization

/// What the C side holds of a kind of object: numbers that look like pointers and point nowhere.
///
/// A handle says which cell of the table it means and the cell's generation, so a stale one, one of another kind or any
/// other bits find nothing, and nothing is ever read through it. Cells are used again: once as many handles were out at
/// once as will be, nothing is allocated.
final class HandleTable<Value: ~Copyable & Sendable>: Sendable {
    private struct State: ~Copyable, Sendable {
        var generation: UInt64 = 1
        var value: Value?
    }

    private final class Cell: Sendable {
        let state = Mutex(State(value: nil))
    }

    private struct Cells: Sendable {
        var all: [Cell] = []
        var free: [Int] = []
    }

    // A handle, from its highest bit: kind (8 bits, never 0), generation (36), cell (20).
    private static var cellBits: UInt64 { 20 }
    private static var generationBits: UInt64 { 36 }
    private static var generationMask: UInt64 { 1 << generationBits - 1 }

    private let kind: UInt64
    private let cells = Mutex(Cells())

    /// - Parameter kind: 1 to 255, another for each table
    init(kind: UInt8) { self.kind = UInt64(kind) }

    /// Makes a handle for a value; nil when a million are out.
    func insert(_ value: consuming Value) -> OpaquePointer? {
        fs_c_note_use()
        let place: (index: Int, cell: Cell)? = cells.withLock { cells in
            if let index = cells.free.popLast() { return (index, cells.all[index]) }
            guard cells.all.count < 1 << Self.cellBits else { return nil }
            let cell = Cell()
            cells.all.append(cell)
            return (cells.all.count - 1, cell)
        }
        guard let place else { return nil }
        var value = Optional(value)
        let generation = place.cell.state.withLock { state in
            state.value = value.take()
            return state.generation
        }
        let bits = kind << (Self.cellBits + Self.generationBits) | generation << Self.cellBits | UInt64(place.index)
        return OpaquePointer(bitPattern: UInt(bits))
    }

    /// The cell that a handle means and the generation that it must have.
    private func find(_ handle: OpaquePointer?) -> (index: Int, cell: Cell, generation: UInt64)? {
        let bits = UInt64(UInt(bitPattern: handle))
        guard bits >> (Self.cellBits + Self.generationBits) == kind else { return nil }
        let index = Int(bits & (1 << Self.cellBits - 1))
        let cell = cells.withLock { index < $0.all.count ? $0.all[index] : nil }
        return cell.map { (index, $0, bits >> Self.cellBits & Self.generationMask) }
    }

    /// Takes a handle's value out: the handle is void from now on. Nil where it is so already.
    func remove(_ handle: OpaquePointer?) -> Value? {
        guard let (index, cell, generation) = find(handle) else { return nil }
        let value: Value? = cell.state.withLock { state in
            guard state.generation == generation, let value = state.value.take() else { return nil }
            state.generation = max(1, (state.generation + 1) & Self.generationMask)
            return value
        }
        guard let value else { return nil }
        cells.withLock { $0.free.append(index) }
        return value
    }

    /// Calls `body` with a handle's value, which nobody takes out meanwhile.
    /// - Throws: `invalidHandle`, and what `body` throws
    func with<R>(_ handle: OpaquePointer?, _ body: (inout Value) throws(Failure) -> R) throws(Failure) -> R {
        guard let (_, cell, generation) = find(handle) else { throw .invalidHandle }
        var failure: Failure? = nil
        let result: R? = cell.state.withLock { state in
            guard state.generation == generation, var value = state.value.take() else {
                failure = .invalidHandle
                return nil
            }
            var result: R? = nil
            do throws(Failure) {
                result = try body(&value)
            } catch {
                failure = error
            }
            state.value = consume value
            return result
        }
        guard let result else { throw failure ?? .invalidHandle }
        return result
    }
}

extension HandleTable where Value: AnyObject {
    /// A handle's object, kept alive by the caller's reference when another thread voids the handle.
    func object(_ handle: OpaquePointer?) throws(Failure) -> Value {
        try with(handle) { (object: inout Value) throws(Failure) -> Value in object }
    }
}
