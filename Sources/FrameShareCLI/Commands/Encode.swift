import ArgumentParser
import FrameCommand
import FrameShare
import FrameSinks

/// `frameshare encode`
struct Encode: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Encode a channel's frames, and share the packets as another channel.",
        discussion: """
            One encoder for any number of recorders, streamers and viewers: they read the packets in place, as frames \
            are read. Each packet has the number, time and metadata of its frame, and a mark on keyframes. Where the \
            encoder takes the frames' format it reads the camera's memory itself, else they are converted first.

            --codec v4l2:h264 has a V4L2 device encode, such as a Raspberry Pi 4's: the first that fits, or the one named, \
            as in v4l2:h264:/dev/video11. It reads the camera's DMA buffers itself, without a copy; what it can't read so \
            is copied for it, and the first line says why. Of the options above it has those that its driver has.

            An encoder that is too slow for the camera loses frames of its own, never the camera's. To keep them put a \
            relay between (frameshare relay camera0 --hold 10s, then encode camera0-copy), or have the camera published with \
            --copies.

            Examples:
              frameshare encode camera0
              frameshare encode camera0 --as door --codec hevc --quality 70
              frameshare encode camera0 --bit-rate 4M --low-latency
              frameshare encode camera0 --codec v4l2:h264
              frameshare record camera0-h264 -o door.mp4

            Exit code 0 when the channel has ended in order or after SIGTERM, 1 when the frames can't be encoded, 3 \
            when the channel is not there or was lost.
            """
    )

    @OptionGroup var channel: ChannelArgument

    @Option(
        name: .customLong("as"),
        help: .init("Of the packets. Left out: CHANNEL-CODEC.", valueName: "channel")
    )
    var name: String?

    @Option(help: .init("Which image to encode; left out: the first.", valueName: "name"))
    var stream: String?

    @Option(
        help: .init("h264, hevc or mjpeg; or v4l2: and h264, hevc, mjpeg or fwht.", valueName: "codec"),
        transform: EncoderArgument.parse
    )
    var codec = EncoderArgument(codec: .h264)

    @OptionGroup var encoding: EncodingOptions

    @OptionGroup var damage: DamageOption

    @Option(
        help: .init("latest, queue:N, or every-frame. Left out: queue:4.", valueName: "policy"),
        transform: PolicyArgument.parse
    )
    var policy: Policy = .queue(4)

    @Option(help: .init("Packets that the pool holds: what a reader may lag behind.", valueName: "count"))
    var slots = 64

    @OptionGroup var access: AccessOptions

    @Option(help: .init("End after so long.", valueName: "duration"), transform: DurationArgument.parse)
    var seconds: Duration?

    @Option(
        help: .init("End after so many frames; damaged ones that are left out don't count.", valueName: "count"),
        transform: CountArgument.parse
    )
    var frames: Int?

    @Flag(help: "Stop when standard input ends: for programs that start this one.")
    var stopAtEOF = false

    @Flag(help: "Print one JSON object at the start and one at the end.")
    var json = false

    func validate() throws {
        guard (2...1024).contains(slots) else { throw ValidationError("--slots: 2 to 1024") }
        guard codec.codec != .raw else {
            throw ValidationError("--codec raw: frames are shared as they are by 'relay'")
        }
    }

    func run() throws {
        let stop = try StopRequest(atEndOfInput: stopAtEOF)
        try EncodeSession(command: self, source: try channel.resolve(stop), stop: stop).run()
        try stop.throwIfInterrupted()
    }
}
