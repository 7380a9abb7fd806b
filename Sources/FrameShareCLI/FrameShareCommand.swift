import ArgumentParser
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
        subcommands: [BenchReader.self],
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
            CommandGroup(name: "Measure", subcommands: [Bench.self, BenchPublisher.self, BenchSubscriber.self]),
            CommandGroup(name: "Set up", subcommands: [Completions.self]),
        ]
    )
}

@main
enum EntryPoint {
    static func main() {
        do {
            var command = try FrameShareCommand.parseAsRoot(CommandArguments.texts)
            CommandArguments.hideSecrets()
            try command.run()
            try OutputFailure.check()
        } catch {
            end(with: error)
        }
    }

    /// Says what happened where it belongs, and leaves with the documented code.
    private static func end(with error: any Error) -> Never {
        switch error {
        case let code as ExitCode:
            if code.isSuccess { do { try OutputFailure.check() } catch { end(with: error) } }
            exit(code.rawValue)
        case is InterruptedByUser:
            exit(CommandFailure.Code.interrupted.rawValue)
        case let failure as CommandFailure:
            end(with: failure)
        default: break
        }
        let code = FrameShareCommand.exitCode(for: error)
        // Help and the version come as errors that mean success; usage errors are the parser's own.
        if code.isSuccess || code == .validationFailure {
            var message = FrameShareCommand.fullMessage(for: error)
            if code.isSuccess {
                if !message.isEmpty { Terminal.output.writeLines(of: message) }
                do { try OutputFailure.check() } catch { end(with: error) }
            } else {
                if message.hasPrefix("Error: ") { message.removeFirst("Error: ".count) }
                Terminal.errors.writeLines(of: "frameshare: " + CommandArguments.redacting(message))
            }
            exit(code.rawValue)
        }
        end(with: CommandFailure(describing: error))
    }

    private static func end(with failure: CommandFailure) -> Never {
        // Whatever the error is about: an address given where another word belongs has its secrets, too.
        Terminal.errors.writeLine("frameshare: " + CommandArguments.redacting(failure.message))
        exit(failure.code.rawValue)
    }
}
