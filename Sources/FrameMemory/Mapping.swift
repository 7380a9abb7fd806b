internal import CLinuxMedia
internal import Glibc
internal import SystemPackage

/// A shared mapping of a descriptor into this process, or a part of one; unmapped with the last reference to it or its parts.
// @unchecked: an address and a size that never change. What is behind it is shared memory, whose users order their
// accesses themselves (tickets for frames, atomics for control words).
public final class Mapping: @unchecked Sendable {
    /// What the CPU may do.
    public enum Access: Sendable, Hashable {
        case read
        case readWrite
    }

    public let access: Access
    /// Valid as long as this object: keep that while the address is in use (``withBytes(_:)`` does).
    public let baseAddress: UnsafeMutableRawPointer
    /// In bytes, as asked for.
    public let size: Int
    /// What this is a part of, and is unmapped with; nil: it is unmapped by itself.
    private let whole: Mapping?

    /// Maps `size` bytes of a descriptor, from its start or from `offset` on (`mmap(2)`, `MAP_SHARED`).
    public init(descriptor: Int32, size: Int, access: Access, offset: Int = 0) throws(MemoryError) {
        guard size > 0 else { throw .badSize(size) }
        let protection = access == .read ? PROT_READ : PROT_READ | PROT_WRITE
        guard let address = mmap(nil, size, protection, MAP_SHARED, descriptor, offset), address != MAP_FAILED else {
            throw .call("mmap", Errno(rawValue: errno))
        }
        baseAddress = address
        self.size = size
        self.access = access
        whole = nil
    }

    /// A part of a mapping, which keeps that.
    ///
    /// Invariant: the part lies in the whole. Its maker has checked both.
    init(part whole: Mapping, offset: Int, size: Int) {
        precondition(offset >= 0 && size > 0 && offset <= whole.size && size <= whole.size - offset)
        baseAddress = whole.baseAddress + offset
        (self.size, access, self.whole) = (size, whole.access, whole)
    }

    deinit { if whole == nil { munmap(baseAddress, size) } }

    /// Runs `body` with the mapped bytes, which are valid in it alone.
    public func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // Else the mapping could go with its last mention, before the bytes are read.
        defer { withExtendedLifetime(self) {} }
        return try body(bytes)
    }

    /// The mapped bytes, valid as long as this object: keep that while they are in use.
    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: baseAddress, count: size) }

    /// Asks for huge pages, which only memory that is not there yet can get. Where they are not allowed nothing
    /// happens.
    func adviseHugePages() { _ = fs_advise(baseAddress, size, FS_MADV_HUGEPAGE) }

    /// Makes what pages it can present, and says whether that was all of them (`MADV_POPULATE_*`, Linux 5.14).
    @discardableResult
    func populate() -> Bool {
        fs_advise(baseAddress, size, access == .read ? FS_MADV_POPULATE_READ : FS_MADV_POPULATE_WRITE) == 0
    }

    /// Makes all pages present now, so that the first frame pays nothing. The bytes stay as they are, also when others
    /// write them meanwhile.
    ///
    /// Only for memory whose space is known to be reserved: that of a ``FrameBuffer`` or ``SharedMemory``.
    public func prefault() {
        // Older kernels, and drivers that map their memory in a way of their own, refuse to populate.
        if !populate() { fs_touch_pages(baseAddress, size, MemoryPage.size, access == .readWrite ? 1 : 0) }
    }
}
