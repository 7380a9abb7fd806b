import CommandTesting
import Foundation
import Glibc
import Testing

@Suite("cat and snapshot", .timeLimit(.minutes(10)))
struct CatTests {
    private func withPublisher(_ format: String, _ body: (ChannelFolder) throws -> Void) throws {
        let folder = try ChannelFolder()
        let publisher = try CommandRun(
            ["publish", "--channel", "cam", "--size", "64x48", "--format", format, "--rate", "60"],
            in: folder
        )
        try eventually { try !publisher.isRunning || frameshare("top", "cam", "--once", in: folder).code == 0 }
        try body(folder)
        publisher.send(SIGTERM)
        #expect(publisher.wait().code == 0)
    }

    @Test("raw gives exactly the pixels, without the padding of rows")
    func raw() throws {
        try withPublisher("NV12") { folder in
            let run = try frameshare("cat", "cam", "--format", "raw", "--frames", "3", in: folder)
            #expect(run.code == 0, "\(run.errors)")
            #expect(run.outputBytes.count == 3 * 64 * 48 * 3 / 2)
        }
    }

    @Test("y4m gives a header, and a marker before each frame")
    func y4m() throws {
        try withPublisher("YUV420") { folder in
            let run = try frameshare("cat", "cam", "--frames", "4", "--policy", "every-frame", in: folder)
            #expect(run.code == 0, "\(run.errors)")
            let newline = try #require(run.outputBytes.firstIndex(of: 10))
            let header = String(decoding: run.outputBytes[..<newline], as: UTF8.self)
            #expect(header.hasPrefix("YUV4MPEG2 W64 H48 "))
            #expect(header.contains("C420"))
            let frame = "FRAME\n".utf8.count + 64 * 48 * 3 / 2
            #expect(run.outputBytes.count == newline + 1 + 4 * frame)
        }
    }

    @Test("a format that y4m can't hold is refused with what to do instead")
    func y4mOfRaw() throws {
        try withPublisher("SRGGB10") { folder in
            let run = try frameshare("cat", "cam", "--frames", "1", in: folder)
            #expect(run.code == 1)
            #expect(run.errors.contains("raw"))
            #expect(run.output == "")
        }
    }

    @Test("a reader that has had enough ends it without an error")
    func readerCloses() throws {
        try withPublisher("YUV420") { folder in
            let shell = Process()
            shell.executableURL = URL(fileURLWithPath: "/bin/sh")
            shell.arguments = [
                "-c", "{ '\(CommandRun.executable.path)' cat cam; echo \"code $?\" >&2; } | head -c 20000 >/dev/null",
            ]
            shell.environment = ["FRAMESHARE_DIR": folder.path]
            let errors = Pipe()
            shell.standardError = errors
            try shell.run()
            shell.waitUntilExit()
            #expect(String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self) == "code 0\n")
        }
    }

    @Test("pixels are not written to a terminal")
    func refusesTerminal() throws {
        try withPublisher("YUV420") { folder in
            let run = try TerminalRun(["cat", "cam"], in: folder).wait()
            #expect(run.code == 64)
            #expect(run.screen.contains("terminal"))
            #expect(!run.screen.contains("YUV4MPEG2"))
        }
    }

    @Test("snapshot writes a picture, or says which build does")
    func snapshot() throws {
        try withPublisher("YUV420") { folder in
            let file = folder.scratchFile().path + ".png"
            let run = try frameshare("snapshot", "cam", "-o", file, in: folder)
            if run.code == 0 {
                let data = try Data(contentsOf: URL(fileURLWithPath: file))
                #expect(data.starts(with: [0x89, 0x50, 0x4E, 0x47]))
            } else {
                #expect(run.code == 1)
                #expect(run.errors.contains("--traits Snapshot"))
                #expect(!FileManager.default.fileExists(atPath: file))
            }
        }
    }

    @Test("snapshot refuses a file name that says no type")
    func snapshotType() throws {
        let run = try frameshare("snapshot", "cam", "-o", "picture.bmp", in: try ChannelFolder())
        #expect(run.code == 64 || run.errors.contains("--traits Snapshot"))
    }
}
