import ArgumentParser
import FrameCommand
import FrameConversion
import FrameJSON
import FrameShare
import Glibc

/// `frameshare convert`
struct Convert: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Convert a channel's frames once, for all who want the same.",
        discussion: """
            Decodes MJPEG, H.264 and HEVC, changes size and format, cuts out a part, turns and mirrors, and publishes the \
            result as another channel. A converted frame has its original's number, time and metadata, and where its pixels \
            lie in the original (OriginalPlace). What comes while a frame is converted is this command's own loss.

            Programs that ask for such frames by themselves ('frameshare watch --size', Python's size=) need no such \
            command: they share one that is started for them and ends after them.

            Sizes are changed by the mean of what a pixel covers (--filter area). YUV is taken as its stream says: where it \
            says nothing, as Rec. 601, limited (MJPEG: full). Red, green, blue and grey have the full range.

            Examples:
              frameshare convert camera0 --size 640x360 --format RGB888 --rate 10
              frameshare convert camera0 --as door --crop 800x600+100+0 --rotate 90
              frameshare convert camera0-h264 --format YUV420

            Exit code 0 when the channel has ended in order or after SIGTERM, 3 when it is not there or was lost, 64 for what \
            no converter can make.
            """
    )

    @OptionGroup var channel: ChannelArgument

    @Option(
        name: .customLong("as"),
        help: .init("Of what is converted. Left out: CHANNEL-converted.", valueName: "channel")
    )
    var name: String?

    @Option(help: .init("Which image to convert; left out: the first.", valueName: "name"))
    var stream: String?

    @OptionGroup var wanted: WishOptions

    @Option(help: .init("Frames that its pool holds. Left out: 6.", valueName: "count"), transform: CountArgument.parse)
    var slots = 6

    @Option(
        help: .init("End once nobody has read it for so long. Left out: never.", valueName: "duration"),
        transform: DurationArgument.parse
    )
    var linger: Duration?

    @OptionGroup var access: AccessOptions

    @Option(help: .init("End after so long.", valueName: "duration"), transform: DurationArgument.parse)
    var seconds: Duration?

    @Flag(help: "Stop when standard input ends: for programs that start this one.")
    var stopAtEOF = false

    @Flag(help: "Print one JSON object at the start and the end.")
    var json = false

    /// Started by a subscriber: says "ready", and nothing after.
    @Flag(help: .hidden)
    var hidden = false

    func validate() throws {
        guard (2...1024).contains(slots) else { throw ValidationError("--slots: 2 to 1024") }
    }

    func run() throws {
        let stop = try StopRequest(atEndOfInput: stopAtEOF)
        let source = try channel.resolve(stop)
        let name = name ?? source + "-converted"
        var options = ConversionStage.Options()
        (options.stream, options.slots, options.linger) = (stream, slots, linger)
        options.publisher.access = access.access
        let stage = try stop.leavingAtOnce { try ConversionStage(of: source, wanted.wish, options: options) }
        stop.whenStopped { stage.stop() }
        if let seconds { try stop.after(seconds) { stage.stop() } }
        let publisher = try stage.open(as: name)
        tellStart(name, source, stage.plan)
        defer { tellEnd(source, stage.statistics) }
        try stage.run(on: publisher)
        try stop.throwIfInterrupted()
    }

    private func tellStart(_ name: String, _ source: String, _ plan: ConversionPlan) {
        if hidden {
            Terminal.output.writeLine("ready")
            // From here on it belongs to nobody: neither to a terminal nor to a folder.
            let null = open("/dev/null", O_RDWR)
            for output in [STDOUT_FILENO, STDERR_FILENO] { dup2(null, output) }
            _ = chdir("/")
        } else if json {
            Terminal.output.writeLine(
                JSONValue.object([
                    "event": "start", "channel": .string(source), "as": .string(name),
                    "layout": .string("\(plan.output)"),
                    "steps": .strings(plan.steps.map(\.text)),
                ]).text
            )
        } else {
            Terminal.output.writeLine(StyledText(name, .bold) + ": \(source) as \(plan.output)")
            for step in plan.steps { Terminal.output.writeLine("  \(step.text)") }
        }
    }

    private func tellEnd(_ source: String, _ done: ConversionStage.Statistics) {
        guard !hidden else { return }
        let each = done.converted > 0 ? done.convertingTime / Int64(clamping: done.converted) : 0
        if json {
            Terminal.output.writeLine(
                JSONValue.object([
                    "event": "end", "channel": .string(source), "converted": .number(done.converted),
                    "damaged": .number(done.damaged), "no_room": .number(done.noRoom), "each_ns": .number(each),
                    "lost": .object([
                        "source": .number(done.lost.source), "no_free_slot": .number(done.lost.noFreeSlot),
                        "policy": .number(done.lost.policy),
                    ]),
                ]).text
            )
            return
        }
        var text =
            "converted \(Quantities.counted(done.converted, "frame")), \(Quantities.time(nanoseconds: each)) each"
        text += "; lost by the source \(done.lost.source), there for want of a free slot \(done.lost.noFreeSlot), "
        text += "while converting another \(done.lost.policy), for want of room in its pool \(done.noRoom)"
        if done.damaged > 0 {
            text += "; left out \(Quantities.counted(done.damaged, "damaged frame")) (\(done.complaint))"
        }
        Terminal.output.writeLine(text)
    }
}

extension ConversionPlan.Step {
    /// For people.
    fileprivate var text: String {
        switch self {
        case .decodeJPEG(let divisor): divisor == 1 ? "decode MJPEG" : "decode MJPEG at 1/\(divisor) of its size"
        case .decodePackets(let format): "decode \(format)"
        case .unpack(let format): "unpack to \(format)"
        case .crop(let crop): "cut out \(crop)"
        case .scale(let width, let height, let format, let filter):
            "to \(width)x\(height) of \(format) (\(filter.rawValue))"
        case .turn(let rotation, let mirror): "turn by \(rotation.rawValue) degrees" + (mirror ? ", mirror" : "")
        }
    }
}
