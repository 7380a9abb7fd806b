import ArgumentParser
import FrameCommand
import FrameShare

/// `frameshare watch`
struct Watch: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Subscribe to a channel and measure what arrives.",
        discussion: """
            One subscriber. Each second it says the rate, the frames lost and where (by the camera, for want of a \
            free slot, by its own policy), and the latency from publication and from capture to here; at the end the \
            whole of it. It reads no pixels unless --verify asks for it.

            Examples:
              frameshare watch camera0
              frameshare watch camera0 --policy queue:4 --slow 100ms --seconds 10
              frameshare watch camera0 --rate 5 --size 640x360 --format RGB888
              frameshare watch camera0 --frames 300 --verify --json > frames.jsonl

            Exit code 3 when the channel is not there or ends otherwise than in order, 1 when --verify found a wrong \
            frame or fewer frames came than asked for.
            """
    )

    @OptionGroup var channel: ChannelArgument

    @Option(
        help: .init(
            "latest, queue:N, or every-frame, which can slow a file down. Left out: latest.",
            valueName: "policy"
        ),
        transform: PolicyArgument.parse
    )
    var policy: Policy = .latest

    @OptionGroup var wanted: WishOptions

    @Option(help: .init("Only this stream; repeat for more. All, when left out.", valueName: "name"))
    var stream: [String] = []

    @Option(help: .init("The name that 'top' shows. Left out: watch.", valueName: "name"))
    var name: String?

    @Option(
        help: .init("Frames it may hold at a time. Left out: what the publisher gives.", valueName: "frames"),
        transform: CountArgument.parse
    )
    var budget: Int?

    @Flag(help: "Reserve the budget: be refused at the start rather than lose frames to others.")
    var reserve = false

    @Option(
        help: .init("Hold each frame for so long, as slow work would.", valueName: "duration"),
        transform: DurationArgument.parse
    )
    var slow: Duration?

    @Option(help: .init("End after so long.", valueName: "duration"), transform: DurationArgument.parse)
    var seconds: Duration?

    @Option(help: .init("End after so many frames.", valueName: "count"), transform: CountArgument.parse)
    var frames: Int?

    @Flag(help: "Check the pixels: against the test pattern, or a checksum in the frame's metadata.")
    var verify = false

    @Flag(help: "When the publisher goes, wait for the channel to come back.")
    var reconnect = false

    @Flag(help: "Stop when standard input ends: for programs that start this one.")
    var stopAtEOF = false

    @Flag(help: "Print one JSON object a second, and one at the start and the end.")
    var json = false

    func run() throws {
        let stop = try StopRequest(atEndOfInput: stopAtEOF)
        var options = Subscriber.Options()
        options.name = name ?? "watch"
        options.budget = budget
        options.reserve = reserve
        options.reconnect = reconnect
        let channelName = try channel.resolve(stop)
        let wish = wanted.wish
        guard !wish.asksForPixels || stream.count <= 1 else {
            throw CommandFailure("of one stream can be wished: give one --stream", code: .usage)
        }
        if !wish.asksForPixels { options.atMost = wish.rate }
        let chosen = options
        let subscriber = try stop.leavingAtOnce {
            wish.asksForPixels
                ? try Subscriber(
                    channel: channelName,
                    wanting: wish,
                    stream: stream.first,
                    policy: policy,
                    options: chosen
                )
                : try Subscriber(channel: channelName, streams: stream, policy: policy, options: chosen)
        }
        stop.whenStopped { subscriber.interrupt() }

        var session = WatchSession(command: self, subscriber: subscriber, stop: stop)
        session.begin()
        let ending = session.follow()
        subscriber.close()
        session.finish(ending)
        switch ending {
        case .failed(let error): throw error
        case .stopped: try stop.throwIfInterrupted()
        case .time, .frames, .channelEnded: break
        }
        try session.throwIfUnsatisfied()
    }
}
