internal import CLinuxMedia
internal import Glibc
internal import SystemPackage

/// A shared mapping of a descriptor into this process; unmapped with its last reference.
// @unchecked: an address and a size that never change. What is behind it is shared memory, whose users order their
// accesses themselves (tickets for frames, atomics for control words).
public final class Mapping: @unchecked Sendable {
    /// What the CPU may do.
    public enum Access: Sendable, Hashable {
        case read
        case readWrite
    }

    public let access: Access
    public let baseAddress: UnsafeMutableRawPointer
    /// In bytes, as asked for.
    public let size: Int

    /// Maps `size` bytes from the start of a descriptor (`mmap(2)`, `MAP_SHARED`).
    public init(descriptor: Int32, size: Int, access: Access) throws(MemoryError) {
        guard size > 0 else { throw .badSize(size) }
        let protection = access == .read ? PROT_READ : PROT_READ | PROT_WRITE
        guard let address = mmap(nil, size, protection, MAP_SHARED, descriptor, 0), address != MAP_FAILED else {
            throw .call("mmap", Errno(rawValue: errno))
        }
        baseAddress = address
        self.size = size
        self.access = access
    }

    deinit { munmap(baseAddress, size) }

    /// The mapped bytes.
    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: baseAddress, count: size) }

    /// Asks for huge pages; where they are not allowed nothing happens.
    func adviseHugePages() { _ = fs_advise(baseAddress, size, FS_MADV_HUGEPAGE) }

    /// Makes all pages present now, so that the first frame pays nothing (`MADV_POPULATE_*`, Linux 5.14). Older kernels
    /// and memory that refuses are touched page by page where that is safe.
    public func prefault() {
        let advice = access == .read ? FS_MADV_POPULATE_READ : FS_MADV_POPULATE_WRITE
        if fs_advise(baseAddress, size, advice) == 0 { return }
        // Reading is enough: space was reserved, so no page can be missing later.
        var offset = 0
        var sum: UInt8 = 0
        while offset < size {
            sum &+= baseAddress.load(fromByteOffset: offset, as: UInt8.self)
            offset += 4096
        }
        withExtendedLifetime(sum) {}
    }
}
