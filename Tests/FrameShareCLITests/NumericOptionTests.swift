import ArgumentParser
import CommandTesting
import Foundation
import Glibc
import Synchronization
import Testing

@testable import FrameShareBench
@testable import FrameShareCLI

/// Every option of every command that takes a number, at the values at which arithmetic goes wrong. The options are those
/// that the parser itself lists, so a new one is tested without being named here.
@Suite("Numbers on the command line", .timeLimit(.minutes(20)))
struct NumericOptionTests {
    struct NumericOption: Sendable {
        var command: String
        var name: String
        var kind: String
    }

    private static let plain = [
        "0", "1", "-1", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "18446744073709551615",
        "4294967296", "99999999999999999999999999", "nan", "inf", "-inf", "1e308", "1e-300", "", "0x10", "+5",
    ]
    private static let times = [
        "1ns", "0.4ns", "999999999999999999ns", "1e9s", "999999999s", "277777h", "1e300h", "nanms", "-1ns", "infs",
        "1 s",
    ]
    private static let amounts = ["1k", "0.1k", "1e17", "1023P", "1e300G", "nanM", "-1M", "infK", "1048575M"]
    private static let rates = [
        "1/0", "0/0", "1e308/1e-308", "30000/1001", "1/100000", "99999.9", "0.000001", "/1", "1/",
    ]
    private static let sizes = [
        "0x0", "1x1", "65536x1", "1x65536", "65537x1", "9223372036854775807x9223372036854775807", "-1x-1", "nanxnan",
        "x",
    ]

    /// What values there are besides the plain ones, by what help calls the value.
    private static let numeric: [String: [String]] = [
        "count": [], "frames": [], "duration": times, "time": times, "amount": amounts, "bytes": amounts,
        "rate": amounts,
        "fps": rates, "factor": [], "quality": [], "percent": [], "octal": ["777", "7777777777777777777777777"],
        "WxH": sizes, "WxH[:format]": sizes, "name=WxH[:format]": sizes.map { "s=" + $0 },
        "WxH+X+Y": sizes.flatMap { [$0 + "+0+0", $0 + "+9223372036854775807+9223372036854775807"] },
        "n,n": ["1,1", ",", "1,nan", "16,16"],
        "address:port": ["127.0.0.1:0", "127.0.0.1:-1", "127.0.0.1:65536", ":1"],
        "policy": ["queue:0", "queue:-1", "queue:1", "queue:9223372036854775807", "queue:99999999999999999999"],
        "user": [], "size": amounts, "way": [], "reader": [], "publisher": [],
    ]
    /// Those that take none.
    private static let others: Set<String> = [
        // Choices, of which none is any other number.
        "degrees", "filter",
        "channel", "codec", "file", "fill", "format", "input", "memory", "name", "name=value", "path", "preset",
        "profile",
        "source", "text", "touch", "who",
    ]

    /// What makes a command end soon, or begin at all, with the value for `OPTION`.
    private static func arguments(_ option: NumericOption, _ value: String, _ scratch: String) -> [String] {
        let number = "\(option.command)-\(option.name)"
        var words: [String] =
            switch option.command {
            case "demo": ["demo", "--source", "pattern", "--json"]
            case "publish": ["publish", "--channel", number, "--source", "pattern", "--frames=2"]
            case "relay": ["relay", "cam", "--as", number, "--seconds=30ms"]
            case "encode": ["encode", "cam", "--as", number, "--frames=2"]
            case "stream": ["stream", "cam", "udp://127.0.0.1:9", "--frames=2"]
            case "watch": ["watch", "cam", "--frames=1"]
            case "top": ["top", "cam", "--seconds=30ms"]
            case "snapshot": ["snapshot", "cam", "-o", scratch + ".jpg"]
            case "record": ["record", "cam", "-o", scratch + ".mkv", "--frames=2"]
            case "cat": ["cat", "cam", "--frames=1", "--format", "raw"]
            case "view": ["view", "--listen=127.0.0.1:0"]
            case "bench": ["bench", "--quick"]
            case "bench-publisher": ["bench-publisher", "--channel", number]
            case "bench-subscriber": ["bench-subscriber", "--channel", "cam"]
            case "bench-reader":
                ["bench-reader", "--way=0", "--reader=0", "--publisher=1", "--size=64", "--touch=header"]
            case "trigger", "workers": [option.command, "cam"]
            default: [option.command]
            }
        words.removeAll { $0.hasPrefix("--\(option.name)=") }
        if option.command == "publish", !["size", "main", "lores"].contains(option.name) {
            words += ["--size", "64x64"]
        }
        if option.name == "speed" { words = ["publish", "--channel", number, "--source", scratch + ".mkv"] }
        if option.name == "copy-floor" { words += ["--copies", "4"] }
        if ["pre", "post"].contains(option.name), option.command == "record" { words += ["--on-trigger"] }
        if ["main", "lores"].contains(option.name) { words += ["--source", "libcamera"] }
        words.append("--\(option.name)=\(value)")
        if option.command == "workers" { words += ["--", "/bin/true"] }
        return words
    }

    /// The program whose commands measure.
    private static let bench = CommandRun.built("frameshare-bench")

    private static func program(of arguments: [String]) -> URL {
        arguments[0].hasPrefix("bench") ? bench : CommandRun.executable
    }

    /// Why it is refused; nil: it isn't.
    private static func refusal(of arguments: [String]) -> (code: ExitCode, text: String)? {
        func refusal<Root: ParsableCommand>(by root: Root.Type) -> (code: ExitCode, text: String)? {
            do {
                _ = try root.parseAsRoot(arguments)
                return nil
            } catch {
                return (root.exitCode(for: error), root.fullMessage(for: error))
            }
        }
        return program(of: arguments) == bench ? refusal(by: FrameShareBench.self) : refusal(by: FrameShareCommand.self)
    }

    static func options() throws -> [NumericOption] {
        let commands = try [CommandRun.executable, bench].flatMap { program in
            let folder = try ChannelFolder()
            // What it writes lies in the folder, which goes with its last use.
            let dump = try withExtendedLifetime(folder) {
                try CommandRun(["--experimental-dump-help"], of: program, in: folder).wait()
            }
            return try Document(dump.output)["command"]["subcommands"].elements
        }
        var options: [NumericOption] = []
        for command in commands {
            let name = try command["commandName"].text
            for argument in (try? command["arguments"].elements) ?? [] where try argument["kind"].text == "option" {
                let kind = try argument["valueName"].text
                let names = try argument["names"].elements
                let long = try (names.first { try $0["kind"].text == "long" } ?? names[0])["name"].text
                #expect(
                    numeric[kind] != nil || others.contains(kind),
                    "\(name): say here whether <\(kind)> of --\(long) is a number"
                )
                if numeric[kind] != nil {
                    options.append(.init(command: name, name: long, kind: kind))
                }
            }
        }
        return options
    }

    @Test("no number that an option is given ends a command by a trap: it is refused in words, or taken")
    func everyOption() throws {
        let folder = try ChannelFolder()
        let camera = try folder.publisher("--size", "64x64", "--rate", "60", "--slots", "32")
        defer { _ = try? folder.end(camera) }
        let scratch = folder.scratchFile().path
        let film = try frameshare("record", "cam", "-o", scratch + ".mkv", "--frames", "3", in: folder)
        var runs: [[String]] = []
        for option in try Self.options() {
            for value in Self.plain + (Self.numeric[option.kind] ?? []) {
                if option.name == "speed", film.code != 0 { continue }
                let target = option.name == "speed" ? scratch : folder.scratchFile().path
                let arguments = Self.arguments(option, value, target)
                // Most are refused before anything runs, which needs no process. A trap here ends the tests.
                if let (code, text) = Self.refusal(of: arguments) {
                    #expect(code == .validationFailure, "\(arguments): \(text)")
                    #expect(
                        text.contains("--\(option.name)") || text.contains("-\(option.name)"),
                        "\(arguments): \(text)"
                    )
                } else {
                    runs.append(arguments)
                }
            }
        }
        Self.inParallel(runs) { arguments in try Self.run(arguments, in: folder) }
    }

    /// Runs a command for a moment.
    private static func run(_ arguments: [String], in folder: ChannelFolder) throws {
        // No file, and no memory either, may be larger than 200 MB.
        let limited = ["-c", #"ulimit -f 200000; exec "$0" "$@" > /dev/null"#, program(of: arguments).path] + arguments
        let run = try CommandRun(limited, of: URL(fileURLWithPath: "/bin/bash"), in: folder)
        for _ in 0..<15 where run.isRunning { usleep(20_000) }
        let isEnded = run.isRunning
        if isEnded { run.send(SIGTERM) }
        let outcome = run.wait()
        #expect(
            outcome.code >= 0 || outcome.code == -SIGTERM,
            "\(arguments): signal \(-outcome.code) \(outcome.errors)"
        )
        // A demo that is ended early has failed, and says so in its JSON alone.
        #expect(
            isEnded || outcome.code <= 0 || outcome.errors.hasPrefix("frameshare: "),
            "\(arguments): \(outcome.errors)"
        )
    }

    /// Four at a time: most of a run is waiting.
    private static func inParallel(_ items: [[String]], _ body: @escaping @Sendable ([String]) throws -> Void) {
        let rest = Mutex(items[...])
        DispatchQueue.concurrentPerform(iterations: 4) { _ in
            while let item = rest.withLock({ $0.popFirst() }) {
                do { try body(item) } catch { Issue.record("\(item): \(error)") }
            }
        }
    }
}
