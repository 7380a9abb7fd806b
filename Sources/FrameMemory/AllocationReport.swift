public import SystemPackage

/// How a pool's memory was found.
public struct AllocationReport: Sendable, Hashable {
    /// What was used.
    public var kind: MemoryKind
    /// Where it came from: `memfd`, `/dev/udmabuf`, `/dev/dma_heap/system`.
    public var source: String
    /// What keeps those who are given the buffers from writing to them.
    public var writeProtection: WriteProtection
    /// Whether the kernel gave huge pages.
    public var hugePages: Bool
    /// What was tried before and why it did not do.
    public var attempts: [AllocationAttempt]
    /// What else there is to know, such as a seal that had to be forgone.
    public var notes: [String]
}

/// A source of memory that did not do.
public struct AllocationAttempt: Sendable, Hashable, CustomStringConvertible {
    public var source: String
    public var error: Errno
    /// What to do about it.
    public var advice: String

    public var description: String { "\(source): \(error)" + (advice.isEmpty ? "" : " (\(advice))") }
}
