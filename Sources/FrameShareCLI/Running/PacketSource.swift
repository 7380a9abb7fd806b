#if FFmpeg
import FrameCommand
import FrameShare
import FrameSinks
import PixelFormats

/// A channel as packets: as they are, or of frames that are encoded here.
///
/// It is made, and what it goes to is opened, before it subscribes: nothing that takes its time keeps frames meanwhile.
///
/// Frames of another size or format, as a new generation may bring, get an encoder of their own. For one thread.
final class PacketSource {
    /// What the packets are now.
    private(set) var video: VideoStream
    private var encoder: VideoEncoder?
    private var layout: ImageLayout
    private let codec: VideoCodec?
    private let encoding: EncodingOptions
    /// How many frames come a second; nil: it does not matter.
    private let rate: Double?
    /// Whether somebody looks while it is sent, so that each packet is wanted at once.
    private let isLive: Bool
    private let connect: () throws -> Subscriber
    /// Those that are left out.
    let damaged: DamagedFrames

    /// - Parameters:
    ///   - codec: what frames are encoded to; nil: H.264
    ///   - policy: nil: a few frames, or half the pool of packets
    ///   - isLive: whether somebody looks while it is sent
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
        isLive: Bool,
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
                reconnect: reconnect,
                atMost: encoding.rate
            )
        }
        guard let wanted else {
            // It says which streams there are.
            try connect().close()
            throw ChannelError.noStreams
        }
        layout = wanted.stream.layout
        let codecThere = VideoCodec(wanted.stream.layout.format)
        guard encoding.rate == nil || codecThere == nil || codecThere == .mjpeg else {
            throw CommandFailure(
                "--rate: '\(channel)' has packets, of which each needs the one before; none can be left out. Ask for a rate "
                    + "of the frames: 'frameshare encode --rate'",
                code: .usage
            )
        }
        let rate =
            encoding.rate == nil && needsRate
            ? try Subscriber.sourceRate(channel: channel, stream: stream) : encoding.rate
        (self.codec, self.encoding, self.rate, self.isLive) = (codec, encoding, rate, isLive)
        (video, encoder) = try Self.video(of: layout, codec, encoding, rate, isLive: isLive)
    }

    private static func video(
        of layout: ImageLayout,
        _ codec: VideoCodec?,
        _ encoding: EncodingOptions,
        _ rate: Double?,
        isLive: Bool
    ) throws -> (VideoStream, VideoEncoder?) {
        if let packets = VideoStream(layout, framesPerSecond: rate ?? 30) {
            if let codec, codec != packets.codec { throw VideoError.compressedAlready(layout.format) }
            return (packets, nil)
        }
        let encoder = try VideoEncoder(
            layout: layout,
            options: encoding.options(codec ?? .h264, frameRate: rate, isLive: isLive)
        )
        return (VideoStream(of: encoder), encoder)
    }

    /// From now on frames come. Where the layout has changed since it was looked at, ``follow`` takes it from there.
    func subscribe() throws -> Subscriber {
        let subscriber = try connect()
        // What comes before a keyframe is of no use.
        if encoder == nil { subscriber.requestKeyframe() }
        return subscriber
    }

    /// Hands on every packet until the channel ends or the command is to stop; then those still in the encoder.
    /// - Parameters:
    ///   - frames: end after so many that were not left out
    ///   - changed: called when frames of another layout have come, after the last packet of those before
    ///   - isLeftOut: whether the last packet of a channel of packets was left out by who was given it
    func follow(
        _ subscriber: Subscriber,
        notes: DiscontinuityNotes,
        stop: StopRequest,
        frames: Int?,
        seconds: Duration?,
        idle: () throws -> Void,
        noteLoss: () -> Void,
        changed: (VideoStream) throws -> Void,
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
                if let now = Self.layout(frame), now != layout { try change(to: now, notes, changed, write) }
                guard let encoder else {
                    if continuity.hasGap(before: frame) {
                        subscriber.requestKeyframe()
                        noteLoss()
                    }
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
        }
        try encoder?.finish(write)
    }

    /// Another generation has another layout, or a publisher that came back.
    private func change(
        to now: ImageLayout,
        _ notes: DiscontinuityNotes,
        _ changed: (VideoStream) throws -> Void,
        _ write: (borrowing VideoPacket) throws(VideoError) -> Void
    ) throws {
        let before = layout
        layout = now
        // Packets that have more room, no more.
        if encoder == nil, (now.format, now.width, now.height) == (before.format, before.width, before.height) {
            return
        }
        notes.tellChange(from: before, to: now)
        // What came before is not lost, whatever becomes of what comes now.
        try encoder?.finish(write)
        encoder = nil
        do {
            (video, encoder) = try Self.video(of: now, codec, encoding, rate, isLive: isLive)
        } catch {
            throw CommandFailure("the frames changed from \(before) to \(now): \(error)", code: .failed)
        }
        try changed(video)
    }

    private static func layout(_ frame: borrowing Frame) -> ImageLayout? { frame.image(at: 0)?.layout }

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
