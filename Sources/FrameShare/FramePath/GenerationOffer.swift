internal import FrameMemory
internal import PixelFormats

/// A generation as one subscriber is given it: its streams only.
struct GenerationOffer: Equatable {
    var generation: UInt32
    var slots: Int
    /// How many of the slots, the last, are for copies: in ordinary memory, whatever the streams' is.
    var copySlots = 0
    var copyProtection = WriteProtection.none
    var depth: Int
    /// How many bytes of the lane there are at least.
    var laneSize: Int
    /// Where the frame table's records begin, and how long each is without its metadata: a newer publisher's may be
    /// longer than those that this program knows.
    var tableHeaderSize = FrameTable.headerSize
    var recordSize = FrameTable.recordSize
    var recordStride: Int
    var metadataCapacity: Int
    var streams: [StreamOffer]

    /// Of any minor version.
    static let maximumLaneSize = 1 << 20

    /// The first slot that is for copies; `slots` where there is none.
    var firstCopy: Int { slots - copySlots }

    /// Where the buffers are, unless a `places` message says otherwise: each in a descriptor of its own.
    var placesByDefault: BufferPlaces {
        BufferPlaces(slots: slots, buffersOfStreams: streams.map(\.bufferSizes.count))
    }
}

struct StreamOffer: Equatable {
    var stream: Stream
    /// The stream's place in the channel, from 0: where its numbers stand in a frame record.
    var index: Int
    var memory: MemoryKind
    var protection: WriteProtection
    /// The size of each of its buffers, in bytes.
    var bufferSizes: [Int]
}
