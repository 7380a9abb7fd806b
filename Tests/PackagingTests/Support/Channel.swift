import CommandTesting
import Foundation
import Testing

/// A published test pattern in a channel folder of its own, as the service makes it.
struct Channel {
    let folder: ChannelFolder
    let publisher: CommandRun

    /// Starts `frameshare publish`, and waits until it answers.
    /// - Parameter below: a program that runs it, with that program's arguments
    init(_ name: String, _ options: String..., below: [String] = []) throws {
        folder = try ChannelFolder()
        let command = below + [CommandRun.executable.path, "publish", "--channel", name] + options
        publisher = try CommandRun(
            Array(command.dropFirst()) + ["--size", "160x120", "--rate", "60", "--json"],
            of: URL(fileURLWithPath: command[0]),
            in: folder
        )
        let publisher = publisher
        try eventually {
            if !publisher.isRunning {
                throw Installation.Failed(description: "the publisher ended: \(publisher.wait())")
            }
            return publisher.outputSoFar.contains("\n")
        }
    }

    /// Ends it, and gives what it wrote.
    func end() -> CommandRun.Outcome {
        publisher.send(SIGTERM)
        return publisher.wait()
    }
}
