#if View
import CommandTesting
import Foundation
import Glibc
import Testing

@Suite("The view's token file", .timeLimit(.minutes(10)))
struct TokenFileTests {
    private func view(_ file: String, in folder: ChannelFolder) throws -> CommandRun.Outcome {
        try frameshare("view", "--listen", "127.0.0.1:0", "--token-file", file, in: folder)
    }

    @Test("whatever else has its name is refused, and in words")
    func refused() throws {
        let folder = try ChannelFolder()
        let home = folder.scratchFile()
        try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
        func file(_ name: String, _ text: String) throws {
            try Data(text.utf8).write(to: home.appendingPathComponent(name))
        }
        let path = home.path
        try file("empty", "")
        try file("line", "\n token-behind-it")
        try file("short", "abc\n")
        try file("zero", "token-with-a\u{0}in-it")
        try file("long", String(repeating: "a", count: 100_000))
        #expect(mkfifo(path + "/pipe", 0o600) == 0)
        #expect(truncate(path + "/empty", 0) == 0)
        for (name, reason) in [
            ("/empty", "first line is empty"), ("/line", "first line is empty"), ("/short", "at least 8"),
            ("/zero", "at least 8"), ("/long", "more than 1023 bytes"), ("/pipe", "nobody writes into this pipe"),
            ("", "it is a folder"), ("/nothing", "No such file"),
        ] {
            let run = try view(path + name, in: folder)
            #expect(run.code != 0 && run.code != 130, "\(name)")
            #expect(run.errors.contains(reason), "\(name): \(run.errors)")
        }
        for device in ["/dev/zero", "/dev/null"] {
            let run = try view(device, in: folder)
            #expect(run.code == 1)
            #expect(run.errors.contains("neither a file nor a pipe"), "\(run.errors)")
        }
    }

    @Test("the first line of a file counts, and of a pipe whose writer takes its time")
    func taken() throws {
        let folder = try ChannelFolder()
        let bash = try #require(CommandRun.installed("bash"))
        let command = "\(CommandRun.executable.path) view --json --listen 127.0.0.1:0 --token-file"
        let pipe = folder.scratchFile().path
        for (before, source) in [
            ("", "<(sleep 0.3; printf 'pipe-tok'; sleep 0.3; printf 'en-1\\r\\nmore')"), ("", "<(printf pipe-token-1)"),
            // Whose writer comes later than the reader.
            ("mkfifo \(pipe); (sleep 1; printf pipe-token-1 > \(pipe)) > /dev/null 2>&1 &", pipe),
        ] {
            let run = try CommandRun(["-c", "\(before) exec \(command) \(source)"], of: bash, in: folder)
            eventually { !run.isRunning || run.outputSoFar.hasSuffix("\n") }
            #expect(run.outputSoFar.contains("token=pipe-token-1"), "\(run.outputSoFar) \(run.errorsSoFar)")
            run.send(SIGTERM)
            _ = run.wait()
        }
    }
}
#endif
