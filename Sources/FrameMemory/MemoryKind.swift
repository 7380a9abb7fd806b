/// What kind of memory a buffer is.
public enum MemoryKind: UInt8, Sendable, Hashable, CustomStringConvertible {
    /// Ordinary memory with a descriptor (memfd_create(2)).
    case memfd = 1
    /// A dma-buf of a DMA heap (`/dev/dma_heap/*`).
    case dmaHeap = 2
    /// A dma-buf over a memfd (`/dev/udmabuf`).
    case udmabuf = 3
    /// A dma-buf that a driver exported, such as a camera's own buffer.
    case dmaBuf = 4

    /// Whether devices can import it, and the CPU must synchronise its caches around access.
    public var isDMABuf: Bool { self != .memfd }

    public var description: String {
        switch self {
        case .memfd: "memfd"
        case .dmaHeap: "dma-heap"
        case .udmabuf: "udmabuf"
        case .dmaBuf: "dma-buf"
        }
    }
}

/// What keeps a process that was given a buffer's descriptor from writing to it.
public enum WriteProtection: UInt8, Sendable, Hashable, CustomStringConvertible {
    /// `F_SEAL_FUTURE_WRITE`: the kernel refuses every new way to write, also to root.
    case sealed = 1
    /// The driver exported it read-only: the kernel refuses writable mappings and reopening.
    case readOnlyExport = 2
    /// Nothing but good manners: the library maps it read-only.
    case none = 3

    public var description: String {
        switch self {
        case .sealed: "sealed"
        case .readOnlyExport: "read-only export"
        case .none: "none"
        }
    }
}

/// What a CPU is about to do with a buffer, or has done.
public enum CPUAccess: Sendable, Hashable {
    case read
    case write
    case readWrite

    var reads: Bool { self != .write }
    var writes: Bool { self != .read }
}
