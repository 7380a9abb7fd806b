internal import CLinuxMedia
internal import Glibc
internal import SystemPackage

/// Control memory: a mapped memfd whose size can't change. Lanes, frame tables and channel pages are made of it.
public final class SharedMemory: Sendable {
    public let mapping: Mapping
    public let size: Int
    private let owned: OwnedDescriptor

    /// The memfd's number; it stays valid as long as this object.
    public var descriptor: Int32 { owned.number }

    /// Makes zeroed memory. Its space is reserved now, so that it can't be missing later.
    /// - Parameter readersMayWrite: false: `F_SEAL_FUTURE_WRITE`, only this mapping can ever write
    public init(creating name: String, size: Int, readersMayWrite: Bool) throws(MemoryError) {
        owned = try Memfd.create(name: name, size: size)
        self.size = size
        mapping = try Mapping(descriptor: owned.number, size: size, access: .readWrite)
        try Memfd.seal(owned.number, againstWriting: !readersMayWrite)
    }

    /// Maps memory that a peer made, once its seals and size show that it can't make us fault.
    public init(adopting descriptor: consuming OwnedDescriptor, size: Int, access: Mapping.Access) throws(MemoryError) {
        try FrameBuffer.verify(descriptor: descriptor.number, kind: .memfd, size: size)
        mapping = try Mapping(descriptor: descriptor.number, size: size, access: access)
        self.size = size
        owned = descriptor
    }
}

/// Making and sealing memfds (memfd_create(2), fcntl(2)).
enum Memfd {
    /// A memfd of `size` bytes, with its space reserved: an error now, never a SIGBUS later.
    static func create(name: String, size: Int) throws(MemoryError) -> OwnedDescriptor {
        guard size > 0 else { throw .badSize(size) }
        let number = fs_memfd_create(String(name.prefix(200)))
        guard number >= 0 else { throw .from(Int(number), call: "memfd_create") }
        let memfd = OwnedDescriptor(owning: number)
        let result = fs_allocate(number, Int64(size))
        guard result == 0 else {
            switch Errno(rawValue: -result) {
            case .noSpace, .noMemory, .fileTooLarge: throw .outOfMemory(asked: size, source: "memfd")
            case let errno: throw .call("fallocate", errno)
            }
        }
        return memfd
    }

    /// Seals the size for ever, and writing too if asked. Writable mappings made before keep working.
    static func seal(_ number: Int32, againstWriting: Bool) throws(MemoryError) {
        var seals = FS_SEAL_SHRINK | FS_SEAL_GROW
        if againstWriting { seals |= FS_SEAL_FUTURE_WRITE }
        let result = fs_add_seals(number, seals | FS_SEAL_SEAL)
        guard result == 0 else { throw .call("fcntl(F_ADD_SEALS)", Errno(rawValue: -result)) }
    }
}
