import ArgumentParser
import FrameCommand
import FrameShare
import FrameSinks

/// `frameshare record`
struct Record: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Record a channel to MP4, MKV, MPEG-TS or AVI.",
        discussion: """
            Packets (of 'frameshare encode', or of a camera that encodes) are recorded as they are, frames are encoded \
            first. Times in the file are those of capture, so a rate that varies is kept; MKV tells whole \
            milliseconds, AVI whole frames. What was recorded before a kill or a full disk can be played: MP4 is \
            written in fragments of a second.

            Damaged frames and packets are left out. A recorder that is too slow loses packets or frames of its own, never the camera's, and begins again at a \
            keyframe. --sidecar writes a line of JSON for each frame: number, time, metadata. With --on-trigger the \
            last seconds are kept in memory, and each trigger makes a file: clip-000.mp4, clip-001.mp4, ...

            When the size or format of the frames changes, a next file begins: door-001.mp4 after door.mp4.

            Examples:
              frameshare record camera0 -o door.mp4
              frameshare record camera0-h264 -o day.mkv --split-time 10min --sidecar
              frameshare record camera0 -o still.avi --codec mjpeg --seconds 30
              frameshare record camera0-h264 -o clip.mp4 --on-trigger --pre 5s

            Exit code 0 when the channel has ended in order or after SIGTERM, 1 when the file or the encoder fails, 3 \
            when the channel is not there or was lost.
            """
    )

    @OptionGroup var channel: ChannelArgument

    @Option(name: .shortAndLong, help: .init("The file: .mp4, .mkv, .ts, .avi, or for raw .nut.", valueName: "file"))
    var output: String

    @Option(help: .init("Which image to record; left out: the first.", valueName: "name"))
    var stream: String?

    @Option(
        help: .init("For frames: h264, hevc, mjpeg or raw. Left out: h264.", valueName: "codec"),
        transform: CodecArgument.parse
    )
    var codec: VideoCodec?

    @OptionGroup var encoding: EncodingOptions

    @OptionGroup var damage: DamageOption

    @Option(
        help: .init("A new file, at a keyframe, after so long.", valueName: "duration"),
        transform: DurationArgument.parse
    )
    var splitTime: Duration?

    @Option(
        help: .init("A new file, at a keyframe, after so much.", valueName: "amount"),
        transform: ByteCountArgument.parse
    )
    var splitSize: Int?

    @Flag(help: "Keep the last seconds; write a clip when 'frameshare trigger' or SIGUSR1 says so.")
    var onTrigger = false

    @Option(
        help: .init("How long before the trigger a clip begins, at a keyframe. Left out: 5s.", valueName: "duration"),
        transform: DurationArgument.parse
    )
    var pre: Duration?

    @Option(
        help: .init("How long after the trigger it ends. Left out: 10s.", valueName: "duration"),
        transform: DurationArgument.parse
    )
    var post: Duration?

    @Flag(help: "Also write FILE.jsonl: each frame's number, time and metadata.")
    var sidecar = false

    @Flag(help: "Replace files that are there.")
    var overwrite = false

    @Option(
        help: .init(
            "latest, queue:N, or every-frame. Left out: queue:4, of packets half their pool.",
            valueName: "policy"
        ),
        transform: PolicyArgument.parse
    )
    var policy: Policy?

    @Option(help: .init("End after so long.", valueName: "duration"), transform: DurationArgument.parse)
    var seconds: Duration?

    @Option(
        help: .init("End after so many frames in its files. Not with --on-trigger.", valueName: "count"),
        transform: CountArgument.parse
    )
    var frames: Int?

    @Flag(help: "When the publisher is lost, wait for its return and go on.")
    var reconnect = false

    @Flag(help: "Stop when standard input ends: for programs that start this one.")
    var stopAtEOF = false

    @Flag(help: "Print one JSON object at the start, one for each file, and one at the end.")
    var json = false

    func validate() throws {
        guard onTrigger || (pre == nil && post == nil) else {
            throw ValidationError("--pre and --post need --on-trigger")
        }
        guard !onTrigger || (splitTime == nil && splitSize == nil) else {
            throw ValidationError("--on-trigger: each trigger is a file; leave --split-time and --split-size out")
        }
        guard !onTrigger || frames == nil else {
            throw ValidationError(
                "--frames: not with --on-trigger; --pre and --post say how long a clip is, --seconds when the recorder ends"
            )
        }
        guard splitTime != .zero else { throw ValidationError("--split-time: more than 0") }
    }

    func run() throws {
        #if FFmpeg
        // Blocked before there is another thread, so that it ends none.
        let signal = onTrigger ? try TriggerSignal() : nil
        let stop = try StopRequest(atEndOfInput: stopAtEOF)
        try RecordSession(command: self, channel: try channel.resolve(stop), stop: stop, signal: signal).run()
        try stop.throwIfInterrupted()
        #else
        throw VideoError.notInThisBuild
        #endif
    }
}
