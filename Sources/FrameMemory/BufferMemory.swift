internal import CLinuxMedia
internal import Glibc
internal import SystemPackage

/// A descriptor with the memory behind it: one buffer, or the buffers of many slots one behind the other. Closed and unmapped
/// with its last reference, which every buffer in it is.
package final class BufferMemory: Sendable {
    package let kind: MemoryKind
    /// How many bytes of it are used.
    package let size: Int
    /// Whether a process that is given the descriptor can write through it.
    package let writeProtection: WriteProtection
    /// Where this process has all of it mapped; nil where it was not asked for, or can't be had.
    package let mapping: Mapping?
    private let owned: OwnedDescriptor

    /// The descriptor's number; it stays valid as long as this object.
    package var descriptor: Int32 { owned.number }

    /// For the allocator, which has made and verified all of it.
    init(
        owning descriptor: consuming OwnedDescriptor,
        kind: MemoryKind,
        size: Int,
        writeProtection: WriteProtection,
        mapping: Mapping?
    ) {
        owned = descriptor
        (self.kind, self.size, self.writeProtection, self.mapping) = (kind, size, writeProtection, mapping)
    }

    /// Adopts a descriptor that someone else made, once its kind, seals and size show that no mapping of it can fault.
    /// - Parameters:
    ///   - writeProtection: what its maker says; it counts only if the kernel says so too
    ///   - access: how to map it; nil: not at all. A dma-buf may refuse to be mapped for reading: then ``mapping`` is nil
    /// - Throws: what ``FrameBuffer/verify(descriptor:kind:size:)`` throws, or the mapping's error.
    package init(
        adopting descriptor: consuming OwnedDescriptor,
        kind: MemoryKind,
        size: Int,
        writeProtection: WriteProtection,
        mapped access: Mapping.Access?
    ) throws(MemoryError) {
        let seals = try FrameBuffer.verified(descriptor: descriptor.number, kind: kind, size: size)
        let number = descriptor.number
        mapping =
            switch access {
            case nil: nil
            case .read where kind.isDMABuf: try? Mapping(descriptor: number, size: size, access: .read)
            case let access?: try Mapping(descriptor: number, size: size, access: access)
            }
        let holds = Self.confirms(writeProtection, descriptor: number, kind: kind, seals: seals)
        self.writeProtection = holds ? writeProtection : .none
        (self.kind, self.size) = (kind, size)
        owned = descriptor
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
}
