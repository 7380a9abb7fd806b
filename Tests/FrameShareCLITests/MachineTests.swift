import CommandTesting
import Foundation
import Glibc
import Testing

@Suite("doctor and cameras", .timeLimit(.minutes(10)))
struct MachineTests {
    @Test("doctor finds that frames can be shared in memfds here")
    func doctor() throws {
        let run = try frameshare("doctor", "--json", in: try ChannelFolder())
        #expect(run.code == 0, "\(run.output)")
        let report = try Document(run.output)
        #expect(try report["ok"].bool)
        let names = try report["checks"].elements.map { try $0["name"].text }
        for name in ["channel folder", "memfd", "DMA heaps", "udmabuf", "CMA", "memory", "descriptors", "groups"] {
            #expect(names.contains(name), "\(names)")
        }
        for check in try report["checks"].elements {
            #expect(["ok", "note", "missing"].contains(try check["state"].text))
            #expect(try !check["detail"].text.isEmpty)
        }
    }

    @Test("what is missing comes with how to get it")
    func remedies() throws {
        let report = try Document(try frameshare("doctor", "--json", in: try ChannelFolder()).output)
        for check in try report["checks"].elements where try check["state"].text == "missing" {
            #expect(try !check["remedy"].text.isEmpty)
        }
    }

    @Test("doctor fails where channels have no place, and says what to set")
    func noFolder() throws {
        let run = try frameshare(
            "doctor",
            in: try ChannelFolder(),
            environment: ["FRAMESHARE_DIR": "/proc/no/such/place"]
        )
        #expect(run.code == 1)
        #expect(run.output.contains("FRAMESHARE_DIR"))
    }

    @Test("doctor tells the limits of this process, and how to raise one that is too low")
    func limits() throws {
        let folder = try ChannelFolder()
        let script = "ulimit -n 100; ulimit -f 1000000; exec '\(CommandRun.executable.path)' doctor --json"
        let shell = URL(fileURLWithPath: "/bin/bash")
        let report = try Document(try CommandRun(["-c", script], of: shell, in: folder).wait().output)
        let checks = try report["checks"].elements
        let descriptors = try #require(try checks.first { try $0["name"].text == "descriptors" })
        #expect(
            try descriptors["state"].text == "note" && descriptors["detail"].text.contains("at most 100 open files")
        )
        #expect(try descriptors["remedy"].text.contains("ulimit -n"))
        let memory = try #require(try checks.first { try $0["name"].text == "memory" })
        #expect(try memory["detail"].text.contains("976.6 MiB at most"))
    }

    @Test("cameras lists what the kernel has")
    func cameras() throws {
        let run = try frameshare("cameras", "--json", in: try ChannelFolder())
        #expect(run.code == 0)
        let nodes = try FileManager.default.contentsOfDirectory(atPath: "/dev").filter { $0.hasPrefix("video") }
        let listed = try Document(run.output).elements
        if nodes.isEmpty { #expect(listed.isEmpty) }
        for camera in listed { #expect(try camera["path"].text.hasPrefix("/dev/video")) }
    }

    @Test("colours go to a terminal only, and not with NO_COLOR")
    func colors() throws {
        let folder = try ChannelFolder()
        #expect(try TerminalRun(["doctor"], in: folder).wait().screen.contains("\u{1B}[32m"))
        #expect(
            try !TerminalRun(["doctor"], in: folder, environment: ["NO_COLOR": "1"]).wait().screen.contains("\u{1B}[3")
        )
        #expect(
            try !TerminalRun(["doctor"], in: folder, environment: ["TERM": "dumb"]).wait().screen.contains("\u{1B}[")
        )
        #expect(try !frameshare("doctor", in: folder).output.contains("\u{1B}"))
    }
}
