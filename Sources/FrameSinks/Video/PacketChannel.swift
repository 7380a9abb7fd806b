internal import FrameMemory
public import FrameShare
internal import PixelFormats
internal import Synchronization

/// Publishes encoded packets as a channel of its own, so that recorders, streamers and viewers share one encoder.
///
/// The channel is live, as its camera is: a reader that asked for every packet and has no room loses it, and nobody else does.
///
/// Each packet is a frame of the stream `main` with the sequence number, timestamp and metadata of the frame that it shows,
/// the flag `FrameFlags.keyframe`, its times and its number under ``VideoPacket/Key``, and with a keyframe the stream's parameter sets.
public final class PacketChannel: Sendable {
    /// The channel.
    public let publisher: Publisher
    public let codec: VideoCodec
    private let slots: Int
    /// Packets so far, lost ones too.
    private let count = Atomic<Int64>(0)

    /// Offers a channel.
    /// - Parameters:
    ///   - name: its name
    ///   - stream: what the packets are; not raw
    ///   - slots: how many packets it holds: what a reader may lag behind
    ///   - packetCapacity: the bytes that a packet has room for. A larger one makes it larger, by another generation; nil:
    ///     a quarter of a byte for each pixel, 256 kB at least
    ///   - options: how it is offered; `stallLimit` is the channel's to set
    public init(
        _ name: String,
        _ stream: VideoStream,
        slots: Int,
        packetCapacity: Int? = nil,
        options: Publisher.Options = Publisher.Options()
    ) throws(VideoError) {
        guard let format = stream.codec.format else { throw .badOption("a channel of raw packets; relay the frames") }
        codec = stream.codec
        self.slots = slots
        let layout = try Self.layout(of: stream, format, capacity: packetCapacity)
        do throws(ChannelError) {
            var publishing = options
            publishing.stallLimit = .zero
            publisher = try Publisher(channel: name, streams: ["main": layout], slots: slots, options: publishing)
        } catch {
            throw .channel(error)
        }
    }

    private static func layout(
        of stream: VideoStream,
        _ format: PixelFormat,
        capacity: Int?
    ) throws(VideoError) -> ImageLayout {
        do throws(ImageLayoutError) {
            return try .opaque(
                width: stream.width,
                height: stream.height,
                format: format,
                capacity: capacity ?? max(262_144, stream.width * stream.height / 4),
                colorSpace: stream.colorSpace
            )
        } catch {
            throw .badOption("\(error)")
        }
    }

    /// Packets of pictures of another size or colour come from now on: the channel has another generation.
    public func change(to stream: VideoStream) throws(VideoError) {
        guard stream.codec == codec, let format = codec.format else {
            throw .badOption("\(stream.codec.rawValue) packets in a channel of \(codec.rawValue)")
        }
        let layout = try Self.layout(of: stream, format, capacity: nil)
        do throws(ChannelError) {
            try publisher.reconfigure(streams: [Stream(name: "main", layout: layout)], slots: slots)
        } catch {
            throw .channel(error)
        }
    }

    /// Says that a packet was lost before it came here: readers pass over what can't be decoded without it.
    public func noteLoss() { count.wrappingAdd(1, ordering: .relaxed) }

    /// Publishes a packet. Never waits: without a free slot the packet is lost to all, and counted.
    /// - Returns: whether there was a slot
    @discardableResult
    public func publish(_ packet: borrowing VideoPacket) throws(VideoError) -> Bool {
        do throws(ChannelError) {
            let number = count.wrappingAdd(1, ordering: .relaxed).newValue
            let size = packet.bytes.byteCount
            if let stream = publisher.streams.first, size > stream.layout.bufferSize(0) {
                try grow(stream, to: size)
            }
            guard let slot = try publisher.tryNextSlot() else {
                publisher.countLost(noFreeSlot: 1)
                return false
            }
            let info = packet.info
            let bytes = packet.bytes
            slot["main"].withUnsafeMutableBytes { room in
                bytes.withUnsafeBytes { room.copyMemory(from: $0) }
            }
            var description = FrameDescription(
                sequence: info.sequence,
                timestamp: info.timestamp,
                flags: info.isKeyframe ? .keyframe : []
            )
            description.setBytesUsed(size, stream: 0, plane: 0)
            var own: Metadata = [
                VideoPacket.Key.pts: .int64(info.pts), VideoPacket.Key.dts: .int64(info.dts),
                VideoPacket.Key.number: .int64(number),
            ]
            if info.isKeyframe, codec.hasParameterSets {
                let parameters = bytes.withUnsafeBytes { AnnexB.parameterSets($0, codec) }
                own[VideoPacket.Key.parameters] = .bytes(parameters)
            }
            let metadata = packet.metadata
            try publisher.publish(slot, description, first: own, encoded: metadata.encodedBytes)
            return true
        } catch {
            throw .channel(error)
        }
    }

    private func grow(_ stream: Stream, to size: Int) throws(ChannelError) {
        var larger = stream
        larger.layout.planes[0].size = MemoryPage.roundedUp(size + size / 2) ?? size
        try publisher.reconfigure(streams: [larger], slots: slots)
    }
}
