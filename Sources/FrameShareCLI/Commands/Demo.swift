import ArgumentParser
import FrameCommand
import FrameJSON
import FrameShare

/// `frameshare demo`
struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show it: one publisher, three readers, each a process of its own.",
        discussion: """
            Starts a publisher (a camera if there is one that you may use, else a test pattern) and three \
            subscribers: a preview that wants the latest frame, a recorder that wants every frame, and a detector \
            that is deliberately slow. Shows who gets and who loses what for ten seconds, in a browser too, and sums it up. Needs \
            nothing but this machine, and leaves nothing behind.

            Examples:
              frameshare demo
              frameshare demo --source pattern --seconds 3
              frameshare demo --json | tail -1

            Exit code 0 only when frames reached all three.
            """
    )

    @Option(
        help: .init(
            "pattern, or a device such as /dev/video0; left out: a camera if there is one.",
            valueName: "source"
        ),
        transform: SourceArgument.parse
    )
    var source: SourceArgument?

    @Option(
        help: .init("How long to show it. Left out: 10s.", valueName: "duration"),
        transform: DurationArgument.parse
    )
    var seconds: Duration = .seconds(10)

    @Flag(help: "Print JSON lines: the channel's state twice a second, then the summary.")
    var json = false

    func validate() throws {
        guard seconds >= .milliseconds(200) else { throw ValidationError("--seconds: at least 200ms") }
    }

    func run() throws {
        // Made first, removed last: children and this process find the same folder by the environment.
        let folder = try DemoFolder()
        defer { folder.remove() }
        let stop = try StopRequest()
        var show = DemoShow(stop: stop, terminal: .output, json: json)
        let summary = try show.run(source: source.map { "\($0)" }, for: seconds)
        Terminal.output.writeLine(json ? StyledText(summary.json.text) : summary.text)
        try stop.throwIfInterrupted()
        if let trouble = summary.trouble { throw CommandFailure(trouble) }
    }
}
