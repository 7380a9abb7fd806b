import CommandTesting
import Foundation
import Glibc
import Testing

@testable import FrameShareCLI

@Suite("Workers", .timeLimit(.minutes(10)))
struct WorkersTests {
    private static let worker = CommandRun.built("frameshare-test-worker").path

    private func publisher(_ folder: ChannelFolder) throws -> CommandRun {
        let run = try CommandRun(
            ["publish", "--channel", "cam", "--size", "160x120", "--rate", "60", "--slots", "12"],
            in: folder
        )
        try eventually { try frameshare("top", "cam", "--once", in: folder).code == 0 }
        return run
    }

    private func workers(
        _ folder: ChannelFolder,
        _ arguments: String...,
        command: [String] = [WorkersTests.worker],
        environment: [String: String] = [:]
    ) throws -> CommandRun {
        try CommandRun(
            ["workers", "cam", "--json"] + arguments + ["--"] + command,
            in: folder,
            environment: environment
        )
    }

    /// The events of one kind so far.
    private func events(_ run: CommandRun, _ kind: String) throws -> [Document] {
        // The last line may be half written.
        let lines = run.outputSoFar.components(separatedBy: "\n").dropLast().joined(separator: "\n")
        return try Document.lines(lines).filter { try $0["event"].text == kind }
    }

    private func isRunning(_ pid: Int) -> Bool { kill(pid_t(pid), 0) == 0 }

    private func group(_ folder: ChannelFolder) throws -> Document? {
        try Document(try frameshare("top", "cam", "--once", "--json", in: folder).output)["groups"].elements.first
    }

    @Test("publish --restart brings a killed publisher back, to readers that wait for it, and leaves nothing running")
    func publisherRestarted() throws {
        let folder = try ChannelFolder()
        let run = try CommandRun(
            ["publish", "--channel", "cam", "--size", "160x120", "--restart", "--json"],
            in: folder
        )
        func publisher() throws -> Int? {
            try? Document(try frameshare("top", "cam", "--once", "--json", in: folder).output)["publisher"]["pid"].int
        }
        try eventually { try publisher() != nil }
        let first = try #require(try publisher())
        #expect(first != Int(run.pid))
        kill(pid_t(first), SIGKILL)
        try eventually { try publisher().map { $0 != first } ?? false }
        let second = try #require(try publisher())
        #expect(run.errorsSoFar.contains("\"signal\":9"))
        run.send(SIGTERM)
        #expect(run.wait().code == 0)
        #expect(!isRunning(second))
        #expect(folder.sockets.isEmpty)
        // Wrong arguments are not tried again and again.
        #expect(try frameshare("publish", "--slots", "1", "--restart", in: folder).code == 64)
    }

    @Test("all of them share the channel's frames; Ctrl-C lets them finish and leaves nothing running")
    func shared() throws {
        let folder = try ChannelFolder()
        let publisher = try publisher(folder)
        let run = try workers(folder, "--count", "3", "--group", "shared")
        try eventually { try events(run, "started").count == 3 }
        let pids = try events(run, "started").map { try $0["pid"].int }
        try eventually { try group(folder)?["members"].int == 3 && group(folder)?["given"].int ?? 0 > 10 }
        #expect(try group(folder)?["name"].text == "shared")
        let listed = try frameshare("list", in: folder).output
        #expect(listed.contains("group shared: 3 members"), "\(listed)")
        run.send(SIGINT)
        let outcome = run.wait()
        #expect(outcome.code == 130, "\(outcome.errors)")
        #expect(pids.allSatisfy { !isRunning($0) })
        #expect(try events(run, "ended").map { try $0["exit_code"].int } == [0, 0, 0])
        try eventually { try group(folder)?["members"].int == 0 }
        publisher.send(SIGTERM)
        #expect(publisher.wait().code == 0)
    }

    @Test("one that is killed is started again; those whose channel ends in order are not")
    func restarted() throws {
        let folder = try ChannelFolder()
        let publisher = try publisher(folder)
        let run = try workers(folder, "--count", "2")
        try eventually { try group(folder)?["members"].int == 2 }
        let first = try events(run, "started")
        kill(pid_t(try first[0]["pid"].int), SIGKILL)
        try eventually { try events(run, "started").count == 3 && group(folder)?["members"].int == 2 }
        let ended = try #require(try events(run, "ended").first)
        #expect(try ended["signal"].int == 9 && ended["again_in_ns"].int == 100_000_000)
        #expect(try ended["worker"].int == first[0]["worker"].int)
        publisher.send(SIGTERM)
        #expect(publisher.wait().code == 0)
        #expect(run.wait().code == 0)
    }

    @Test("a command that keeps failing is tried less and less often, until it is stopped")
    func failing() throws {
        let folder = try ChannelFolder()
        let run = try workers(folder, "--max-delay", "250ms", command: ["sh", "-c", "exit 5"])
        try eventually { try events(run, "ended").count >= 4 }
        let ended = try events(run, "ended").prefix(4)
        #expect(try ended.map { try $0["exit_code"].int } == [5, 5, 5, 5])
        #expect(try ended.map { try $0["again_in_ns"].int / 1_000_000 } == [100, 200, 250, 250])
        run.send(SIGTERM)
        #expect(run.wait().code == 0)
    }

    /// The threads that a signal may be given to: it is not blocked there.
    private func threads(_ run: CommandRun, taking number: Int32) throws -> [pid_t] {
        let tasks = "/proc/\(run.pid)/task"
        return try FileManager.default.contentsOfDirectory(atPath: tasks).compactMap { id in
            let status = try? String(contentsOfFile: "\(tasks)/\(id)/status", encoding: .utf8)
            let lines = (status ?? "").split(separator: "\n")
            let blocked = lines.first { $0.hasPrefix("SigBlk:") }.flatMap { UInt64($0.dropFirst(8), radix: 16) }
            // The one that listens waits in sigwait.
            let isListener = lines.first == "Name:\tfs-stop"
            guard let blocked, !isListener, blocked >> UInt64(number - 1) & 1 == 0 else { return nil }
            return pid_t(id)
        }
    }

    @Test(
        "a signal ends the command in order, whichever of its threads the kernel gives it to",
        arguments: [SIGTERM, SIGINT]
    )
    func signalOfAnyThread(number: Int32) throws {
        let folder = try ChannelFolder()
        let run = try workers(folder, command: ["sleep", "600"])
        try eventually { try events(run, "started").count == 1 }
        // A thread of swift-subprocess's, while it waits for the worker.
        try eventually { try !threads(run, taking: number).isEmpty }
        // By a thread's number: that thread has it, if it takes it at all.
        kill(try #require(try threads(run, taking: number).first), number)
        #expect(run.wait().code == (number == SIGTERM ? 0 : 130))
    }

    @Test("a command that is not there is an error at once")
    func missing() throws {
        let folder = try ChannelFolder()
        let outcome = try workers(folder, "--count", "3", command: ["/nowhere/worker"]).wait()
        #expect(outcome.code == 1)
        #expect(outcome.errors.contains("/nowhere/worker can't be started"), "\(outcome.errors)")
    }

    @Test("one that does not stop when asked is killed after its grace")
    func stubborn() throws {
        let folder = try ChannelFolder()
        let run = try workers(
            folder,
            "--grace",
            "100ms",
            command: ["sh", "-c", "trap '' TERM; echo; while true; do sleep 1; done"]
        )
        // Its own line, then ours.
        eventually { run.outputSoFar.hasPrefix("\n") || run.outputSoFar.contains("\n\n") }
        run.send(SIGTERM)
        #expect(run.wait().code == 0)
    }

    @Test("workers end when the command is killed")
    func orphans() throws {
        let folder = try ChannelFolder()
        let publisher = try publisher(folder)
        let run = try workers(folder, "--count", "2")
        try eventually { try group(folder)?["members"].int == 2 }
        let pids = try events(run, "started").map { try $0["pid"].int }
        run.send(SIGKILL)
        #expect(run.wait().code == -SIGKILL)
        eventually { !pids.contains(where: isRunning) }
        publisher.send(SIGTERM)
        _ = publisher.wait()
    }

    @Test("a worker's own errors are told, with the exit codes of every command")
    func workerErrors() throws {
        let folder = try ChannelFolder()
        func worker(_ arguments: String...) throws -> CommandRun.Outcome {
            try CommandRun(arguments, of: CommandRun.built("frameshare-test-worker"), in: folder).wait()
        }
        let lost = try worker("nothing-here")
        #expect(lost.code == 3 && lost.errors.contains("there is no channel 'nothing-here'"), "\(lost.errors)")
        let usage = try worker()
        #expect(usage.code == 64 && usage.errors.contains("usage: frameshare-test-worker [CHANNEL]"))
        let help = try worker("--help")
        #expect(help.code == 0 && help.output.contains("group 'tested'"))
    }

    @Test("the pause before another start doubles, up to the longest, and begins anew after a healthy life")
    func delays() {
        var delay = RestartDelay(longest: .milliseconds(500))
        let pauses = (0..<4).map { _ in delay.afterRun(of: .zero) }
        #expect(pauses == [.milliseconds(100), .milliseconds(200), .milliseconds(400), .milliseconds(500)])
        #expect(delay.afterRun(of: .seconds(10)) == .milliseconds(100))
        #expect(delay.afterRun(of: .zero) == .milliseconds(200))
    }
}
