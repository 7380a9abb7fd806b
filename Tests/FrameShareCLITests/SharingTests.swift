import CommandTesting
import Foundation
import Glibc
import Testing

@Suite("Sharing", .timeLimit(.minutes(10)))
struct SharingTests {
    /// A publisher of small frames, up and running.
    private func publisher(
        _ folder: ChannelFolder,
        channel: String = "cam",
        _ more: String...
    ) throws -> CommandRun {
        let run = try CommandRun(
            ["publish", "--channel", channel, "--size", "160x120", "--rate", "60", "--slots", "8"] + more,
            in: folder
        )
        try eventually {
            if !run.isRunning {
                Issue.record("the publisher ended: \(run.wait().errors)")
                return true
            }
            // The socket may be there a moment before it listens.
            return try frameshare("top", channel, "--once", in: folder).code == 0
        }
        return run
    }

    @Test("waiting for a camera that never comes ends in time, with an error, and in order when it is stopped")
    func waitingForNothing() throws {
        let folder = try ChannelFolder()
        let options = ["publish", "--source", "/dev/video-none", "--wait-for-camera"]
        let late = try CommandRun(options + ["--seconds", "500ms"], in: folder).wait()
        #expect(late.code == 1, "\(late.output)")
        #expect(late.errors.contains("did not come in the time that --seconds gives"))
        let kept = try CommandRun(options + ["--seconds", "500ms", "--restart"], in: folder).wait()
        #expect(kept.code == 0, "it is not started again and again: \(kept.errors)")
        let run = try CommandRun(options + ["--seconds", "1h"], in: folder)
        eventually { !run.isRunning || run.outputSoFar.contains("Waiting for it") }
        run.send(SIGTERM)
        #expect(run.wait().code == 0)
    }

    @Test(
        "watch sees the published frames, and finds each number in its pixels",
        arguments: ["latest", "queue:4", "every-frame"]
    )
    func watchVerifies(policy: String) throws {
        let folder = try ChannelFolder()
        // A pattern that may wait loses nothing for whoever wants every frame, however slow this machine is.
        let publisher = try publisher(folder, "--stall-limit", "never")
        let watch = try frameshare(
            "watch",
            "cam",
            "--policy",
            policy,
            "--frames",
            "30",
            "--verify",
            "--json",
            in: folder
        )
        #expect(watch.code == 0, "\(watch.errors)")
        let end = try #require(try Document.lines(watch.output).last)
        #expect(try end["event"].text == "end")
        #expect(try end["reason"].text == "frames")
        #expect(try end["frames"].int == 30)
        #expect(try end["verified"]["checked"].int == 30)
        #expect(try end["verified"]["wrong"].int == 0)
        #expect(try end["policy"].text == policy)
        #expect(try end["publish_to_here_ns"]["p50"].int > 0)
        #expect(try end["capture_to_here_ns"]["p99"].int >= end["publish_to_here_ns"]["p50"].int)
        if policy == "every-frame" {
            #expect(try end["lost"]["policy"].int == 0)
        }
        publisher.send(SIGTERM)
        #expect(publisher.wait().code == 0)
    }

    @Test("every stream's pixels are verified")
    func watchVerifiesStreams() throws {
        let folder = try ChannelFolder()
        let publisher = try publisher(folder, "--stream", "lores=80x64:GREY")
        let watch = try frameshare("watch", "cam", "--frames", "10", "--verify", "--json", in: folder)
        #expect(watch.code == 0, "\(watch.errors)")
        let end = try #require(try Document.lines(watch.output).last)
        // Two streams a frame.
        #expect(try end["verified"]["checked"].int == 20)
        publisher.send(SIGTERM)
        _ = publisher.wait()
    }

    @Test("a slow subscriber loses frames by its own policy, and is told so")
    func slowWatchLoses() throws {
        let folder = try ChannelFolder()
        let publisher = try publisher(folder)
        let watch = try frameshare(
            "watch",
            "cam",
            "--policy",
            "queue:2",
            "--slow",
            "100ms",
            "--frames",
            "10",
            "--json",
            in: folder
        )
        let end = try #require(try Document.lines(watch.output).last)
        #expect(try end["lost"]["policy"].int > 0)
        #expect(try end["lost"]["no_free_slot"].int == 0)
        publisher.send(SIGTERM)
        _ = publisher.wait()
    }

    @Test("list and top show the channel, its stream and its subscriber")
    func listAndTop() throws {
        let folder = try ChannelFolder()
        let publisher = try publisher(folder, "--stream", "lores=80x64:NV12")
        let watch = try CommandRun(["watch", "cam", "--name", "looker", "--policy", "queue:3"], in: folder)
        var channel = try Document("{}")
        try eventually {
            let list = try Document(try frameshare("list", "--json", in: folder).output)
            channel = try list[0]
            return try channel["subscribers"].elements.contains { try $0["name"].text == "looker" }
        }
        #expect(try channel["channel"].text == "cam")
        #expect(try channel["publisher"]["pid"].int == Int(publisher.pid))
        #expect(try channel["streams"].elements.map { try $0["name"].text } == ["main", "lores"])
        #expect(try channel["streams"][0]["width"].int == 160)
        #expect(try channel["streams"][1]["format"].text == "NV12")
        #expect(try channel["streams"][0]["memory"].text == "memfd")
        #expect(try channel["streams"][0]["readers_can_write"].bool == false)
        let subscriber = try #require(try channel["subscribers"].elements.first)
        #expect(try subscriber["pid"].int == Int(watch.pid))
        #expect(try subscriber["policy"].text == "queue:3")

        let plain = try frameshare("list", in: folder).output
        for word in ["cam", "looker", "160x120", "NV12", "memfd", "readers can't write"] {
            #expect(plain.contains(word), "\(plain)")
        }
        #expect(!plain.contains("\u{1B}"))
        let top = try frameshare("top", "cam", "--every", "100ms", "--seconds", "300ms", "--json", in: folder)
        let snapshots = try Document.lines(top.output)
        #expect(snapshots.count >= 2)
        #expect(try snapshots.last?["published"].int ?? 0 > snapshots[0]["published"].int)
        watch.send(SIGINT)
        let outcome = watch.wait()
        #expect(outcome.code == 130)
        #expect(outcome.output.contains("frames"))
        publisher.send(SIGTERM)
        _ = publisher.wait()
    }

    @Test("a command without a channel's name takes the only one")
    func onlyChannel() throws {
        let folder = try ChannelFolder()
        let publisher = try publisher(folder)
        #expect(try frameshare("watch", "--frames", "2", in: folder).code == 0)
        let second = try self.publisher(folder, channel: "other")
        let ambiguous = try frameshare("watch", "--frames", "2", in: folder)
        #expect(ambiguous.code == 64)
        #expect(ambiguous.errors.contains("cam, other"))
        // What a killed publisher has left is no choice.
        second.send(SIGKILL)
        _ = second.wait()
        #expect(try frameshare("watch", "--frames", "2", in: folder).code == 0)
        publisher.send(SIGTERM)
        _ = publisher.wait()
    }

    @Test("--stream takes one image of each frame")
    func streamChoice() throws {
        let folder = try ChannelFolder()
        let publisher = try publisher(folder, "--stream", "lores=80x64:GREY")
        let watch = try frameshare("watch", "cam", "--stream", "lores", "--frames", "5", "--json", in: folder)
        let end = try #require(try Document.lines(watch.output).last)
        #expect(try end["bytes"].int == 5 * 80 * 64)
        let wrong = try frameshare("watch", "cam", "--stream", "depth", in: folder)
        #expect(wrong.code == 1)
        #expect(wrong.errors.contains("main, lores"))
        publisher.send(SIGTERM)
        _ = publisher.wait()
    }

    @Test("Ctrl-C and SIGTERM end a publisher in order", arguments: [SIGINT, SIGTERM, SIGHUP])
    func publisherEndsInOrder(signal: Int32) throws {
        let folder = try ChannelFolder()
        let publisher = try publisher(folder)
        let watch = try CommandRun(["watch", "cam", "--json"], in: folder)
        eventually { watch.outputSoFar.contains("second") }
        publisher.send(signal)
        #expect(publisher.wait().code == (signal == SIGINT ? 130 : 0))
        #expect(folder.sockets.isEmpty)
        // The subscriber sees an end in order.
        let outcome = watch.wait()
        #expect(outcome.code == 0)
        #expect(try Document.lines(outcome.output).last?["reason"].text == "channel-ended")
    }

    @Test("a publisher that is killed ends its subscribers with exit code 3, and the next one takes its place")
    func publisherKilled() throws {
        let folder = try ChannelFolder()
        let publisher = try publisher(folder)
        let watch = try CommandRun(["watch", "cam", "--json"], in: folder)
        eventually { watch.outputSoFar.contains("second") }
        publisher.send(SIGKILL)
        _ = publisher.wait()
        let outcome = watch.wait()
        #expect(outcome.code == 3)
        #expect(outcome.errors.hasPrefix("frameshare: the publisher of 'cam' has gone"))
        // Its socket is left, and list says what it is.
        #expect(!folder.sockets.isEmpty)
        #expect(try frameshare("list", in: folder).output.contains("no channels"))
        #expect(
            try frameshare("list", "--all", in: folder).output.contains("left behind by a publisher that was killed")
        )
        let list = try Document(try frameshare("list", "--all", "--json", in: folder).output)
        #expect(try list[0].keys.contains("error"))
        // So does each command that is asked for it, which sends nobody back to list.
        for arguments in [["list", "cam"], ["list", "--all", "cam"], ["watch", "cam"]] {
            let refused = try CommandRun(arguments, in: folder).wait()
            #expect(refused.code == 3)
            #expect(refused.errors.contains("was left behind by a publisher that was killed"), "\(refused.errors)")
        }
        let next = try self.publisher(folder)
        #expect(try frameshare("watch", "cam", "--frames", "2", in: folder).code == 0)
        next.send(SIGTERM)
        _ = next.wait()
    }

    @Test("a channel that is published already is refused, and the first goes on")
    func channelInUse() throws {
        let folder = try ChannelFolder()
        let publisher = try publisher(folder)
        let second = try frameshare("publish", "--channel", "cam", in: folder)
        #expect(second.code == 1)
        #expect(second.errors.contains("published already"))
        #expect(try frameshare("watch", "cam", "--frames", "2", in: folder).code == 0)
        publisher.send(SIGTERM)
        _ = publisher.wait()
    }

    @Test("publish ends by itself after --frames, and sums up")
    func publishCounts() throws {
        let folder = try ChannelFolder()
        let run = try frameshare(
            "publish",
            "--size",
            "64x64",
            "--rate",
            "0",
            "--frames",
            "25",
            "--json",
            in: folder
        )
        #expect(run.code == 0, "\(run.errors)")
        let lines = try Document.lines(run.output)
        #expect(try lines.first?["event"].text == "start")
        #expect(try lines.first?["streams"][0]["width"].int == 64)
        #expect(try lines.last?["published"].int == 25)
    }

    @Test("a program that starts a publisher ends it by closing its input")
    func stopAtEOF() throws {
        let folder = try ChannelFolder()
        let publisher = try publisher(folder, "--stop-at-eof")
        publisher.closeInput()
        #expect(publisher.wait().code == 0)
        #expect(folder.sockets.isEmpty)
    }

    @Test("the socket has the mode that was asked for")
    func socketMode() throws {
        let folder = try ChannelFolder()
        let publisher = try publisher(folder, "--mode", "0640")
        let name = try #require(folder.sockets.first)
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.path + "/" + name)
        #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o640)
        publisher.send(SIGTERM)
        _ = publisher.wait()
    }

    @Test("a reader of the output that has had enough ends the command", arguments: ["watch", "top"])
    func outputClosed(command: String) throws {
        let folder = try ChannelFolder()
        let publisher = try publisher(folder)
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments = [
            "-c",
            "{ '\(CommandRun.executable.path)' \(command) cam --json; echo \"code $?\" >&2; } | head -1 >/dev/null",
        ]
        shell.environment = ["FRAMESHARE_DIR": folder.path]
        let errors = Pipe()
        shell.standardError = errors
        try shell.run()
        shell.waitUntilExit()
        #expect(String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self) == "code 0\n")
        publisher.send(SIGTERM)
        _ = publisher.wait()
    }

    @Test("a subscriber with --reconnect goes on with the next publisher")
    func reconnects() throws {
        let folder = try ChannelFolder()
        let first = try publisher(folder)
        let watch = try CommandRun(["watch", "cam", "--reconnect", "--json"], in: folder)
        eventually { watch.outputSoFar.contains("second") }
        first.send(SIGKILL)
        _ = first.wait()
        let second = try publisher(folder)
        try eventually { try frameshare("top", "cam", "--once", in: folder).output.contains("watch") }
        let before = watch.outputSoFar.split(separator: "\n").count
        eventually { watch.outputSoFar.split(separator: "\n").count > before + 1 }
        watch.send(SIGTERM)
        let outcome = watch.wait()
        #expect(outcome.code == 0, "\(outcome.errors)")
        second.send(SIGTERM)
        _ = second.wait()
    }

    @Test("list and publish say which colour comes first in memory, where a format's name does not tell")
    func colorOrder() throws {
        let folder = try ChannelFolder()
        for (format, order) in [("BGR888", " (red first"), ("RGB888", " (blue first"), ("YUV420", ",")] {
            let run = try publisher(folder, channel: format, "--format", format)
            let line = "160x120 \(format)\(order)"
            #expect(run.outputSoFar.contains(line), "\(run.outputSoFar)")
            let list = try frameshare("list", format, in: folder)
            #expect(list.output.contains(line), "\(list.output)")
            run.send(SIGTERM)
            #expect(run.wait().code == 0)
        }
    }
}
