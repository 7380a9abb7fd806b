internal import FrameMemory
internal import PixelFormats

/// How large the pool of a copy stage is to be.
public enum CopyCapacity: Sendable, Hashable, CustomStringConvertible {
    /// So many frames, 2 to 1024.
    case slots(Int)
    /// As many frames as so many bytes hold, their metadata included.
    case bytes(Int)
    /// The frames of so long a time.
    case duration(Duration, framesPerSecond: Double)

    public var description: String {
        switch self {
        case .slots(let count): "\(count) slots"
        case .bytes(let count): "\(count) bytes"
        case .duration(let duration, let rate): "\(duration) at \(rate) frames a second"
        }
    }

    func slots(bytesPerFrame: Int) -> Int {
        switch self {
        case .slots(let count): return count
        case .bytes(let count): return min(count / bytesPerFrame, SlotSet.capacity)
        case .duration(let duration, let rate):
            let frames = duration / .seconds(1) * rate
            return Int(clamping: frames.rounded(.up))
        }
    }
}

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
