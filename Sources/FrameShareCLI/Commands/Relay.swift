import ArgumentParser
import FrameCommand
import FrameShare

/// `frameshare relay`
struct Relay: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Copy a channel's frames into a pool of your size, as another channel.",
        discussion: """
            For readers that lag: an encoder that falls behind for a second holds copies in ordinary memory, and the \
            camera has all its buffers. Each frame is copied and given back at once; the copy has the original's \
            number, time and metadata. Whoever reads the copies loses nothing of the camera's; when the pool is full, \
            the newest frame is left out and counted. The memory is told before it is taken.

            Examples:
              frameshare relay camera0 --slots 120
              frameshare relay camera0 --as door --crop 640x480+320+0 --bytes 512M
              frameshare relay camera0 --every 10 --hold 30s
              frameshare cat camera0-copy --policy every-frame | slow-program

            Exit code 0 when the channel has ended in order or after SIGTERM, 3 when it is not there or was lost, 64 \
            when a crop would cut through pixels that belong together.
            """
    )

    @OptionGroup var channel: ChannelArgument

    @Option(name: .customLong("as"), help: .init("Of the copies. Left out: CHANNEL-copy.", valueName: "channel"))
    var name: String?

    @Option(help: .init("Which image to copy; repeat for more. Left out: all.", valueName: "name"))
    var stream: [String] = []

    @Option(
        help: .init("Only this rectangle; for one of several streams: name=WxH+X+Y.", valueName: "WxH+X+Y"),
        transform: CropArgument.parse
    )
    var crop: [CropArgument] = []

    @Option(help: .init("Copy one frame in so many.", valueName: "count"), transform: CountArgument.parse)
    var every: Int = 1

    @Option(
        help: .init("Copy at most so many frames a second.", valueName: "fps"),
        transform: FrameRateArgument.parse
    )
    var maxRate: Double?

    @Option(
        help: .init("Frames that the pool holds. Left out: 32.", valueName: "count"),
        transform: CountArgument.parse
    )
    var slots: Int?

    @Option(
        help: .init("Or: as many frames as fit into so much memory.", valueName: "amount"),
        transform: ByteCountArgument.parse
    )
    var bytes: Int?

    @Option(
        help: .init("Or: the frames of so long a time.", valueName: "duration"),
        transform: DurationArgument.parse
    )
    var hold: Duration?

    @OptionGroup var access: AccessOptions

    @Flag(help: "When the publisher goes, wait for the channel to come back.")
    var reconnect = false

    @Option(help: .init("End after so long.", valueName: "duration"), transform: DurationArgument.parse)
    var seconds: Duration?

    @Flag(help: "Stop when standard input ends: for programs that start this one.")
    var stopAtEOF = false

    @Flag(help: "Print one JSON object: at the plan, the start and the end.")
    var json = false

    func validate() throws {
        guard [slots != nil, bytes != nil, hold != nil].filter({ $0 }).count <= 1 else {
            throw ValidationError("give one of --slots, --bytes and --hold")
        }
        if let slots, !(2...1024).contains(slots) { throw ValidationError("--slots: 2 to 1024") }
        guard maxRate != 0 else { throw ValidationError("--max-rate: more than 0") }
    }

    func run() throws {
        let stop = try StopRequest(atEndOfInput: stopAtEOF)
        try RelaySession(command: self, source: try channel.resolve(stop), stop: stop).run()
        try stop.throwIfInterrupted()
    }
}
