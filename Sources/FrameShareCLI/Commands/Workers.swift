import ArgumentParser
import FrameCommand
import FrameJSON
import FrameShare

/// `frameshare workers`
struct Workers: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Keep worker processes running that share the frames of a channel.",
        discussion: """
            Starts so many processes of a command, which join a group of the channel: each frame goes to one of \
            them, the least loaded, and its answer to whoever published it. One that dies is started again, after a \
            pause that doubles from 100 ms while it keeps dying; one that ends with exit code 0 is not. Ctrl-C and \
            SIGTERM let all of them finish what they are working on.

            A worker is any program that subscribes with a group: in Swift a FrameWorker of the module \
            FrameWorkers. It finds FRAMESHARE_CHANNEL, FRAMESHARE_GROUP (with --group), FRAMESHARE_RATE (with --rate) and \
            FRAMESHARE_WORKER (0, 1, ...) in its environment, and its standard input ends with this command.

            Examples:
              frameshare workers camera0 --count 4 -- ./detector
              frameshare workers camera0 --group faces --json -- ./detector
              frameshare top camera0

            Exit code 0 when every worker has ended with 0, 1 when the command can't be started.
            """
    )

    @OptionGroup var channel: ChannelArgument

    @Option(help: .init("How many processes.", valueName: "count"), transform: CountArgument.parse)
    var count: Int = 1

    @Option(help: .init("The group that they join. Left out: what the program says.", valueName: "name"))
    var group: String?

    @OptionGroup var wanted: RateOption

    @Option(
        help: .init("How long they may take to finish before they are killed. Left out: 10s.", valueName: "time"),
        transform: DurationArgument.parse
    )
    var grace: Duration = .seconds(10)

    @Option(
        help: .init("The longest pause before one is started again. Left out: 30s.", valueName: "time"),
        transform: DurationArgument.parse
    )
    var maxDelay: Duration = .seconds(30)

    @Flag(help: "Print one JSON object a line: each start and end of a worker.")
    var json = false

    @Argument(parsing: .postTerminator, help: "The command of one worker, after '--'.")
    var command: [String] = []

    func validate() throws {
        guard !command.isEmpty else {
            throw ValidationError("name the command of a worker after '--': 'frameshare workers camera0 -- ./detector'")
        }
        guard count <= 64 else { throw ValidationError("--count: at most 64") }
    }

    func run() throws {
        let stop = try StopRequest()
        let supervisor = WorkerSupervisor(
            command: command,
            channel: try channel.resolve(stop),
            group: group,
            rate: wanted.rate,
            count: count,
            grace: grace,
            longestDelay: maxDelay,
            report: { [json] event in Terminal.output.writeLine(json ? event.json.text : event.text) }
        )
        let task = try BlockingTask { try await supervisor.run() }
        stop.whenStopped { task.cancel() }
        try task.wait()
        try stop.throwIfInterrupted()
    }
}
