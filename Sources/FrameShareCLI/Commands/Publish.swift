import ArgumentParser
import FrameCommand
import FrameShare
import FrameSources

/// `frameshare publish`
struct Publish: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Share a camera, a video file, or a test pattern, under a channel's name.",
        discussion: """
            Runs until Ctrl-C, SIGTERM, or the end of its source. A camera's own buffers are shared as they are; \
            without a camera, the pattern shows colour bars, a moving box, and each frame's number in its pixels, \
            which 'frameshare watch --verify' reads back. A video file is played in time, turned as it says; with the \
            side-car of 'frameshare record --sidecar' its frames have the numbers, intervals and metadata of the camera's \
            own. What can't be decoded is gone over and counted. A still picture is shown again and again.

            Examples:
              frameshare publish --source /dev/video0 --size 1280x720 --format YUYV
              frameshare publish --size 1920x1080 --stream lores=640x360 --rate 60
              frameshare publish --source /dev/video0 --group video --mode 0660
              frameshare publish --source libcamera --main 1920x1080:YUV420 --lores 640x480 --raw
              frameshare publish --source door.mp4 --channel camera0 --loop
              frameshare publish --source card.png --rate 5
              frameshare publish --source /dev/video0 --slots 8 --copies 512M --copy-floor 4
              frameshare publish --source /dev/video0 --on-demand --linger 10s

            Exit code 0 after SIGTERM, 130 after Ctrl-C, 1 when the source or its memory can't be had or fails.
            """
    )

    @Option(
        help: .init(
            "pattern, a camera's device, libcamera[:ID], or a file: video or a still picture. Left out: pattern.",
            valueName: "source"
        ),
        transform: SourceArgument.parse
    )
    var source: SourceArgument = .pattern

    @Option(help: .init("Left out: pattern, or camera0 for /dev/video0 and the links to it.", valueName: "name"))
    var channel: String?

    @Option(
        help: .init("Of the stream 'main'. Left out: the camera's, or 1280x720.", valueName: "WxH"),
        transform: ImageSize.parse
    )
    var size: ImageSize?

    @Option(
        help: .init(
            "Pixel format: libcamera's name or V4L2's, or a code that 'cameras' shows. Left out: the camera's, or YUV420.",
            valueName: "format"
        ),
        transform: FormatArgument.parse
    )
    var format: FormatArgument?

    @Option(
        help: .init(
            "Frames a second. Left out: the camera's, or 30. 0: the pattern as fast as its readers. Of a file: if it is a still picture, or has no times (.h264).",
            valueName: "fps"
        ),
        transform: FrameRateArgument.parse
    )
    var rate: Double?

    @Option(help: .init("Frames that the pool holds.", valueName: "count"))
    var slots = 8

    @Option(
        help: .init(
            "Copies in ordinary memory for readers that lag, so that the source keeps its slots: a count, or memory such as 512M.",
            valueName: "amount"
        ),
        transform: CopyAmountArgument.parse
    )
    var copies: CopyAmountArgument?

    @Option(
        help: .init(
            "Lagging readers get copies when fewer slots than this would be left. Left out: one more than the source needs.",
            valueName: "count"
        ),
        transform: CountArgument.parse
    )
    var copyFloor: Int?

    @Option(
        help: .init("One more image of each frame (pattern only); repeat for more.", valueName: "name=WxH[:format]"),
        transform: StreamArgument.parse
    )
    var stream: [StreamArgument] = []

    @Option(
        help: .init("libcamera's processed image, for --size and --format.", valueName: "WxH[:format]"),
        transform: ImageArgument.parse
    )
    var main: ImageArgument?

    @Option(
        help: .init("libcamera's second, smaller image of each frame: stream 'lores'.", valueName: "WxH[:format]"),
        transform: ImageArgument.parse
    )
    var lores: ImageArgument?

    @Flag(help: "libcamera's raw image of each frame, too: stream 'raw'.")
    var raw = false

    @Option(
        help: .init(
            "auto, memfd, heap, heap:NAME, udmabuf, or driver. Left out: a camera's driver, else memfd.",
            valueName: "memory"
        ),
        transform: MemoryArgument.parse
    )
    var memory: MemoryArgument?

    @Option(
        help: .init(
            "Which of a camera's inputs, by number or name ('frameshare cameras' lists them). Left out: as it is set.",
            valueName: "input"
        )
    )
    var input: String?

    @OptionGroup var access: AccessOptions

    @Option(
        help: .init("Set a camera's control; repeat for more.", valueName: "name=value"),
        transform: ControlArgument.parse
    )
    var control: [ControlArgument] = []

    @Option(
        help: .init(
            "Who may set the camera's controls while it runs: nobody, owner (only you, and root), or everyone who may connect.",
            valueName: "who"
        ),
        transform: ControlAccessArgument.parse
    )
    var controlAccess: ControlAccess = .owner

    @Flag(help: "Tell a checksum of each of a camera's images, for 'watch --verify'. It reads every pixel.")
    var checksum = false

    @Flag(help: "Of a video file: begin again at its end.")
    var loop = false

    @Option(
        help: .init(
            "Of a video file: 0.001 to 1000; 2 is twice as fast, 0 as fast as its readers. Left out: 1.",
            valueName: "factor"
        )
    )
    var speed = 1.0

    @Flag(
        help:
            "Wait for the V4L2 camera to be plugged in, or to work, at the start and whenever it goes. For one of libcamera's use --restart: its library may end the process that waits, and a new process looks for the camera again."
    )
    var waitForCamera = false

    @Option(
        help: .init(
            "How long a camera may give no frame before that is told and its stream is started again; 'never' suits one that is triggered. Left out: 5s.",
            valueName: "duration"
        ),
        transform: LimitArgument.parse
    )
    var frameTimeout: LimitArgument?

    static let defaultFrameTimeout = LimitArgument.limit(.seconds(5))

    @Option(
        help: .init(
            "How long one user's every-frame readers, together, may make the source wait in any minute; then they lose frames. 'never': no limit. Left out: 10s for a file, never where --speed or --rate is 0; the pattern waits for nobody, as cameras do.",
            valueName: "duration"
        ),
        transform: LimitArgument.parse
    )
    var stallLimit: LimitArgument?

    @Option(
        help: .init(
            "How long any reader may hold a frame before it is cut off. Left out: never.",
            valueName: "duration"
        ),
        transform: LimitArgument.parse
    )
    var leaseLimit: LimitArgument = .never

    @Option(
        help: .init("The most readers at a time, 1 to 120. One more is refused. Left out: 120.", valueName: "count"),
        transform: CountArgument.parse
    )
    var subscriberLimit: Int?

    @Flag(
        help:
            "Run the source only while somebody reads: the first reader starts it, and it stops a while after the last has left. The channel is there meanwhile; the camera is off, and its device is closed."
    )
    var onDemand = false

    @Option(
        help: .init(
            "On demand: how long the source goes on after the last reader. Left out: 5s.",
            valueName: "duration"
        ),
        transform: DurationArgument.parse
    )
    var linger: Duration?

    @Option(
        help: .init(
            "On demand: frames, or a time such as 500ms, until exposure has settled after a start. Readers get these frames only if they ask for them. Left out: a V4L2 camera 10, others 0; libcamera tells it itself, too.",
            valueName: "amount"
        ),
        transform: WarmUpArgument.parse
    )
    var warmUp: OnDemand.WarmUp?

    @Option(
        help: .init(
            "On demand: end when the source has slept for so long. Left out: never.",
            valueName: "duration"
        ),
        transform: DurationArgument.parse
    )
    var exitWhenIdle: Duration?

    @Option(help: .init("End after so long.", valueName: "duration"), transform: DurationArgument.parse)
    var seconds: Duration?

    @Option(
        help: .init("End after so many frames (a camera: or a few more).", valueName: "count"),
        transform: CountArgument.parse
    )
    var frames: Int?

    @Flag(help: .hidden)
    var owner = false

    @Flag(help: .hidden)
    var detach = false

    @Flag(help: "Keep it running: a process of its own publishes, and is started again when it dies or fails.")
    var restart = false

    @Flag(help: "Stop when standard input ends: for programs that start this one.")
    var stopAtEOF = false

    @Flag(help: "Print one JSON object at the start, one at each event, and one at the end.")
    var json = false

    func validate() throws {
        guard source.isFile || (!loop && speed == 1) else {
            throw ValidationError("--loop, --speed: need a video file, see --source")
        }
        guard speed == 0 || (0.001...1000).contains(speed) else {
            throw ValidationError("--speed: 0.001 to 1000, or 0 for as fast as its readers; not \(speed)")
        }
        guard (2...1024).contains(slots) else { throw ValidationError("--slots: 2 to 1024") }
        guard (1...120).contains(subscriberLimit ?? 1) else { throw ValidationError("--subscriber-limit: 1 to 120") }
        guard channel != nil || source.defaultChannel != nil || !waitForCamera else {
            throw ValidationError("\(source) is not there yet, so it can't tell the channel's name: give --channel")
        }
        guard onDemand || linger == nil && warmUp == nil && exitWhenIdle == nil else {
            throw ValidationError("--linger, --warm-up, --exit-when-idle: need --on-demand")
        }
        guard copies != nil || copyFloor == nil else { throw ValidationError("--copy-floor: needs --copies") }
        if !source.isLibcamera, main != nil || lores != nil || raw {
            throw ValidationError(
                "--main, --lores, --raw: for cameras of libcamera's, see --source; --size and --format say what the stream "
                    + "'main' of any other source is"
            )
        }
        if !source.isCamera || source.isLibcamera { _ = try format?.known() }
        if source.isCamera {
            guard stream.isEmpty else {
                throw ValidationError(
                    "--stream: only the pattern has any; a V4L2 camera has 'main', libcamera --main, --lores and --raw"
                )
            }
            guard stallLimit == nil else {
                throw ValidationError("--stall-limit: for the pattern and files; a camera waits for nobody")
            }
            guard rate != 0 else { throw ValidationError("--rate 0: for the pattern; a camera has a rate of its own") }
            if source.isLibcamera {
                guard !waitForCamera else {
                    throw ValidationError(
                        "--wait-for-camera: for V4L2 cameras; --restart looks for one of libcamera's until it is there"
                    )
                }
                guard input == nil else { throw ValidationError("--input: for V4L2 cameras, see --source") }
                guard main == nil || size == nil && format == nil else {
                    throw ValidationError("--main: instead of --size and --format")
                }
            }
        } else {
            if source.isFile {
                guard size == nil, format == nil, stream.isEmpty else {
                    throw ValidationError(
                        "--size, --format, --stream: a video file is played as it is, see --speed"
                    )
                }
            }
            guard memory != .driver else { throw ValidationError("--memory driver: needs a camera, see --source") }
            guard control.isEmpty else { throw ValidationError("--control: needs a camera, see --source") }
            guard !checksum else {
                throw ValidationError("--checksum: needs a camera; the pattern is verified without, see --source")
            }
            guard frameTimeout == nil else { throw ValidationError("--frame-timeout: needs a camera, see --source") }
            guard input == nil else { throw ValidationError("--input: needs a V4L2 camera, see --source") }
            guard !waitForCamera else { throw ValidationError("--wait-for-camera: needs a camera, see --source") }
        }
    }

    func run() throws {
        if detach { return try DetachedPublisher.start() }
        let passed = try PassedSocket.take(for: channelName)
        guard passed == nil || !restart else {
            throw ValidationError(
                "--restart: a service manager has passed the socket, and starts the publisher again itself"
            )
        }
        let stop = try StopRequest(atEndOfInput: stopAtEOF)
        if restart {
            try PublisherSupervisor(channel: channelName, json: json, seconds: seconds, stop: stop).run()
        } else {
            try PublishSession(command: self, stop: stop, passed: passed).run()
        }
        try stop.throwIfInterrupted()
    }

    /// How the channel is to be offered, but for what its source says.
    func publisherOptions(_ passed: PassedSocket?) -> Publisher.Options {
        var options = Publisher.Options()
        options.passedSocket = passed
        options.isOwner = owner
        options.access = access.access
        options.access.control = controlAccess
        options.stallLimit = (stallLimit ?? sourcesStallLimit).duration
        options.leaseLimit = leaseLimit.duration
        if let subscriberLimit { options.subscriberLimit = subscriberLimit }
        options.lagCopies = copies.map { LagCopies($0.capacity, floor: copyFloor) }
        if case .pool(let preference)? = memory { options.memory = preference }
        return options
    }

    /// Whether and how the source sleeps while nobody reads; nil: it always runs.
    var demand: OnDemand? {
        guard onDemand else { return nil }
        let usual: OnDemand.WarmUp = if case .device = source { .frames(10) } else { .none }
        return OnDemand(linger: linger ?? .seconds(5), warmUp: warmUp ?? usual, idleLimit: exitWhenIdle)
    }

    /// A camera waits for nobody, nor does what stands for one; what has no time of its own goes as fast as its readers.
    private var sourcesStallLimit: LimitArgument {
        switch source {
        case .file: speed == 0 ? .never : .limit(.seconds(10))
        case .pattern: rate == 0 ? .never : .limit(.zero)
        case .device, .libcamera: .limit(.zero)
        }
    }

    /// Where ``validate()`` lets a source without one through, it fails before the name counts.
    var channelName: String { channel ?? source.defaultChannel ?? "camera" }
}

/// A length of time, or `never`.
enum LimitArgument: Sendable, Hashable, CustomStringConvertible {
    case limit(Duration)
    case never

    static func parse(_ text: String) throws -> LimitArgument {
        text == "never" ? .never : .limit(try DurationArgument.parse(text))
    }

    var duration: Duration? {
        if case .limit(let duration) = self { duration } else { nil }
    }

    var description: String {
        switch self {
        case .limit(let duration): Quantities.time(nanoseconds: duration.nanoseconds)
        case .never: "never"
        }
    }
}
