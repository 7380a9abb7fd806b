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
            guard let index = memory.streamIndex(stream) else {
                preconditionFailure("the channel '\(core.channel)' has no stream '\(stream)'")
            }
            return WritableImage(memory: memory, slot: slot, stream: index)
        }
    }

    /// The image of the stream at a place in the channel's order; nil beyond the last.
    @_lifetime(borrow self)
    public func image(at index: Int) -> WritableImage? {
        guard pool.streams.indices.contains(index) else { return nil }
        return WritableImage(memory: memory, slot: slot, stream: index)
    }
}

/// An image of a writable slot; it can't outlive the slot.
public struct WritableImage: ~Escapable {
    // Not counted: the slot, which it can't outlive, keeps the memory.
    let held: Unmanaged<Generation.Memory>
    private let slot: Int
    private let stream: Int
    private var part = ImagePart.whole

    @_lifetime(immortal)
    init(memory: Generation.Memory, slot: Int, stream: Int) {
        held = .passUnretained(memory)
        self.slot = slot
        self.stream = stream
    }

    /// Size, format and planes; of a part, those of the part.
    public var layout: ImageLayout { part.layout(of: memory.pool.streams[stream].layout) }
    private var memory: Generation.Memory { held.takeUnretainedValue() }

    /// A part of the image, in place. ``withMutableRows(plane:_:)`` and ``layout`` show the part alone, ``withMutableBytes(buffer:_:)``
    /// the whole buffer.
    /// - Throws: where the rectangle does not lie inside the image, or would cut through pixels that belong together. In a
    ///   YUV420 image, for example, its place and size must be even.
    @_lifetime(copy self)
    public func cropped(to crop: Crop) throws(CropError) -> WritableImage {
        var result = self
        result.part = try part.cropped(to: crop, of: memory.pool.streams[stream].layout)
        return _overrideLifetime(result, copying: self)
    }

    /// The image's bytes, planes at their offsets, to be written. For an image with its planes in several buffers,
    /// `buffer` says which. The CPU's caches are synchronised around the call where the memory needs it.
    /// - Throws: what `body` throws. Nothing is called, and nil returned, where the CPU can't map the buffer.
    @discardableResult
    @inlinable
    public func withMutableBytes<R, E: Error>(
        buffer: Int = 0,
        _ body: (inout MutableRawSpan) throws(E) -> R
    ) throws(E) -> R? {
        guard let bytes = beginWriting(buffer) else { return nil }
        defer { endWriting(buffer) }
        // Invariant: the pool keeps the mapping, which is as large as the buffer; the slot is the source's.
        var span = MutableRawSpan(_unsafeBytes: bytes)
        return try body(&span)
    }

    /// As ``withMutableBytes(buffer:_:)``, for code that needs a pointer. It must not be kept.
    @discardableResult
    @inlinable
    public func withUnsafeMutableBytes<R, E: Error>(
        buffer: Int = 0,
        _ body: (UnsafeMutableRawBufferPointer) throws(E) -> R
    ) throws(E) -> R? {
        guard let bytes = beginWriting(buffer) else { return nil }
        defer { endWriting(buffer) }
        return try body(bytes)
    }

    /// Where a buffer's bytes are, once the CPU's access to them has begun; nil where it can't map them.
    @usableFromInline
    @section("frameshare_way")
    func beginWriting(_ buffer: Int) -> UnsafeMutableRawBufferPointer? {
        held._withUnsafeGuaranteedRef { $0.beginWriting(slot, stream: stream, buffer: buffer) }
    }

    @usableFromInline
    @section("frameshare_way")
    func endWriting(_ buffer: Int) {
        held._withUnsafeGuaranteedRef { $0.endWriting(slot, stream: stream, buffer: buffer) }
    }

    /// The width in pixels.
    public var width: Int { layout.width }
    /// The height in pixels.
    public var height: Int { layout.height }
    /// How the pixels are stored.
    public var format: PixelFormat { layout.format }

    /// Calls `body` with the rows of a plane, to be written. The CPU's caches are synchronised around the call where the memory
    /// needs it.
    ///
    ///     slot["main"].withMutableRows { rows in
    ///         for y in rows.indices {
    ///             var row = rows[y]
    ///             for x in row.indices { row[x] = 128 }
    ///         }
    ///     }
    /// - Throws: what `body` throws. Nothing is called, and nil returned, where the CPU can't map the buffer, and for a plane
    ///   that has no rows: of a compressed image, or one that the image has not.
    @discardableResult
    public func withMutableRows<R, E: Error>(
        plane index: Int = 0,
        _ body: (inout MutablePlaneRows) throws(E) -> R
    ) throws(E) -> R? {
        let layout = layout
        guard layout.planes.indices.contains(index), let count = layout.rows(plane: index),
            let rowBytes = layout.rowBytes(plane: index)
        else { return nil }
        let plane = layout.planes[index]
        return try withUnsafeMutableBytes(buffer: plane.buffer) { (bytes) throws(E) in
            // The pool has checked that the plane lies in its buffer.
            let part = UnsafeMutableRawBufferPointer(rebasing: bytes[plane.offset..<plane.offset + plane.size])
            var rows = MutablePlaneRows(part, count: count, rowBytes: rowBytes, stride: plane.stride)
            return try body(&rows)
        }
    }
}
