import CommandTesting
import Foundation
import FrameShare
import Glibc
import Testing

@Suite("Where output goes", .timeLimit(.minutes(10)))
struct CommandOutputTests {
    /// Every command that says something on standard output, with what ends it soon.
    private static let commands = [
        "list", "list --all", "top cam --once", "top cam --seconds 20ms", "watch cam --frames 1",
        "watch cam --seconds 20ms",
        "doctor", "cameras", "completions bash", "--help", "publish --help", "--version", "control ctl",
        "control ctl a=1",
        "publish --channel other --size 64x64 --frames 1", "relay cam --as copy --seconds 20ms",
        "snapshot cam -o OUT.jpg", "record cam -o OUT.mkv --frames 1", "encode cam --as coded --frames 1",
        "view --listen 127.0.0.1:0", "cat cam --format raw --frames 1",
        "workers cam -- /bin/true", "help", "help publish", "--experimental-dump-help",
    ]
    /// They have no `--json`.
    private static let plainOnly = ["completions", "--", "help", "cat", "control ctl a"]

    private final class Source: ControllableSource {
        func listControls() throws(ControlError) -> [CameraControl] { [CameraControl(name: "a", kind: .integer)] }
        func setControl(_ setting: ControlSetting) throws(ControlError) -> String { "1" }
    }

    @Test("a full disk under standard output is an error of every command, as text and as JSON")
    func fullDisk() throws {
        let folder = try ChannelFolder()
        let camera = try folder.publisher("--size", "64x64", "--rate", "60")
        var options = Publisher.Options()
        options.directory = ChannelDirectory(path: folder.path)
        let layout = ImageLayout(
            width: 16,
            height: 8,
            format: .r8,
            planes: [PlaneLayout(offset: 0, stride: 16, size: 128)]
        )
        let publisher = try Publisher(channel: "ctl", streams: ["main": layout], slots: 4, options: options)
        let source = Source()
        try publisher.offerControls(of: source)
        // Asked of a build that lacks a part, a command fails for another reason, which is right, too.
        for command in Self.commands {
            let isPlainOnly = Self.plainOnly.contains { command.hasPrefix($0) }
            for json in isPlainOnly ? [""] : ["", " --json"] {
                var arguments = command.replacingOccurrences(of: "OUT", with: folder.scratchFile().path)
                if let end = arguments.range(of: " -- ") {
                    arguments.insert(contentsOf: json, at: end.lowerBound)
                } else {
                    arguments += json
                }
                let script = "exec timeout -s INT 20 '\(CommandRun.executable.path)' \(arguments) > /dev/full"
                let run = try CommandRun(["-c", script], of: URL(fileURLWithPath: "/bin/bash"), in: folder)
                let outcome = run.wait()
                #expect(outcome.code == 1, "\(arguments): \(outcome.code) \(outcome.errors)")
                #expect(outcome.errors.hasPrefix("frameshare: "), "\(arguments): \(outcome.errors)")
            }
        }
        camera.send(SIGTERM)
        #expect(camera.wait().code == 0)
        withExtendedLifetime((publisher, source)) {}
    }

    @Test("a reader that has had enough ends a command without a word")
    func brokenPipe() throws {
        let folder = try ChannelFolder()
        let camera = try folder.publisher("--size", "64x64", "--rate", "60")
        for command in ["list", "doctor", "top cam", "watch cam", "--help", "top cam --json --every 20ms", "cat cam"] {
            // The first line is read, then the pipe closed.
            let script =
                "set -o pipefail; timeout 60 '\(CommandRun.executable.path)' \(command) | head -c 1 > /dev/null"
            let run = try CommandRun(["-c", script], of: URL(fileURLWithPath: "/bin/bash"), in: folder).wait()
            // 141: SIGPIPE itself.
            #expect([0, 141].contains(run.code) && run.errors.isEmpty, "\(command): \(run.code) \(run.errors)")
        }
        camera.send(SIGTERM)
        #expect(camera.wait().code == 0)
    }

    @Test("Ctrl-C is heard at once while a publisher does not answer")
    func interruptedWhileStopped() throws {
        let folder = try ChannelFolder()
        let camera = try folder.publisher("--size", "64x64", "--rate", "60")
        let watch = try CommandRun(["watch", "cam", "--json"], in: folder)
        eventually { watch.outputSoFar.contains("second") }
        camera.stop()
        defer {
            camera.send(SIGCONT)
            camera.send(SIGTERM)
            _ = camera.wait()
        }
        let commands = [
            "watch cam", "top cam", "list", "control cam", "control cam a=1", "cat cam", "relay cam", "encode cam",
            "record cam -o \(folder.scratchFile().path).mkv", "snapshot cam -o \(folder.scratchFile().path).jpg",
            "stream cam udp://127.0.0.1:9", "watch cam --reconnect",
        ]
        // One that did not hear it would end with the error that nobody answered.
        func interrupt(_ command: String, _ run: CommandRun) {
            run.send(SIGINT)
            let outcome = run.wait()
            #expect(
                [130, -SIGINT].contains(outcome.code) || outcome.errors.contains("this build"),
                "\(command): \(outcome.code) \(outcome.errors)"
            )
        }
        interrupt("watch, running", watch)
        for command in commands {
            let run = try CommandRun(command.split(separator: " ").map(String.init), in: folder)
            // These two leave signals as they are.
            if command != "list", !command.hasPrefix("control") {
                eventually { !run.isRunning || Self.takesInterrupts(run.pid) }
            }
            interrupt(command, run)
        }
    }

    @Test("publishers that don't answer delay no look at others")
    func stoppedPublishers() throws {
        let folder = try ChannelFolder()
        let live = try folder.publisher("--size", "64x64", as: "live")
        let stopped = try (0..<12).map {
            try CommandRun(["publish", "--channel", "x\($0)", "--size", "16x16"], in: folder)
        }
        for run in stopped { eventually { run.outputSoFar.contains("Ctrl-C") } }
        for run in stopped { run.stop() }
        defer { for run in stopped { run.send(SIGKILL) } }
        // One after the other they would take 24 s.
        func soon(_ command: String) throws -> CommandRun.Outcome {
            let script = "exec timeout 20 '\(CommandRun.executable.path)' \(command)"
            return try CommandRun(["-c", script], of: URL(fileURLWithPath: "/bin/bash"), in: folder).wait()
        }
        let list = try soon("list --json")
        #expect(list.code == 0)
        let entries = try Document(list.output).elements
        #expect(entries.count == 13)
        #expect(try entries[0]["channel"].text == "live" && entries[0]["published"].int > 0)
        #expect(try entries.dropFirst().allSatisfy { try $0["error"].text.contains("answer") }, "\(list.output)")
        let top = try soon("top --once --json")
        #expect(top.code == 0, "\(top.errors)")
        #expect(try Document(top.output)["channel"].text == "live")
        #expect(try soon("list live").output.hasPrefix("live"))
        live.send(SIGTERM)
        #expect(live.wait().code == 0)
    }

    /// Whether it has got so far that a thread of its own takes SIGINT.
    private static func takesInterrupts(_ pid: pid_t) -> Bool {
        let status = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("SigBlk:") }) else { return false }
        let mask = UInt64(line.dropFirst(7).trimmingCharacters(in: .whitespaces), radix: 16) ?? 0
        return mask & 2 != 0
    }
}
