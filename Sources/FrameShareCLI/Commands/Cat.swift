import ArgumentParser
import FrameCommand
import FrameShare
import FrameSinks
import PixelFormats

/// `frameshare cat`
struct Cat: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a channel's frames to a pipe, for ffmpeg and others.",
        discussion: """
            y4m says size, rate and format itself, so the reader needs no options; it holds YUV and grey. raw is the \
            pixels alone, without the padding of rows, of any format (compressed frames just as they are).

            Examples:
              frameshare cat camera0 | ffmpeg -i - -c:v libx264 out.mp4
              frameshare cat camera0 | ffplay -
              frameshare cat camera0 --format raw --frames 1 > frame.bin

            Damaged frames are left out, and counted on standard error at the end. With --policy every-frame a file waits for a slow reader; a camera waits for nobody, and what the reader had no room for is lost. \
            Exit code 3 when the channel is not there or ends otherwise than in order; 0 when the reader of the pipe \
            has had enough.
            """
    )

    enum Format: String, CaseIterable, ExpressibleByArgument {
        case y4m
        case raw
    }

    @OptionGroup var channel: ChannelArgument

    @Option(help: .init("Which image of the frames; left out: the first.", valueName: "name"))
    var stream: String?

    @Option(help: "y4m or raw.")
    var format: Format = .y4m

    @Option(help: .init("End after so many frames.", valueName: "count"), transform: CountArgument.parse)
    var frames: Int?

    @Option(
        help: .init("latest, queue:N, or every-frame. Left out: queue:4.", valueName: "policy"),
        transform: PolicyArgument.parse
    )
    var policy: Policy = .queue(4)

    @Option(
        help: .init(
            "At most so many frames a second, evenly; y4m says so, too. Left out: all, and what the source says, else 30.",
            valueName: "fps"
        ),
        transform: WantedRateArgument.parse
    )
    var rate: Double?

    @Option(
        help: .init("In pixels; 640x or x360 keeps the shape. Left out: as it is.", valueName: "WxH"),
        transform: WishedSize.parse
    )
    var size: WishedSize?

    @Option(
        help: .init("The format of the pixels, such as RGB888 or YUV420. Left out: as it is.", valueName: "name"),
        transform: WishedFormat.parse
    )
    var pixels: PixelFormat?

    @OptionGroup var geometry: WishGeometry

    @OptionGroup var damage: DamageOption

    func run() throws {
        guard !Terminal.output.isTerminal else {
            throw CommandFailure(
                "pixels are not for a terminal. Write to a pipe or a file: 'frameshare cat ... | ffplay -'",
                code: .usage
            )
        }
        let stop = try StopRequest()
        let name = try channel.resolve(stop)
        let subscriber = try stop.leavingAtOnce {
            try Subscriber.ofOneStream(
                channel: name,
                stream: stream,
                wish: geometry.wish(size, pixels, rate),
                policy: policy,
                name: "cat"
            )
        }
        defer { subscriber.close() }
        stop.whenStopped { subscriber.interrupt() }
        let damaged = DamagedFrames(damage)
        defer {
            if damaged.count > 0 {
                Terminal.errors.writeLine("left out \(Quantities.counted(damaged.count, "damaged frame"))")
            }
        }
        do {
            try copy(from: subscriber, damaged, stop)
        } catch SinkError.readerClosed {
            return
        } catch ChannelError.cancelled {
            try stop.throwIfInterrupted()
        }
    }

    /// Nil at the channel's end. An interruption between two waits is seen by the look at `stop`.
    private func next(_ subscriber: Subscriber, _ stop: StopRequest) throws(ChannelError) -> Frame? {
        while !stop.isStopped {
            do throws(ChannelError) {
                return try subscriber.nextBlocking(timeout: .milliseconds(250))
            } catch {
                guard error.isTimeout else { throw error }
            }
        }
        throw .cancelled
    }

    private func copy(from subscriber: Subscriber, _ damaged: DamagedFrames, _ stop: StopRequest) throws {
        var writer = FrameWriter(format: format, rate: rate)
        var left = frames ?? .max
        while left > 0, let frame = try next(subscriber, stop) {
            guard !damaged.leaveOut(frame) else { continue }
            try writer.write(frame)
            left -= 1
        }
        if let frames, left > 0, !stop.isStopped {
            throw CommandFailure(
                "the channel ended after \(frames - left) of \(frames) frames",
                code: .channelLost
            )
        }
    }
}

extension Subscriber {
    /// Subscribes to one stream: the one named, or the channel's first.
    static func ofOneStream(
        channel: String,
        stream: String?,
        policy: Policy,
        name: String,
        reconnect: Bool = false,
        atMost: Double? = nil
    ) throws(ChannelError) -> Subscriber {
        var options = Options()
        options.name = name
        options.reconnect = reconnect
        options.atMost = atMost
        if let stream { return try Subscriber(channel: channel, streams: [stream], policy: policy, options: options) }
        let monitor = try ChannelMonitor(channel: channel)
        let first = try monitor.snapshot().streams.first.map { [$0.stream.name] } ?? []
        return try Subscriber(channel: channel, streams: first, policy: policy, options: options)
    }
}
