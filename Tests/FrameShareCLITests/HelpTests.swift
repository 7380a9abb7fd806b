import CommandTesting
import Foundation
import Testing

@Suite("Help", .timeLimit(.minutes(10)))
struct HelpTests {
    static let commands = [
        "", "publish", "relay", "convert", "encode", "stream", "workers", "control", "stop", "list", "watch", "top",
        "view",
        "snapshot",
        "record",
        "trigger",
        "cat", "v4l2", "pipewire", "doctor", "cameras", "demo", "bench", "bench-publisher", "bench-subscriber",
        "completions",
    ]

    /// `FRAMESHARE_UPDATE_SNAPSHOTS=1 swift test --filter HelpTests` writes them anew.
    private static let snapshots = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Snapshots")

    @Test("the help of each command is the text that was reviewed", arguments: commands)
    func helpMatchesSnapshot(command: String) throws {
        let folder = try ChannelFolder()
        let run = try CommandRun((command.isEmpty ? [] : [command]) + ["--help"], in: folder).wait()
        #expect(run.code == 0)
        #expect(run.errors == "")
        let file = Self.snapshots.appendingPathComponent((command.isEmpty ? "frameshare" : command) + ".txt")
        if ProcessInfo.processInfo.environment["FRAMESHARE_UPDATE_SNAPSHOTS"] != nil {
            try run.output.write(to: file, atomically: true, encoding: .utf8)
        }
        #expect(run.output == (try String(contentsOf: file, encoding: .utf8)))
    }

    @Test("the help of each command shows how to use it", arguments: commands.dropFirst())
    func helpHasExamples(command: String) throws {
        let run = try frameshare(command, "--help", in: ChannelFolder())
        let examples = run.output.split(separator: "\n").filter { $0.contains("frameshare \(command)") }
        // One is the usage line.
        #expect(examples.count >= 3, "\(run.output)")
    }

    @Test("help fits a terminal of 80 columns", arguments: commands)
    func helpIsNarrow(command: String) throws {
        let run = try CommandRun((command.isEmpty ? [] : [command]) + ["--help"], in: try ChannelFolder()).wait()
        let long = run.output.split(separator: "\n").filter { $0.count > 80 }
        #expect(long.isEmpty)
    }

    @Test("without a command the help is shown")
    func bareCommandShowsHelp() throws {
        let folder = try ChannelFolder()
        let bare = try frameshare(in: folder)
        #expect(bare.output == (try frameshare("--help", in: folder)).output)
        #expect(bare.code == 0)
    }

    @Test("each shell gets a completion script that names the commands", arguments: ["bash", "zsh", "fish"])
    func completions(shell: String) throws {
        let run = try frameshare("completions", shell, in: ChannelFolder())
        #expect(run.code == 0)
        #expect(run.output.contains("frameshare"))
        #expect(run.output.contains("snapshot"))
    }
}
