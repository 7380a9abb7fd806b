import ArgumentParser
import FrameCommand
import FrameSinks

/// `frameshare trigger`
struct SendTrigger: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trigger",
        abstract: "Let the recorders that wait for an event of a channel record a clip.",
        discussion: """
            For 'frameshare record CHANNEL --on-trigger', in whatever process: each that waits writes a clip, from \
            before this moment on. Triggers may follow each other closely: each gets a whole clip.

            Examples:
              frameshare record camera0-h264 -o clip.mp4 --on-trigger --pre 5s
              frameshare trigger camera0-h264
              frameshare trigger camera0-h264 --post 30s

            Exit code 0 when a recorder was told, 3 when none waits.
            """
    )

    @OptionGroup var channel: ChannelArgument

    @Option(
        help: .init("How long the clip goes on. Left out: what the recorder says.", valueName: "duration"),
        transform: DurationArgument.parse
    )
    var post: Duration?

    func run() throws {
        let name = try channel.resolve()
        let reached = try TriggerSocket.send(.init(post: post), channel: name)
        guard reached > 0 else {
            throw CommandFailure(
                "no recorder waits for a trigger of \(name). Start one: 'frameshare record \(name) -o clip.mp4 --on-trigger'",
                code: .channelLost
            )
        }
        Terminal.output.writeLine("told \(Quantities.counted(reached, "recorder"))")
    }
}
