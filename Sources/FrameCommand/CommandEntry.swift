package import ArgumentParser
internal import Glibc

/// How a program of FrameShare's begins and ends: its errors are said on standard error, its exit codes are documented in
/// `frameshare --help`.
package struct CommandEntry<Root: ParsableCommand> {
    /// Parses the command line, runs the command, and leaves when it has ended.
    package static func run(_ root: Root.Type) -> Never {
        do {
            var command = try Root.parseAsRoot(CommandArguments.texts)
            CommandArguments.hideSecrets()
            try command.run()
            try OutputFailure.check()
        } catch {
            end(with: error)
        }
        exit(0)
    }

    /// Says what happened where it belongs, and leaves with the documented code.
    package static func end(with error: any Error) -> Never {
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
        let code = Root.exitCode(for: error)
        // Help and the version come as errors that mean success; usage errors are the parser's own.
        if code.isSuccess || code == .validationFailure {
            var message = Root.fullMessage(for: error)
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
