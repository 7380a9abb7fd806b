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

    /// Reads ``description``, and the words as Swift and C have them: `automatic`, `dmaHeap`, `FRAMESHARE_MEMORY_DMA_HEAP`. A
    /// heap's name has no slash.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        var word = parts[0].lowercased().filter { $0 != "-" && $0 != "_" }
        if word.hasPrefix("framesharememory") { word.removeFirst("framesharememory".count) }
        switch (word, parts.count) {
        case ("auto", 1), ("automatic", 1): self = .automatic
        case ("memfd", 1): self = .memfd
        case ("heap", 1), ("dmaheap", 1): self = .dmaHeap(nil)
        case ("udmabuf", 1): self = .udmabuf
        case ("heap", 2), ("dmaheap", 2):
            let name = parts[1]
            guard !name.isEmpty, !name.contains("/"), name != ".", name != ".." else { return nil }
            self = .dmaHeap(String(name))
        default: return nil
        }
    }
}
