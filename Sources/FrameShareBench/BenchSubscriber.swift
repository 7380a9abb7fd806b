import ArgumentParser
import FrameCommand
import FrameJSON
import FrameShare

/// `frameshare bench-subscriber`
struct BenchSubscriber: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-subscriber",
        abstract: "The other side of a benchmark: read, and say what it cost.",
        discussion: """
            Reads the channel of a bench-publisher (which may be started later) until it ends, and prints one line of \
            JSON: frames, lost, latency_ns (percentiles, from the publisher's stamp to the frame in hand), \
            cpu_ns_per_frame (all threads), wall_ns, max_rss_bytes, private_bytes, pss_bytes, torn (frames whose \
            pixels were not those that were published: there are none).

            Examples:
              frameshare bench-subscriber --channel x --policy every-frame
              frameshare bench-subscriber --channel x --policy latest --touch all

            Exit code 3 when the channel does not come or ends otherwise than in order.
            """
    )

    @Option(help: .init("The channel to read.", valueName: "name"))
    var channel: String

    @Option(
        help: .init("latest, queue:N, or every-frame.", valueName: "policy"),
        transform: PolicyArgument.parse
    )
    var policy: Policy = .everyFrame

    @Option(help: "How much of each frame is read.")
    var touch: BenchTouch = .header

    @Flag(help: "Look for frames without ever sleeping: fastest, and takes a core.")
    var spin = false

    @Option(
        help: .init("How long to wait for the channel. Left out: 20s.", valueName: "duration"),
        transform: DurationArgument.parse
    )
    var patience: Duration = .seconds(20)

    func run() throws {
        let stop = try StopRequest()
        let reading = BenchReading(channel: channel, policy: policy, touch: touch, spins: spin, patience: patience)
        Terminal.output.writeLine(try reading.run(stop).json.text)
        try stop.throwIfInterrupted()
    }
}
