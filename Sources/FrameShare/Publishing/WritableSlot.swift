package import FrameMemory
public import PixelFormats
internal import Synchronization

/// A slot that the source may fill and then publish. Unpublished at its end, it goes back to the pool.
public struct WritableSlot: ~Copyable, Sendable {
    private let core: PublisherCore
    /// The slot's number in the pool.
    public let slot: Int
    private let memory: Generation.Memory
    /// Whether the slot goes back at the end. An atomic lives in memory, never in registers: only for such values does the
    /// compiler see that an image borrowed from a `let slot` is gone when the slot is published.
    private let isArmed = Atomic(true)

    init(core: PublisherCore, _ taken: PublisherCore.TakenSlot) {
        self.core = core
        slot = taken.slot
        memory = taken.memory
    }

    var generation: UInt32 { memory.number }
    private var pool: FramePool { memory.pool }

    deinit { if isArmed.load(ordering: .relaxed) { core.giveBack(slot: slot, generation: generation) } }

    func disarm() { isArmed.store(false, ordering: .relaxed) }

    /// The room for its metadata: this slot's alone while it is the source's.
    var metadataRoom: UnsafeMutableRawBufferPointer { memory.frames.metadata(slot) }

    /// The streams of the frame, in the channel's order.
    public var streams: [Stream] { pool.streams }

    /// The buffers of the stream at a place, for who writes through pointers; none beyond the last. Begin and end the CPU's
    /// access to them.
    package func buffers(ofStream index: Int) -> [FrameBuffer] {
        pool.streams.indices.contains(index) ? pool.slots[slot][index] : []
    }

    /// The image of a stream, to be written. Traps for a name that the channel does not have: see ``image(at:)``.
    public subscript(stream: String) -> WritableImage {
        @_lifetime(borrow self)
        get {
            guard let index = pool.streams.firstIndex(where: { $0.name == stream }) else {
                preconditionFailure("the channel '\(core.channel)' has no stream '\(stream)'")
            }
            return WritableImage(buffers: pool.slots[slot][index], layout: pool.streams[index].layout)
        }
    }

    /// The image of the stream at a place in the channel's order; nil beyond the last.
    @_lifetime(borrow self)
    public func image(at index: Int) -> WritableImage? {
        guard pool.streams.indices.contains(index) else { return nil }
        return WritableImage(buffers: pool.slots[slot][index], layout: pool.streams[index].layout)
    }
}

/// An image of a writable slot; it can't outlive the slot.
public struct WritableImage: ~Escapable {
    private let buffers: [FrameBuffer]
    /// Size, format and planes.
    public let layout: ImageLayout

    @_lifetime(immortal)
    init(buffers: [FrameBuffer], layout: ImageLayout) {
        self.buffers = buffers
        self.layout = layout
    }

    /// The image's bytes, planes at their offsets, to be written. For an image with its planes in several buffers,
    /// `buffer` says which. The CPU's caches are synchronised around the call where the memory needs it.
    /// - Throws: what `body` throws. Nothing is called, and nil returned, where the CPU can't map the buffer.
    @discardableResult
    public func withMutableBytes<R, E: Error>(
        buffer: Int = 0,
        _ body: (inout MutableRawSpan) throws(E) -> R
    ) throws(E) -> R? {
        guard buffers.indices.contains(buffer), let mapping = buffers[buffer].writableMapping else { return nil }
        try? buffers[buffer].beginCPUAccess(.write)
        defer { try? buffers[buffer].endCPUAccess(.write) }
        // Invariant: the mapping is as large as the buffer and lives as long as it does; the slot is the source's.
        var span = MutableRawSpan(_unsafeStart: mapping.baseAddress, byteCount: buffers[buffer].size)
        return try body(&span)
    }

    /// As ``withMutableBytes(buffer:_:)``, for code that needs a pointer. It must not be kept.
    @discardableResult
    public func withUnsafeMutableBytes<R, E: Error>(
        buffer: Int = 0,
        _ body: (UnsafeMutableRawBufferPointer) throws(E) -> R
    ) throws(E) -> R? {
        guard buffers.indices.contains(buffer), let mapping = buffers[buffer].writableMapping else { return nil }
        try? buffers[buffer].beginCPUAccess(.write)
        defer { try? buffers[buffer].endCPUAccess(.write) }
        return try body(UnsafeMutableRawBufferPointer(start: mapping.baseAddress, count: buffers[buffer].size))
    }
}
