internal import CLinuxMedia
public import FrameMemory
public import PixelFormats

/// One image of a frame, in place. It can't outlive the frame.
public struct Image: ~Escapable {
    // Not counted: the frame, which it can't outlive, keeps it.
    private let held: Unmanaged<ReceivedGeneration>
    private let slot: Int
    private let stream: Int
    private var part = ImagePart.whole

    @_lifetime(immortal)
    init(received: ReceivedGeneration, slot: Int, stream: Int) {
        held = .passUnretained(received)
        self.slot = slot
        self.stream = stream
    }

    private var received: ReceivedGeneration { held.takeUnretainedValue() }
    private var offer: StreamOffer { received.offer.streams[stream] }

    /// The stream's name.
    public var name: String { offer.stream.name }
    /// Size, format and planes, as the producer said; of a part, those of the part.
    public var layout: ImageLayout { part.layout(of: offer.stream.layout) }
    /// The width in pixels.
    public var width: Int { layout.width }
    /// The height in pixels.
    public var height: Int { layout.height }
    /// How the pixels are stored.
    public var format: PixelFormat { layout.format }

    /// A part of the image, in place: nothing is copied. ``rows(plane:)``, ``plane(_:)``, ``layout`` and what writes pictures show
    /// the part alone, ``bytes`` the whole buffer.
    ///
    ///     let door = try frame["main"].cropped(to: Crop(x: 320, y: 0, width: 640, height: 480))
    /// - Throws: where the rectangle does not lie inside the image, or would cut through pixels that belong together. In a
    ///   YUV420 image, for example, its place and size must be even.
    @_lifetime(copy self)
    public func cropped(to crop: Crop) throws(CropError) -> Image {
        var result = self
        result.part = try part.cropped(to: crop, of: offer.stream.layout)
        return _overrideLifetime(result, copying: self)
    }

    /// The rows of a plane, to be read. None of a compressed image, and of a plane that the image has not.
    @_lifetime(copy self)
    public func rows(plane index: Int = 0) -> PlaneRows {
        let layout = layout
        let (count, rowBytes) = (layout.rows(plane: index) ?? 0, layout.rowBytes(plane: index) ?? 0)
        let stride = layout.planes.indices.contains(index) ? layout.planes[index].stride : 0
        return PlaneRows(span(of: layout, plane: index), count: count, rowBytes: rowBytes, stride: stride)
    }

    /// What kind of memory the pixels are in: the stream's, or ordinary memory where this is a copy (``LagCopies``).
    public var memory: MemoryKind { received.isCopy(slot) ? .memfd : offer.memory }
    /// Whether, and how, readers are kept from writing to it.
    public var writeProtection: WriteProtection {
        received.isCopy(slot) ? received.offer.copyProtection : offer.protection
    }

    /// All bytes of the image's (first) buffer, planes at their offsets; empty where the CPU can't map the memory.
    ///
    /// For a dma-buf the CPU's access is begun at the first touch of the stream (`DMA_BUF_IOCTL_SYNC`) and ended with
    /// the frame.
    public var bytes: RawSpan {
        @_lifetime(copy self)
        get { bytes(buffer: 0) }
    }

    /// All bytes of one of the image's buffers.
    @_lifetime(copy self)
    public func bytes(buffer: Int) -> RawSpan {
        let found = held._withUnsafeGuaranteedRef { $0.readableBytes(slot: slot, stream: stream, buffer: buffer) }
        guard let bytes = found else { return _overrideLifetime(RawSpan(), copying: self) }
        // Invariant: the mapping has the buffer's checked size and lives as long as the generation, which the frame
        // keeps alive.
        return _overrideLifetime(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(bytes)), copying: self)
    }

    /// The bytes of a plane, padding at the ends of rows included; empty for a plane that the image has not.
    @_lifetime(copy self)
    public func plane(_ index: Int) -> RawSpan {
        span(of: layout, plane: index)
    }

    @_lifetime(copy self)
    private func span(of layout: ImageLayout, plane index: Int) -> RawSpan {
        let planes = layout.planes
        guard planes.indices.contains(index) else { return _overrideLifetime(RawSpan(), copying: self) }
        let plane = planes[index]
        let all = bytes(buffer: plane.buffer)
        guard all.byteCount >= plane.offset + plane.size else { return _overrideLifetime(RawSpan(), copying: self) }
        return _overrideLifetime(all.extracting(plane.offset..<plane.offset + plane.size), copying: self)
    }

    /// How many bytes of a plane hold data: less than its size for a compressed image.
    public func bytesUsed(plane index: Int) -> Int {
        let planes = offer.stream.layout.planes
        guard planes.indices.contains(index) else { return 0 }
        let used = received.frames.bytesUsed(slot, stream: offer.index, plane: index, of: planes[index].size)
        guard !part.isWhole else { return used }
        let plane = layout.planes[index]
        return min(max(0, used - (plane.offset - planes[index].offset)), plane.size)
    }

    /// Why the image can't be whole; nil if nothing speaks against it. Of a compressed image the beginning and the end of
    /// its data are looked at, nothing is decoded. What a driver knows of damage is in ``Frame/flags``.
    public var damage: ImageDamage? {
        let layout = layout
        if let shortage { return shortage }
        guard layout.format.isCompressed else { return nil }
        let data = plane(0)
        // Memory that the CPU can't map is judged by its length alone.
        guard data.byteCount > 0 else { return nil }
        return layout.damage(of: data.extracting(first: bytesUsed(plane: 0)))
    }

    /// The first plane that holds less than its rows need: what is behind is of an earlier frame. Nil where there is none.
    package var shortage: ImageDamage? {
        let layout = layout
        for index in layout.planes.indices {
            let (bytes, needed) = (bytesUsed(plane: index), layout.leastBytes(plane: index))
            if bytes < needed { return .short(plane: index, bytes: bytes, needed: needed) }
        }
        return nil
    }

    /// The descriptors of the image's buffers (dma-buf or memfd), for import into a GPU, encoder or display. They are
    /// the library's: duplicate one to keep it. They are the same numbers each time the slot comes round.
    ///
    /// A buffer begins at ``descriptorOffset(buffer:)`` of its descriptor: slots of ordinary memory share one.
    public var descriptors: [Int32] {
        offer.bufferSizes.indices.map { received.buffer(slot: slot, stream: stream, buffer: $0).descriptor }
    }

    /// Where a buffer begins in its descriptor, in bytes: a multiple of the page's size, and 0 for every dma-buf. A plane
    /// begins at this and its layout's offset. 0 beyond the last buffer.
    public func descriptorOffset(buffer: Int = 0) -> Int {
        guard offer.bufferSizes.indices.contains(buffer) else { return 0 }
        return received.buffer(slot: slot, stream: stream, buffer: buffer).offset
    }

    /// One of ``descriptors``, without an array of them; nil beyond the last buffer.
    public func descriptor(buffer: Int) -> Int32? {
        guard offer.bufferSizes.indices.contains(buffer) else { return nil }
        return received.buffer(slot: slot, stream: stream, buffer: buffer).descriptor
    }

    /// Calls `body` with all bytes of the image's first buffer.
    public func withBytes<R, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R { try body(bytes) }
}

extension [UInt8] {
    /// A copy of an image: the rows of all its planes, one plane after the other, without padding. Of a compressed image, its
    /// data. It outlives the frame.
    public init(copying image: borrowing Image) {
        self.init()
        let layout = image.layout
        for index in layout.planes.indices {
            if layout.rows(plane: index) == nil {
                image.plane(index).withUnsafeBytes { append(contentsOf: $0.prefix(image.bytesUsed(plane: index))) }
            } else {
                image.rows(plane: index).append(to: &self)
            }
        }
    }
}
