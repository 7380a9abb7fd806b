/// Where a pool's memory is to come from.
public enum MemoryPreference: Sendable, Hashable, CustomStringConvertible {
    /// What a device can import, in the order that suits the machine: DMA heaps, udmabuf, and a memfd at last.
    case automatic
    /// Ordinary memory, which readers can be kept from writing to.
    case memfd
    /// A DMA heap by its name in `/dev/dma_heap`; nil: the first that works.
    case dmaHeap(String?)
    /// A dma-buf over ordinary memory.
    case udmabuf

    /// As the command line has it: `auto`, `memfd`, `heap`, `heap:NAME`, `udmabuf`.
    public var description: String {
        switch self {
        case .automatic: "auto"
        case .memfd: "memfd"
        case .dmaHeap(nil): "heap"
        case .dmaHeap(let name?): "heap:\(name)"
        case .udmabuf: "udmabuf"
        }
    }

    /// Reads ``description``. A heap's name has no slash.
    public init?(_ text: String) {
        switch text {
        case "auto": self = .automatic
        case "memfd": self = .memfd
        case "heap": self = .dmaHeap(nil)
        case "udmabuf": self = .udmabuf
        default:
            let name = text.dropFirst(5)
            guard text.hasPrefix("heap:"), !name.isEmpty, !name.contains("/"), name != ".", name != ".." else {
                return nil
            }
            self = .dmaHeap(String(name))
        }
    }
}
