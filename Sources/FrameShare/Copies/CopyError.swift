public import FrameMemory
public import PixelFormats

/// Why frames can't be copied.
public enum CopyError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The layout of the images contradicts itself.
    case layout(ImageLayoutError)
    case crop(CropError)
    /// A crop is asked for of a stream that is not copied.
    case cropOfUnknownStream(String, copied: [String])
    /// The pool asked for holds fewer than two frames, or more than 1024.
    case capacity(CopyCapacity, slots: Int, bytesPerFrame: Int)
    /// The CPU can't read the memory of this stream.
    case notReadable(stream: String, MemoryKind)
    /// The channel of the copies was opened for other streams than these.
    case otherStreams
    case channel(ChannelError)

    public var description: String {
        switch self {
        case .layout(let error): "the image layout is wrong: \(error)"
        case .crop(let error): "\(error)"
        case .cropOfUnknownStream(let name, let copied):
            "a crop is asked for of stream '\(name)', which is not copied; copied are \(copied.joined(separator: ", "))"
        case .capacity(let capacity, let slots, let bytes):
            "\(capacity) makes a pool of \(slots) frames of \(bytes) bytes; a pool has 2 to \(SlotSet.capacity)"
        case .notReadable(let stream, let memory):
            "the CPU can't read stream '\(stream)' (\(memory)): its memory can't be mapped"
        case .otherStreams: "the channel of the copies has other streams than are copied"
        case .channel(let error): "\(error)"
        }
    }
}
