import CommandTesting
import Foundation
import Glibc
import Testing

// Commands that run beside each other, each in a process of its own.
extension ChannelFolder {
    /// Starts `frameshare publish`, and waits until the channel can be asked.
    func publisher(_ options: String..., as channel: String = "cam") throws -> CommandRun {
        try publisher(options, as: channel)
    }

    func publisher(_ options: [String], as channel: String = "cam") throws -> CommandRun {
        let run = try CommandRun(["publish", "--channel", channel, "--json"] + options, in: self)
        try eventually { try !run.isRunning || frameshare("top", channel, "--once", in: self).code == 0 }
        return run
    }

    /// Starts a command with `--json`, and waits until it says that it has started.
    func started(_ arguments: [String]) throws -> CommandRun {
        let run = try CommandRun(arguments + ["--json"], in: self)
        eventually { !run.isRunning || run.outputSoFar.contains("\"start\"") }
        return run
    }

    /// Runs a script of bash that may mount file systems, which end with it.
    func mounting(_ script: String) throws -> CommandRun.Outcome {
        let own = geteuid() == 0 ? ["--mount"] : ["--user", "--map-root-user", "--mount"]
        let unshare = try #require(CommandRun.installed("unshare"))
        return try CommandRun(own + ["bash", "-c", script], of: unshare, in: self).wait()
    }

    /// Starts a server that a program of Python's is, and waits until it says that it is ready.
    func server(_ program: String) throws -> CommandRun {
        let python = try #require(CommandRun.installed("python3"), "Scripts/install-packages test installs it")
        let run = try CommandRun(["-c", program], of: python, in: self)
        eventually { !run.isRunning || run.outputSoFar.contains("ready") }
        try #require(run.isRunning, "\(run.errorsSoFar)")
        return run
    }

    /// A channel's state.
    func top(_ channel: String = "cam") throws -> Document {
        try Document(try frameshare("top", channel, "--once", "--json", in: self).output)
    }

    /// Ends a command, which it must do in order; the last line of what it told, which sums it up.
    func end(_ run: CommandRun) throws -> Document {
        run.send(SIGTERM)
        let outcome = run.wait()
        #expect(outcome.code == 0, "\(outcome.errors)")
        return try #require(try Document.lines(outcome.output).last)
    }
}
