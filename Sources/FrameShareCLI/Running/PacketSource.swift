#if FFmpeg
import FrameShare
import FrameSinks
import PixelFormats

/// A channel as packets: as they are, or of frames that are encoded here.
///
/// It is made, and what it goes to is opened, before it subscribes: nothing that takes its time keeps frames meanwhile.
struct PacketSource {
    /// What the packets are.
    let video: VideoStream
    private let encoder: VideoEncoder?
    private let layout: ImageLayout
    private let connect: () throws -> Subscriber
    /// Those that are left out.
    let damaged: DamagedFrames

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
        damage: DamageOption,
        name: String,
        reconnect: Bool,
        needsRate: Bool,
        status: ChannelStatistics
    ) throws {
        let wanted = stream.map { name in status.streams.first { $0.stream.name == name } } ?? status.streams.first
        damaged = DamagedFrames(damage)
        let isPackets = wanted.flatMap { VideoCodec($0.stream.layout.format) } != nil
        // Packets are small and many may wait; of frames the camera needs its own.
        let policy = policy ?? .queue(isPackets ? max(1, status.slots / 2) : 4)
        connect = {
            try Subscriber.ofOneStream(
                channel: channel,
                stream: stream,
                policy: policy,
                name: name,
                reconnect: reconnect
            )
        }
        guard let wanted else {
            // It says which streams there are.
            try connect().close()
            throw ChannelError.noStreams
        }
        layout = wanted.stream.layout
        let rate =
            encoding.rate == nil && needsRate
            ? try Subscriber.sourceRate(channel: channel, stream: stream) : encoding.rate
        if let packets = VideoStream(layout, framesPerSecond: rate ?? 30) {
            if let codec, codec != packets.codec { throw VideoError.compressedAlready(layout.format) }
            (video, encoder) = (packets, nil)
        } else {
            let encoder = try VideoEncoder(layout: layout, options: encoding.options(codec ?? .h264, frameRate: rate))
            (video, self.encoder) = (VideoStream(of: encoder), encoder)
        }
    }

    /// From now on frames come.
    func subscribe() throws -> Subscriber {
        let subscriber = try connect()
        let now = subscriber.streams[0].layout
        guard now == layout else {
            subscriber.close()
            throw VideoError.layoutChanged(from: layout, to: now)
        }
        return subscriber
    }

    /// Hands on every packet until the channel ends or the command is to stop; then those still in the encoder.
    /// - Parameters:
    ///   - frames: end after so many that were not left out
    ///   - isLeftOut: whether the last packet of a channel of packets was left out by who was given it
    func follow(
        _ subscriber: Subscriber,
        notes: DiscontinuityNotes,
        stop: StopRequest,
        frames: Int?,
        seconds: Duration?,
        idle: () throws -> Void,
        noteLoss: () -> Void,
        write: (borrowing VideoPacket) throws(VideoError) -> Void,
        isLeftOut: () -> Bool = { false }
    ) throws {
        let follower = FrameFollower(subscriber, stop: stop, frames: frames, seconds: seconds)
        var continuity = PacketContinuity()
        do {
            try follower.follow(idle: idle) { frame in
                notes.look(Self.stamp(frame))
                if damaged.leaveOut(frame, encoding: encoder != nil) {
                    // What follows a packet that is left out refers to it.
                    if encoder == nil { continuity.leftOut() }
                    return false
                }
                guard let encoder else {
                    if continuity.hasGap(before: frame) { noteLoss() }
                    try checkLayout(frame)
                    try Self.write(frame, video.codec, write)
                    return !isLeftOut()
                }
                try encoder.encode(frame, write)
                return true
            }
        } catch let error as ChannelError {
            // A channel that was lost: what came before is not.
            try encoder?.finish(write)
            throw error
        } catch VideoError.layoutChanged(let before, let now) {
            // Nor is it when frames of another size come.
            try encoder?.finish(write)
            throw VideoError.layoutChanged(from: before, to: now)
        }
        try encoder?.finish(write)
    }

    /// A publisher that came back may have others. Their packets may have more room all the same.
    private func checkLayout(_ frame: borrowing Frame) throws(VideoError) {
        guard let now = frame.image(at: 0)?.layout else { return }
        guard (now.format, now.width, now.height) == (layout.format, layout.width, layout.height) else {
            throw .layoutChanged(from: layout, to: now)
        }
    }

    /// The frame's time in the order of decoding.
    private static func stamp(_ frame: borrowing Frame) -> Int64 {
        frame.metadata[VideoPacket.Key.dts]?.integer ?? frame.timestamp.nanoseconds
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
