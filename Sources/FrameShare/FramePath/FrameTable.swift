internal import CLinuxMedia
internal import FrameMemory

/// The frame table of one generation: a record per slot with its numbers, timestamps and metadata.
///
/// Written by the publisher alone. A record is rewritten only while no one holds or is offered its slot, so readers
/// need no retry loop; the ticket's exchange orders the writing before the reading.
// @unchecked: `records` points into `memory`, which is kept beside it.
struct FrameTable: @unchecked Sendable {
    static let recordSize = MemoryLayout<fs_frame_record>.size
    static let maximumMetadataCapacity = 16 << 20
    /// A newer publisher's header and record may be longer than this program's, up to this size each.
    static let maximumPartSize = 4096
    static let maximumRecordStride = maximumPartSize + maximumMetadataCapacity
    static let headerSize = MemoryLayout<fs_frame_table>.size

    let memory: SharedMemory
    private let records: UnsafeMutableRawPointer
    let slots: Int
    let recordStride: Int
    /// Where a slot's metadata begins, from its record.
    private let metadataOffset: Int
    let metadataCapacity: Int

    static func recordStride(metadataCapacity: Int) -> Int {
        let line = Int(FS_CACHE_LINE)
        return (recordSize + metadataCapacity + line - 1) / line * line
    }
    static func size(headerSize: Int = headerSize, slots: Int, recordStride: Int) -> Int {
        headerSize + slots * recordStride
    }

    init(creating name: String, generation: UInt32, slots: Int, metadataCapacity: Int) throws(MemoryError) {
        self.slots = slots
        self.metadataCapacity = metadataCapacity
        metadataOffset = Self.recordSize
        recordStride = Self.recordStride(metadataCapacity: metadataCapacity)
        memory = try SharedMemory(
            creating: "frameshare:\(name):frames",
            size: Self.size(slots: slots, recordStride: recordStride),
            readersMayWrite: false
        )
        let base = memory.mapping.baseAddress
        records = base + Self.headerSize
        base.storeBytes(
            of: fs_frame_table(
                header: fs_page_header(),
                generation: generation,
                slots: UInt32(slots),
                record_stride: UInt32(recordStride),
                metadata_capacity: UInt32(metadataCapacity),
                reserved: (0, 0, 0, 0, 0)
            ),
            as: fs_frame_table.self
        )
        PageHeader.frameTable.write(to: base)
    }

    /// Maps the table that a publisher sent, for reading. The offer's sizes were checked as it was read.
    init(adopting descriptor: consuming OwnedDescriptor, offer: GenerationOffer) throws(ChannelError) {
        slots = offer.slots
        recordStride = offer.recordStride
        metadataCapacity = offer.metadataCapacity
        metadataOffset = offer.recordSize
        memory = try PageHeader.adopt(
            descriptor,
            size: Self.size(
                headerSize: offer.tableHeaderSize,
                slots: offer.slots,
                recordStride: offer.recordStride
            )
        )
        records = memory.mapping.baseAddress + offer.tableHeaderSize
        try PageHeader.frameTable.check(memory.mapping.baseAddress)
    }

    /// The record of a slot. Invariant: `slot` is below `slots`, and the memory's size was checked against them.
    func record(_ slot: Int) -> UnsafeMutablePointer<fs_frame_record> {
        (records + slot &* recordStride)
            .assumingMemoryBound(to: fs_frame_record.self)
    }

    /// The records without what keeps them: for whoever holds the table beside.
    var rows: Rows { Rows(base: records, stride: recordStride) }

    // @unchecked: a place and a distance; whoever has it keeps the table.
    struct Rows: @unchecked Sendable {
        fileprivate let base: UnsafeMutableRawPointer
        fileprivate let stride: Int

        /// As ``FrameTable/record(_:)``.
        func record(_ slot: Int) -> UnsafeMutablePointer<fs_frame_record> {
            (base + slot &* stride).assumingMemoryBound(to: fs_frame_record.self)
        }
    }

    /// The room for a slot's metadata.
    func metadata(_ slot: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(
            start: UnsafeMutableRawPointer(record(slot)) + metadataOffset,
            count: metadataCapacity
        )
    }

    /// A slot's metadata: as much of its room as the publisher claims to have written, and never more than there is.
    func writtenMetadata(_ slot: Int) -> UnsafeRawBufferPointer {
        let room = metadata(slot)
        let size = min(Int(record(slot).pointee.metadata_size), room.count)
        return UnsafeRawBufferPointer(rebasing: room.prefix(size))
    }

    /// Copies a frame's record and metadata to another slot's.
    func copy(_ slot: Int, to copy: Int) {
        let from = record(slot)
        // Both rooms are of `recordStride` bytes; the size was written by this process.
        let count = Self.recordSize + min(Int(from.pointee.metadata_size), metadataCapacity)
        UnsafeMutableRawPointer(record(copy)).copyMemory(from: from, byteCount: count)
    }

    /// How many bytes of a plane hold data, of the `size` that it has.
    func bytesUsed(_ slot: Int, stream: Int, plane: Int, of size: Int) -> Int {
        let record = record(slot)
        guard record.pointee.bytes_used_valid != 0 else { return size }
        let used = (UnsafeRawPointer(record) + Self.bytesUsedOffset)
            .load(fromByteOffset: 4 * (stream * Int(FS_MAX_PLANES) + plane), as: UInt32.self)
        switch used {
        case 0: return size
        case .max: return 0
        default: return min(Int(used), size)
        }
    }

    /// Where the bytes used of a plane stand in a record.
    static let bytesUsedOffset = MemoryLayout<fs_frame_record>.offset(of: \.bytes_used) ?? 64
}
