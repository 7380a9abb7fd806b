internal import CLinuxMedia
internal import Glibc
internal import SystemPackage

/// Bytes that are handed to another process once, in a memfd that nobody can change any more.
public final class SealedBytes: Sendable {
    private let memory: OwnedDescriptor
    /// In bytes.
    public let size: Int
    /// The memfd's number; it stays valid as long as this object.
    public var descriptor: Int32 { memory.number }

    /// Copies bytes into a new memfd, and seals it against every change.
    /// - Throws: `badSize` for no bytes; `doesNotFit`, `outOfMemory`, `outOfDescriptors`, or the call that failed.
    public init(copying bytes: UnsafeRawBufferPointer, name: String) throws(MemoryError) {
        memory = try Memfd.create(name: name, size: bytes.count)
        try Self.write(bytes, to: memory.number)
        let result = fs_add_seals(memory.number, FS_SEAL_SHRINK | FS_SEAL_GROW | FS_SEAL_WRITE | FS_SEAL_SEAL)
        guard result == 0 else { throw .call("fcntl(F_ADD_SEALS)", Errno(rawValue: -result)) }
        size = bytes.count
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to number: Int32) throws(MemoryError) {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = pwrite(number, rest.baseAddress, rest.count, off_t(done))
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw .call("pwrite", Errno(rawValue: errno)) }
            done += count
        }
    }
}

/// Bytes that another process has handed over as ``SealedBytes``. The mapping keeps them: no descriptor stays open.
public final class ReceivedBytes: Sendable {
    private let mapping: Mapping
    /// In bytes.
    public var size: Int { mapping.size }

    /// Maps what a peer sent, once its seals and size show that it can neither make us fault nor change any more.
    /// - Throws: what ``FrameBuffer/verify(descriptor:kind:size:)`` throws, `notSealed`, or the mapping's error.
    public init(adopting descriptor: consuming OwnedDescriptor, size: Int) throws(MemoryError) {
        try FrameBuffer.verify(descriptor: descriptor.number, kind: .memfd, size: size)
        let seals = fs_get_seals(descriptor.number)
        guard seals & FS_SEAL_WRITE != 0 else { throw .notSealed(found: seals) }
        mapping = try Mapping(descriptor: descriptor.number, size: size, access: .read)
    }

    /// Runs `body` with the bytes, which are valid in it alone.
    public func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result { try mapping.withBytes(body) }
}
