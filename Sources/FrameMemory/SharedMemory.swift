/// Control memory: a mapped memfd whose size can't change. Lanes, frame tables and channel pages are made of it.
public final class SharedMemory: Sendable {
    public let mapping: Mapping
    /// In bytes.
    public let size: Int
    private let owned: OwnedDescriptor

    /// The memfd's number; it stays valid as long as this object. -1 where a peer made it: its mapping is enough.
    public var descriptor: Int32 { owned.number }

    /// Makes zeroed memory. Its space is reserved now, so that it can't be missing later.
    /// - Parameter readersMayWrite: false: `F_SEAL_FUTURE_WRITE`, only this mapping can ever write
    /// - Throws: `doesNotFit`, `outOfMemory`, `outOfDescriptors`, or the call that failed.
    public init(creating name: String, size: Int, readersMayWrite: Bool) throws(MemoryError) {
        owned = try Memfd.create(name: name, size: size)
        self.size = size
        mapping = try Mapping(descriptor: owned.number, size: size, access: .readWrite)
        try Memfd.seal(owned.number, againstWriting: !readersMayWrite)
    }

    /// Maps memory that a peer made, once its seals and size show that it can't make us fault.
    /// - Throws: what ``FrameBuffer/verify(descriptor:kind:size:)`` throws, or the mapping's error.
    public init(adopting descriptor: consuming OwnedDescriptor, size: Int, access: Mapping.Access) throws(MemoryError) {
        try FrameBuffer.verify(descriptor: descriptor.number, kind: .memfd, size: size)
        mapping = try Mapping(descriptor: descriptor.number, size: size, access: access)
        self.size = size
        owned = OwnedDescriptor(owning: -1)
    }
}
