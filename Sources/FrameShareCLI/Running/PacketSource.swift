#if FFmpeg
import FrameShare
import FrameSinks

/// A channel as packets: as they are, or of frames that are encoded here.
struct PacketSource {
    let subscriber: Subscriber
    /// What the packets are.
    let video: VideoStream
    private let encoder: VideoEncoder?

    /// - Parameters:
    ///   - codec: what frames are encoded to; nil: H.264
    ///   - policy: nil: a few frames, or half the pool of packets
    ///   - needsRate: whether it matters how many frames a second come
    init(
        channel: String,
        stream: String?,
        codec: VideoCodec?,
        policy: Policy?,
        encoding: EncodingOptions,
        name: String,
        needsRate: Bool,
        status: ChannelStatistics
    ) throws {
        let wanted = stream.map { name in status.streams.first { $0.stream.name == name } } ?? status.streams.first
        let isPackets = wanted.flatMap { VideoCodec($0.stream.layout.format) } != nil
        // Packets are small and many may wait; of frames the camera needs its own.
        subscriber = try Subscriber.ofOneStream(
            channel: channel,
            stream: stream,
            policy: policy ?? .queue(isPackets ? max(1, status.slots / 2) : 4),
            name: name
        )
        let layout = subscriber.streams[0].layout
        let rate = encoding.rate == nil && needsRate ? try subscriber.sourceRate() : encoding.rate
        if let packets = VideoStream(layout, framesPerSecond: rate ?? 30) {
            if let codec, codec != packets.codec { throw VideoError.compressedAlready(layout.format) }
            (video, encoder) = (packets, nil)
        } else {
            let encoder = try VideoEncoder(layout: layout, options: encoding.options(codec ?? .h264, frameRate: rate))
            (video, self.encoder) = (VideoStream(of: encoder), encoder)
        }
    }

    /// Hands on every packet until the channel ends or the command is to stop; then those still in the encoder.
    func follow(
        stop: StopRequest,
        frames: Int?,
        seconds: Duration?,
        idle: () throws -> Void,
        noteLoss: () -> Void,
        write: (borrowing VideoPacket) throws(VideoError) -> Void
    ) throws {
        let follower = FrameFollower(subscriber, stop: stop, frames: frames, seconds: seconds)
        var continuity = PacketContinuity()
        do {
            try follower.follow(idle: idle) { frame in
                guard let encoder else {
                    if continuity.hasGap(before: frame) { noteLoss() }
                    return try Self.write(frame, video.codec, write)
                }
                try encoder.encode(frame, write)
            }
        } catch let error as ChannelError {
            // A channel that was lost: what came before is not.
            try encoder?.finish(write)
            throw error
        }
        try encoder?.finish(write)
    }

    private static func write(
        _ frame: borrowing Frame,
        _ codec: VideoCodec,
        _ write: (borrowing VideoPacket) throws(VideoError) -> Void
    ) throws(VideoError) {
        try write(try VideoPacket(frame, codec))
    }
}
#endif
