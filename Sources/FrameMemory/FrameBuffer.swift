internal import CLinuxMedia
internal import Glibc
internal import SystemPackage

/// Image bytes of one slot: a descriptor of their own, or a part of one that has the buffers of many slots. The descriptor is
/// closed with its last buffer; mappings keep themselves.
public final class FrameBuffer: Sendable {
    /// In bytes.
    public let size: Int
    /// Where it begins in its descriptor, in bytes: a multiple of the page's size.
    public let offset: Int
    /// The mapping through which this process may write; nil for a buffer that only others write.
    public let writableMapping: Mapping?
    /// What it lies in: the same object for all buffers of one descriptor.
    package let memory: BufferMemory

    public var kind: MemoryKind { memory.kind }
    /// Whether a process that is given the descriptor can write through it.
    public var writeProtection: WriteProtection { memory.writeProtection }
    /// The descriptor's number; it stays valid as long as this object. The buffer begins at ``offset``.
    public var descriptor: Int32 { memory.descriptor }

    /// A part of a memory.
    /// - Throws: `badSize`, `tooSmall` where the memory ends before it, `badOffset` where it can't be mapped alone.
    package init(in memory: BufferMemory, offset: Int, size: Int) throws(MemoryError) {
        guard size > 0 else { throw .badSize(size) }
        guard offset >= 0, offset % MemoryPage.size == 0 else { throw .badOffset(offset) }
        let (end, overflow) = offset.addingReportingOverflow(size)
        guard !overflow, end <= memory.size else {
            throw .tooSmall(found: memory.size, needed: overflow ? .max : end)
        }
        (self.memory, self.offset, self.size) = (memory, offset, size)
        if let whole = memory.mapping, whole.access == .readWrite {
            writableMapping = Mapping(part: whole, offset: offset, size: size)
        } else {
            writableMapping = nil
        }
    }

    /// Adopts a descriptor that someone else made: a driver's export, or what a peer sent. Its kind and size are
    /// verified first.
    /// - Parameters:
    ///   - writeProtection: what its maker says; it counts only if the kernel says so too
    ///   - writable: map it for writing too, which takes a descriptor that allows it
    ///   - reserving: take the memory that a memfd of one's own has not taken yet (`fallocate(2)`), which `verify` asks for.
    ///     Never for what a peer sent: it would be taken at this process's expense
    /// - Throws: what ``verify(descriptor:kind:size:)`` throws, `outOfMemory`, or the mapping's error.
    public init(
        adopting descriptor: consuming OwnedDescriptor,
        kind: MemoryKind,
        size: Int,
        writeProtection: WriteProtection,
        writable: Bool = false,
        reserving: Bool = false
    ) throws(MemoryError) {
        if reserving { try Self.reserve(descriptor.number, kind: kind, size: size) }
        memory = try BufferMemory(
            adopting: descriptor,
            kind: kind,
            size: size,
            writeProtection: writeProtection,
            mapped: writable ? .readWrite : nil
        )
        (offset, self.size, writableMapping) = (0, size, memory.mapping)
    }

    /// Leaves alone what is no memfd of that size: verifying it says so.
    private static func reserve(_ number: Int32, kind: MemoryKind, size: Int) throws(MemoryError) {
        guard !kind.isDMABuf, fs_get_seals(number) >= 0, size > 0 else { return }
        var status = stat()
        guard fstat(number, &status) == 0, Int(status.st_size) >= size else { return }
        // All of it, since that is what is verified: what has blocks elsewhere would pass for whole.
        let whole = Int(status.st_size)
        guard Int(status.st_blocks).multipliedReportingOverflow(by: 512).partialValue < whole else { return }
        try Memfd.reserve(number, size: whole)
    }

    /// For the allocator: a buffer that has its memory for itself.
    convenience init(
        owning descriptor: consuming OwnedDescriptor,
        kind: MemoryKind,
        size: Int,
        writeProtection: WriteProtection,
        writableMapping: Mapping?
    ) {
        self.init(
            wholeOf: BufferMemory(
                owning: descriptor,
                kind: kind,
                size: size,
                writeProtection: writeProtection,
                mapping: writableMapping
            )
        )
    }

    private init(wholeOf memory: BufferMemory) {
        self.memory = memory
        (offset, size, writableMapping) = (0, memory.size, memory.mapping)
    }

    /// Maps the buffer into this process. For writing, what is mapped already is returned.
    ///
    /// A mapping costs page faults when it is first touched (``Mapping/prefault()``), so keep it, and map once.
    public func map(_ access: Mapping.Access) throws(MemoryError) -> Mapping {
        if access == .readWrite, let writableMapping { return writableMapping }
        if access == .read, let whole = memory.mapping, whole.access == .read {
            return Mapping(part: whole, offset: offset, size: size)
        }
        return try Mapping(descriptor: descriptor, size: size, access: access, offset: offset)
    }

    /// Announces that the CPU will touch the bytes (`DMA_BUF_IOCTL_SYNC`, Documentation/driver-api/dma-buf.rst).
    /// Nothing happens for a memfd.
    public func beginCPUAccess(_ access: CPUAccess) throws(MemoryError) { try sync(end: false, access) }

    /// Says that the CPU has done; with the same access as it began.
    public func endCPUAccess(_ access: CPUAccess) throws(MemoryError) { try sync(end: true, access) }

    private func sync(end: Bool, _ access: CPUAccess) throws(MemoryError) {
        guard kind.isDMABuf else { return }
        let result = fs_dma_buf_sync(descriptor, end ? 1 : 0, access.reads ? 1 : 0, access.writes ? 1 : 0)
        guard result == 0 else { throw .call("DMA_BUF_IOCTL_SYNC", Errno(rawValue: -result)) }
    }

    /// Checks that a descriptor is what its sender says, and that nobody can make a mapping of `size` bytes fault: a
    /// memfd must have ordinary pages, be sealed against shrinking, large enough, and have all its memory; a dma-buf,
    /// whose size never changes, must be one and large enough.
    ///
    /// A hole in a memfd would be filled with zeroed memory, at its reader's expense, when it is read: its maker has to
    /// reserve it (fallocate(2)). A seal against writing keeps it from making holes later.
    /// - Throws: `notMemfd`, `hugeTLB`, `notSealed`, `notDMABuf`, `tooSmall`, `sparse`, `badSize`.
    public static func verify(descriptor: Int32, kind: MemoryKind, size: Int) throws(MemoryError) {
        _ = try verified(descriptor: descriptor, kind: kind, size: size)
    }

    /// Returns a memfd's seals, 0 for a dma-buf.
    static func verified(descriptor: Int32, kind: MemoryKind, size: Int) throws(MemoryError) -> Int32 {
        guard size > 0 else { throw .badSize(size) }
        if kind.isDMABuf {
            guard fs_file_system_magic(descriptor) == FS_DMA_BUF_MAGIC else { throw .notDMABuf }
            // A dma-buf tells its size by seeking to its end.
            let end = lseek(descriptor, 0, Int32(SEEK_END))
            guard end >= 0 else { throw .call("lseek", Errno(rawValue: errno)) }
            guard Int(end) >= size else { throw .tooSmall(found: Int(end), needed: size) }
            return 0
        }
        let seals = fs_get_seals(descriptor)
        guard seals >= 0 else { throw .notMemfd }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .call("fstat", Errno(rawValue: errno)) }
        // What has blocks of the page's size has no huge pages; a tmpfs may say larger ones, too.
        guard Int(status.st_blksize) <= MemoryPage.size || fs_file_system_magic(descriptor) != FS_HUGETLBFS_MAGIC else {
            throw .hugeTLB
        }
        guard seals & FS_SEAL_SHRINK != 0 else { throw .notSealed(found: seals) }
        guard Int(status.st_size) >= size else { throw .tooSmall(found: Int(status.st_size), needed: size) }
        // Blocks of 512 bytes, whatever the file system says (stat(2)); pages that are swapped out are counted, too.
        let (present, overflow) = Int(status.st_blocks).multipliedReportingOverflow(by: 512)
        // Of the whole file: blocks beside the part that is used would hide its holes.
        guard overflow || present >= Int(status.st_size) else {
            throw .sparse(found: present, needed: Int(status.st_size))
        }
        return seals
    }
}
