import ArgumentParser
import FrameCommand
import FrameJSON
import FrameShare

/// `frameshare bench-publisher`
struct BenchPublisher: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-publisher",
        abstract: "One side of a benchmark: publish, and say what it cost.",
        discussion: """
            For harnesses that compare ways to hand frames over. Waits for --readers subscribers, publishes --frames \
            frames after \(BenchPublishing.warmUp) that are not counted, ends the channel, and prints one line of JSON: \
            frames, lost (for want of a free slot), publish_ns (percentiles of how long publishing took), \
            cpu_ns_per_frame (all threads, pacing and filling included), wall_ns, max_rss_bytes, private_bytes, \
            pss_bytes. Each frame begins with its number and the stamp that was taken just before it was published, \
            8 bytes each, CLOCK_MONOTONIC in ns.

            Examples:
              frameshare bench-publisher --channel x --size 3110400 --readers 8 \\
                --rate 120 --frames 600
              frameshare bench-publisher --channel x --size 36000000 --rate 0

            Exit code 1 when the readers did not come.
            """
    )

    @Option(help: .init("The channel to make.", valueName: "name"))
    var channel: String

    @Option(
        help: .init("Bytes of a frame. Left out: 3110400, a 1080p YUV420 image.", valueName: "bytes"),
        transform: CountArgument.parse
    )
    var size = 3_110_400

    @Option(help: .init("Subscribers to wait for. Left out: 1.", valueName: "count"), transform: CountArgument.parse)
    var readers = 1

    @Option(
        help: .init("Frames a second; 0 is as fast as readers follow, losing none.", valueName: "fps"),
        transform: FrameRateArgument.parse
    )
    var rate = 120.0

    @Option(help: .init("Frames to count. Left out: 600.", valueName: "count"), transform: CountArgument.parse)
    var frames = 600

    @Option(help: "How much of each frame is written.")
    var fill: BenchTouch = .header

    @Option(
        help: .init("Slots of the pool. Left out: what the readers need.", valueName: "count"),
        transform: CountArgument.parse
    )
    var slots: Int?

    @Option(
        help: .init("memfd, heap, heap:NAME, udmabuf or auto. Left out: memfd.", valueName: "memory"),
        transform: { text in
            guard case .pool(let preference) = try MemoryArgument.parse(text) else {
                throw ValidationError("a benchmark has no driver: give memfd, heap, heap:NAME, udmabuf or auto")
            }
            return preference
        }
    )
    var memory: MemoryPreference = .memfd

    @Option(
        help: .init("How long to wait for the readers. Left out: 20s.", valueName: "duration"),
        transform: DurationArgument.parse
    )
    var patience: Duration = .seconds(20)

    func validate() throws {
        guard size >= BenchHeader.size else { throw ValidationError("--size: at least \(BenchHeader.size) bytes") }
        guard readers <= 100 else { throw ValidationError("--readers: at most 100") }
    }

    func run() throws {
        let stop = try StopRequest()
        let publishing = BenchPublishing(
            channel: channel,
            size: size,
            readers: readers,
            rate: rate,
            frames: frames,
            fill: fill,
            slots: slots,
            memory: memory,
            patience: patience
        )
        Terminal.output.writeLine(try publishing.run(stop).json.text)
        try stop.throwIfInterrupted()
    }
}
