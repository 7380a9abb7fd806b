import CommandTesting
import Foundation
import Glibc
import Testing

@Suite("demo", .timeLimit(.minutes(10)), .serialized)
struct DemoTests {
    @Test("the demo shares frames with three processes, and leaves nothing behind")
    func demo() throws {
        let folder = try ChannelFolder()
        let run = try frameshare("demo", "--source", "pattern", "--seconds", "2", "--json", in: folder)
        #expect(run.code == 0, "\(run.errors)")
        let summary = try #require(try Document.lines(run.output).last)
        #expect(try summary["event"].text == "summary")
        #expect(try summary["ok"].bool)
        #expect(try summary["verified"].bool)
        let readers = try summary["subscribers"].elements
        #expect(try readers.map { try $0["name"].text } == ["preview", "recorder", "slow-detector"])
        #expect(try readers.map { try $0["policy"].text } == ["latest", "every-frame", "queue:4"])
        for reader in readers { #expect(try reader["delivered"].int > 0) }
        #expect(try readers[1]["dropped"].int == 0)
        #expect(try readers[2]["dropped"].int > 0)
        #expect(folder.sockets.isEmpty)
    }

    @Test("off a terminal the demo's output is plain, and ends with one summary line")
    func plainOutput() throws {
        let run = try frameshare("demo", "--source", "pattern", "--seconds", "1500ms", in: try ChannelFolder())
        #expect(run.code == 0, "\(run.errors)")
        #expect(!run.output.contains("\u{1B}"))
        let last = try #require(run.output.split(separator: "\n").last)
        for word in ["shared", "preview", "recorder", "slow-detector", "lost", "latency"] {
            #expect(last.contains(word), "\(last)")
        }
    }

    @Test("on a terminal the table is drawn in place, and the cursor comes back")
    func terminal() throws {
        let run = try TerminalRun(["demo", "--source", "pattern", "--seconds", "1500ms"], in: try ChannelFolder())
            .wait()
        #expect(run.code == 0, "\(run.screen)")
        let hidden = run.screen.ranges(of: "\u{1B}[?25l").count
        #expect(hidden > 0)
        #expect(run.screen.ranges(of: "\u{1B}[?25h").count == hidden)
    }

    @Test("Ctrl-C ends the demo and all of its processes", arguments: [SIGINT, SIGTERM])
    func interrupted(signal: Int32) throws {
        let folder = try ChannelFolder()
        let run = try CommandRun(["demo", "--source", "pattern", "--seconds", "600", "--json"], in: folder)
        eventually { run.outputSoFar.contains("slow-detector") }
        let children = Self.children(of: run.pid)
        #expect(children.count == 4)
        run.send(signal)
        let outcome = run.wait()
        #expect(outcome.code == (signal == SIGINT ? 130 : 0), "\(outcome.errors)")
        #expect(try Document.lines(outcome.output).last?["event"].text == "summary")
        #expect(children.allSatisfy { kill($0, 0) != 0 })
        #expect(folder.sockets.isEmpty)
    }

    @Test("a demo that is killed takes its processes with it")
    func killed() throws {
        let folder = try ChannelFolder()
        let run = try CommandRun(["demo", "--source", "pattern", "--seconds", "600", "--json"], in: folder)
        eventually { run.outputSoFar.contains("slow-detector") }
        let children = Self.children(of: run.pid)
        #expect(children.count == 4)
        run.send(SIGKILL)
        _ = run.wait()
        // They see the end of their input. (Whoever adopts them may let them be zombies for a while.)
        eventually { children.allSatisfy { !Self.isAlive($0) } }
        eventually { folder.sockets.isEmpty }
    }

    @Test("a demo that gets no publisher says why, and fails")
    func noPublisher() throws {
        let run = try frameshare("demo", "--source", "/dev/video999", "--seconds", "1", in: try ChannelFolder())
        #expect(run.code == 1)
        #expect(run.errors.contains("/dev/video999"))
    }

    private static func children(of pid: pid_t) -> [pid_t] {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return entries.compactMap { pid_t($0) }.filter { stat(of: $0)?.parent == pid }
    }

    private static func isAlive(_ pid: pid_t) -> Bool { stat(of: pid).map { $0.state != "Z" } ?? false }

    /// State and parent, from /proc/PID/stat; its second field is a name in brackets that may hold anything.
    private static func stat(of pid: pid_t) -> (state: Substring, parent: pid_t)? {
        guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let bracket = stat.lastIndex(of: ")")
        else { return nil }
        let fields = stat[stat.index(after: bracket)...].split(separator: " ")
        guard fields.count > 1, let parent = pid_t(fields[1]) else { return nil }
        return (fields[0], parent)
    }
}
