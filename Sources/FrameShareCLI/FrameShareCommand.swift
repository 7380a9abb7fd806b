import ArgumentParser
import FrameCommand
import FrameShare
import FrameShareCHeader
import Glibc

/// The command `frameshare`.
struct FrameShareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "frameshare",
        abstract: "One camera, many programs, the same pixels.",
        discussion: """
            A publisher owns a camera and offers its frames under a channel's name; any number of programs read \
            them in the very memory the camera wrote. Nothing is copied, and the camera never waits for a reader.

            See it work, with nothing but this machine:
              frameshare demo

            Share a camera, and look at it from another terminal:
              frameshare publish --source /dev/video0 --channel camera0
              frameshare watch camera0
              frameshare top camera0

            Channels are sockets in $FRAMESHARE_DIR, else $XDG_RUNTIME_DIR/frameshare, else /run/frameshare (root).

            Exit codes: 0 done; 1 failed; 3 the channel is not there, or ended otherwise than in order; 64 wrong \
            usage; 130 stopped by Ctrl-C. SIGTERM ends a command in order. Errors go to standard error. Colours appear \
            on a terminal only, and never with NO_COLOR set.
            """,
        version: String(cString: fs_c_version()),
        groupedSubcommands: [
            CommandGroup(name: "Start here", subcommands: [Demo.self, Doctor.self, Cameras.self]),
            CommandGroup(
                name: "Share",
                subcommands: [
                    Publish.self, Relay.self, Convert.self, Encode.self, SendStream.self, Workers.self, Control.self,
                    Stop.self,
                ]
            ),
            CommandGroup(name: "Look", subcommands: [List.self, Watch.self, Top.self, View.self]),
            CommandGroup(name: "Take", subcommands: [TakeSnapshot.self, Record.self, SendTrigger.self, Cat.self]),
            CommandGroup(name: "Lend to other systems", subcommands: [V4L2.self, PipeWire.self]),
            CommandGroup(name: "Measure", subcommands: [Bench.self, BenchPublisher.self, BenchSubscriber.self]),
            CommandGroup(name: "Set up", subcommands: [Completions.self]),
        ]
    )
}

@main
enum EntryPoint {
    static func main() {
        do throws(CommandFailure) {
            try BenchProgram.runIfAsked(CommandArguments.texts)
        } catch {
            CommandEntry<FrameShareCommand>.end(with: error)
        }
        CommandEntry.run(FrameShareCommand.self)
    }
}
