import ArgumentParser
import FrameCommand
import FrameJSON
import FrameShare
import FrameSinks

/// `frameshare snapshot`
struct TakeSnapshot: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot",
        abstract: "Save the next frame as a picture.",
        discussion: """
            The next frame that is published and not damaged, as PNG or JPEG by the file's ending. The file appears when it is whole. \
            Pictures need a build with --traits Snapshot (packages libpng-dev and libturbojpeg0-dev); without it, the \
            frames of MJPEG cameras can still be saved as .jpg, just as the camera made them.

            Examples:
              frameshare snapshot camera0 -o door.jpg
              frameshare snapshot camera0 --stream lores -o small.png
              frameshare snapshot camera0 --quality 75 --overwrite -o door.jpg

            Exit code 3 when the channel is not there.
            """
    )

    @OptionGroup var channel: ChannelArgument

    @Option(help: .init("Which image of the frame; left out: the first.", valueName: "name"))
    var stream: String?

    @Option(
        name: [.short, .long],
        help: .init("The file to write: .png, .jpg or .jpeg.", valueName: "file")
    )
    var output: String

    @Option(help: .init("Of JPEG, 1 to 100.", valueName: "percent"))
    var quality = 90

    @Option(
        help: .init("How long to wait for a frame. Left out: 10s.", valueName: "duration"),
        transform: DurationArgument.parse
    )
    var timeout: Duration = .seconds(10)

    @Option(
        help: .init("In pixels; 640x or x360 keeps the shape. Left out: as it is.", valueName: "WxH"),
        transform: WishedSize.parse
    )
    var size: WishedSize?

    @OptionGroup var geometry: WishGeometry

    @OptionGroup var damage: DamageOption

    @Flag(help: "Replace a file that is there.")
    var overwrite = false

    @Flag(help: "Print what was saved as one JSON object.")
    var json = false

    func validate() throws {
        guard SnapshotType(path: output) != nil else {
            throw ValidationError("-o \(output): the name must end in .png, .jpg or .jpeg")
        }
        guard (1...100).contains(quality) else { throw ValidationError("--quality: 1 to 100") }
    }

    func run() throws {
        let stop = try StopRequest()
        let name = try channel.resolve(stop)
        try WholeFile(path: output, overwrite: overwrite).checkPlace()
        let subscriber = try stop.leavingAtOnce {
            try Subscriber.ofOneStream(
                channel: name,
                stream: stream,
                wish: geometry.wish(size, nil, nil),
                policy: .latest,
                name: "snapshot"
            )
        }
        defer { subscriber.close() }
        stop.whenStopped { subscriber.interrupt() }
        let damaged = DamagedFrames(damage)
        let deadline = ContinuousClock.now + timeout
        do {
            // A frame that was captured before the command was given is not what its user wants to see.
            while true {
                // An interruption between two waits is seen here.
                if stop.isStopped { throw ChannelError.cancelled }
                let left = max(.zero, deadline - .now)
                guard let frame = try subscriber.nextBlocking(timeout: left) else {
                    throw CommandFailure(
                        "channel '\(name)' ended before a frame came\(damaged.text)",
                        code: .channelLost
                    )
                }
                guard !damaged.leaveOut(frame) else { continue }
                return try save(frame)
            }
        } catch ChannelError.cancelled {
            return try stop.throwIfInterrupted()
        } catch ChannelError.timedOut {
            let time = Quantities.time(nanoseconds: timeout.nanoseconds)
            throw CommandFailure(
                damaged.count > 0
                    ? "only damaged frames came in \(time) (\(damaged.count)). --damaged saves one as it is"
                    : "no frame came in \(time). See 'frameshare top \(name)'"
            )
        }
    }

    private func save(_ frame: borrowing Frame) throws {
        guard var type = SnapshotType(path: output), let image = frame.image(at: 0) else { return }
        if case .jpeg = type { type = .jpeg(quality: quality) }
        try Snapshot(type).write(image, to: output, overwrite: overwrite)
        let (stream, layout) = (image.name, image.layout)
        if json {
            Terminal.output.writeLine(
                JSONValue.object([
                    "file": .string(output), "sequence": .number(frame.sequence),
                    "timestamp_ns": .number(frame.timestamp.nanoseconds), "clock": .string("\(frame.timestamp.clock)"),
                    "stream": .string(stream), "width": .number(layout.width), "height": .number(layout.height),
                    "format": .string(layout.format.name),
                ]).text
            )
        } else {
            Terminal.output.writeLine(
                "\(output): frame \(frame.sequence), \(stream) \(layout.width)x\(layout.height) \(layout.format.name)"
            )
        }
    }
}
