internal import CLinuxMedia
internal import Glibc
internal import SystemPackage

/// One descriptor with image bytes behind it. Closed with its last reference; mappings keep themselves.
public final class FrameBuffer: Sendable {
    public let kind: MemoryKind
    /// In bytes.
    public let size: Int
    /// Whether a process that is given the descriptor can write through it.
    public let writeProtection: WriteProtection
    /// The mapping through which this process may write; nil for a buffer that only others write.
    public let writableMapping: Mapping?
    private let owned: OwnedDescriptor

    /// The descriptor's number; it stays valid as long as this object.
    public var descriptor: Int32 { owned.number }

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
        let seals = try Self.verified(descriptor: descriptor.number, kind: kind, size: size)
        writableMapping = writable ? try Mapping(descriptor: descriptor.number, size: size, access: .readWrite) : nil
        self.kind = kind
        self.size = size
        let holds = Self.confirms(writeProtection, descriptor: descriptor.number, kind: kind, seals: seals)
        self.writeProtection = holds ? writeProtection : .none
        owned = descriptor
    }

    /// Leaves alone what is no memfd of that size: verifying it says so.
    private static func reserve(_ number: Int32, kind: MemoryKind, size: Int) throws(MemoryError) {
        guard !kind.isDMABuf, fs_get_seals(number) >= 0, size > 0 else { return }
        var status = stat()
        guard fstat(number, &status) == 0, Int(status.st_size) >= size else { return }
        guard Int(status.st_blocks).multipliedReportingOverflow(by: 512).partialValue < size else { return }
        try Memfd.reserve(number, size: size)
    }

    private static func confirms(
        _ protection: WriteProtection,
        descriptor: Int32,
        kind: MemoryKind,
        seals: Int32
    ) -> Bool {
        switch protection {
        case .sealed: return !kind.isDMABuf && seals & (FS_SEAL_FUTURE_WRITE | FS_SEAL_WRITE) != 0
        case .readOnlyExport:
            // A dma-buf that was exported read-only can't be opened anew for writing either; any other file can.
            let flags = fcntl(descriptor, F_GETFL)
            return kind.isDMABuf && flags >= 0 && flags & O_ACCMODE == O_RDONLY
        case .none: return true
        }
    }

    /// For the allocator, which has made and verified all of it.
    init(
        owning descriptor: consuming OwnedDescriptor,
        kind: MemoryKind,
        size: Int,
        writeProtection: WriteProtection,
        writableMapping: Mapping?
    ) {
        owned = descriptor
        self.kind = kind
        self.size = size
        self.writeProtection = writeProtection
        self.writableMapping = writableMapping
    }

    /// Maps the buffer into this process. For writing, what is mapped already is returned.
    ///
    /// A mapping costs page faults when it is first touched (``Mapping/prefault()``), so keep it, and map once.
    public func map(_ access: Mapping.Access) throws(MemoryError) -> Mapping {
        if access == .readWrite, let writableMapping { return writableMapping }
        return try Mapping(descriptor: descriptor, size: size, access: access)
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
        guard Int(status.st_blksize) <= Self.pageSize || fs_file_system_magic(descriptor) != FS_HUGETLBFS_MAGIC else {
            throw .hugeTLB
        }
        guard seals & FS_SEAL_SHRINK != 0 else { throw .notSealed(found: seals) }
        guard Int(status.st_size) >= size else { throw .tooSmall(found: Int(status.st_size), needed: size) }
        // Blocks of 512 bytes, whatever the file system says (stat(2)); pages that are swapped out are counted, too.
        let (present, overflow) = Int(status.st_blocks).multipliedReportingOverflow(by: 512)
        guard overflow || present >= size else { throw .sparse(found: present, needed: size) }
        return seals
    }

    private static let pageSize = Int(getpagesize())
}
