import ArgumentParser
import FrameCommand
import FrameShare
import FrameSinks

/// `frameshare stream`
struct SendStream: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stream",
        abstract: "Send a channel to a media server: RTMP, RTSP, SRT, UDP, HLS.",
        discussion: """
            Packets (of 'frameshare encode', or of a camera that encodes) are sent as they are, frames are encoded \
            first. A connection begins at a keyframe; one that breaks is made again, and what comes meanwhile is \
            counted as lost. A network that is too slow costs this command packets, never the camera. Many viewers are \
            a media server's business.

            Examples:
              frameshare stream camera0-h264 rtmp://server/live/door
              frameshare stream camera0-h264 srt://server:9000 --wait
              frameshare stream camera0 udp://239.0.0.1:5000 --bit-rate 2M --low-latency

            An HLS address counts as connected when the server has taken the first segment, and one endless HTTP request \
            (--format mpegts to http://) when the server has not refused it for 2 s. A pause of the camera is no \
            part of the stream's time.

            When the frames change, MPEG-TS and HLS go on; other containers get a new connection. What would write over \
            itself ends with an error: a local file of another container, and HLS with hls_flags=single_file or \
            hls_segment_type=fmp4. After a failure neither a local file nor that single file is begun anew.

            Exit code 0 when the channel has ended in order or after SIGTERM, 1 when the first connection can't be made \
            (with --wait it is tried again) or the last part is not taken, 3 when the channel is not there or was lost.
            """
    )

    @Argument(help: "The channel.")
    var channel: String

    @Argument(help: "Where to: rtmp://, rtsp://, srt://, udp://, tcp://, http://….m3u8, or - for standard output.")
    var address: String

    @Option(help: .init("Which image to send; left out: the first.", valueName: "name"))
    var stream: String?

    @Option(
        help: .init("For frames: h264, hevc or mjpeg. Left out: h264.", valueName: "codec"),
        transform: CodecArgument.parse
    )
    var codec: VideoCodec?

    @OptionGroup var encoding: EncodingOptions

    @OptionGroup var damage: DamageOption

    @Option(help: .init("FFmpeg's name of the container. Left out: what the address asks for.", valueName: "name"))
    var format: String?

    @Option(
        help: .init("An option of FFmpeg's container; repeat for more.", valueName: "name=value"),
        transform: ControlArgument.parse
    )
    var option: [ControlArgument] = []

    @Flag(help: "Replace files that are there, where the address is a file's.")
    var overwrite = false

    @Flag(help: "When the server is not there at the start, try again and again.")
    var wait = false

    @Option(
        help: .init("How long connecting, and one packet, may take. Left out: 10s.", valueName: "duration"),
        transform: DurationArgument.parse
    )
    var timeout: Duration = .seconds(10)

    @Option(help: .init("End after so long.", valueName: "duration"), transform: DurationArgument.parse)
    var seconds: Duration?

    @Option(
        help: .init("End after so many frames; damaged ones that are left out don't count.", valueName: "count"),
        transform: CountArgument.parse
    )
    var frames: Int?

    @Flag(help: "When the publisher is lost, wait for its return and go on.")
    var reconnect = false

    @Flag(help: "Stop when standard input ends: for programs that start this one.")
    var stopAtEOF = false

    @Flag(help: "Print one JSON object at each connection and loss of it, and one at the end.")
    var json = false

    func run() throws {
        #if FFmpeg
        let stop = try StopRequest(atEndOfInput: stopAtEOF)
        try StreamSession(command: self, stop: stop).run()
        try stop.throwIfInterrupted()
        #else
        throw VideoError.notInThisBuild
        #endif
    }
}
