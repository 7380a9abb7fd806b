public import FrameMemory
internal import LeaseProtocol
public import PixelFormats

/// What a copy stage makes of a channel's streams, and the memory that it takes. Nothing is allocated for it.
public struct CopyPlan: Sendable {
    /// The streams of the copies.
    public let streams: [Stream]
    /// The frames that the pool holds.
    public let slots: Int
    /// The bytes of a frame: its images in whole pages, and the room for its metadata.
    public let bytesPerFrame: Int
    let copies: [ImageCopy]
    let metadataCapacity: Int

    /// The memory that the pool takes, in bytes.
    public var byteCount: Int { slots.multipliedClamped(by: bytesPerFrame) }

    /// - Parameters:
    ///   - streams: those that are copied, as their channel has them
    ///   - crops: what is wanted of a stream, by its name; all of the others
    ///   - capacity: how many frames are to be held
    ///   - metadataCapacity: the most bytes of metadata that a frame has
    public init(
        streams: [Stream],
        crops: [String: Crop] = [:],
        capacity: CopyCapacity,
        metadataCapacity: Int = 65_536
    ) throws(CopyError) {
        for name in crops.keys.sorted() where !streams.contains(where: { $0.name == name }) {
            throw .cropOfUnknownStream(name, copied: streams.map(\.name))
        }
        guard (0...FrameTable.maximumMetadataCapacity).contains(metadataCapacity) else {
            throw .channel(.badMetadataCapacity(metadataCapacity))
        }
        var (copies, bytes) = ([ImageCopy](), FrameTable.recordStride(metadataCapacity: metadataCapacity))
        for stream in streams {
            let copy = try ImageCopy(of: stream.layout, crop: crops[stream.name])
            copies.append(copy)
            bytes = bytes.addingClamped(MemoryPage.roundedUp(copy.destination.bufferSize(0)) ?? .max)
        }
        let slots = capacity.slots(bytesPerFrame: bytes)
        guard (2...SlotSet.capacity).contains(slots) else {
            throw .capacity(capacity, slots: slots, bytesPerFrame: bytes)
        }
        self.streams = zip(streams, copies).map { Stream(name: $0.name, layout: $1.destination) }
        self.slots = slots
        self.copies = copies
        self.metadataCapacity = metadataCapacity
        bytesPerFrame = bytes
    }
}

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
