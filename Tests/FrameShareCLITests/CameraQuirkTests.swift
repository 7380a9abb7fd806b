import CommandTesting
import Foundation
import FrameShare
import Glibc
import Testing

/// Publishing a camera whose driver has a quirk: Tests/CameraQuirks.
@Suite("Cameras with quirks", .timeLimit(.minutes(10)))
struct CameraQuirkTests {
    /// A publisher of the quirky camera, and its readers.
    private struct Scene {
        let folder: ChannelFolder
        let publisher: CommandRun
        private let environment: [String: String]

        init(_ quirks: [String], _ arguments: [String] = []) throws {
            folder = try ChannelFolder()
            environment = try QuirkyCamera.environment(quirks)
            publisher = try CommandRun(
                [
                    "publish", "--source", QuirkyCamera.device, "--channel", "cam", "--json",
                ] + arguments,
                in: folder,
                environment: environment
            )
        }

        func read(_ arguments: String...) throws -> CommandRun {
            try CommandRun(arguments, in: folder, environment: environment)
        }

        /// One reader of each policy, once there is a channel.
        func watch(frames: Int) throws -> [CommandRun] {
            try wait { _ in true }
            return try ["latest", "queue:4", "every-frame"].map {
                try read("watch", "cam", "--policy", $0, "--frames", "\(frames)", "--json")
            }
        }

        /// The channel as a monitor sees it; nil while there is none.
        var state: ChannelStatistics? {
            let directory = ChannelDirectory(path: folder.path)
            return try? ChannelMonitor(channel: "cam", directory: directory, timeout: .seconds(60)).snapshot()
        }

        func wait(_ holds: (ChannelStatistics) throws -> Bool) throws {
            try eventually { try !publisher.isRunning || state.map(holds) ?? false }
            guard !publisher.isRunning else { return }
            Issue.record("the publisher has ended: \(publisher.wait())")
            throw CancellationError()
        }

        /// The events that the publisher has told so far.
        func events() throws -> [String] {
            try Document.lines(publisher.outputSoFar).map { try $0["event"].text }
        }

        func wait(event: String, times: Int = 1) throws {
            try eventually { try !publisher.isRunning || events().count { $0 == event } >= times }
            try #require(try events().count { $0 == event } >= times, "\(publisher.wait())")
        }

        /// Ends the publisher, which must do it in order.
        @discardableResult
        func close() throws -> [Document] {
            publisher.send(SIGTERM)
            let outcome = publisher.wait()
            #expect(outcome.code == 0, "\(outcome.errors)\(outcome.output)")
            return try Document.lines(outcome.output)
        }
    }

    @Test(
        "an error that comes once ends nobody: it is counted, told, and over with the next frame",
        arguments: [
            ["dqbuf=120"], ["dqbuf=120", "no-events"], ["dqbuf-dead=120"], ["qbuf=130"], ["silent=120"], ["ready=120"],
        ]
    )
    func once(quirks: [String]) throws {
        let scene = try Scene(quirks + ["rate=200"], ["--frame-timeout", "300ms"])
        let watchers = try scene.watch(frames: 100)
        try scene.wait(event: "trouble")
        try scene.wait(event: "recovered")
        // All the way through it, and beyond.
        let after = try scene.watch(frames: 100)
        for watcher in watchers + after {
            let outcome = watcher.wait()
            #expect(outcome.code == 0, "\(outcome.errors)\(outcome.output)")
        }
        try scene.wait { $0.sourceTrouble == "" }
        let state = try #require(scene.state)
        #expect(state.sourceErrors >= 1)
        #expect(state.generation == 1)
        try scene.close()
    }

    @Test("readers that want every frame, take none, are killed and come again cost a camera none of its frames")
    func idleReaders() throws {
        let scene = try Scene([], ["--slots", "32"])
        try scene.wait { $0.published > 0 }
        let honest = try scene.read("watch", "cam", "--policy", "every-frame", "--budget", "6", "--json")
        func own(_ run: CommandRun, _ state: ChannelStatistics) -> ChannelStatistics.SubscriberStatus? {
            state.subscribers.first { $0.pid == run.pid }
        }
        try scene.wait { own(honest, $0).map { $0.delivered > 0 } ?? false }
        let first = try #require(scene.state)
        for _ in 0..<4 {
            let idle = try scene.read("watch", "cam", "--policy", "every-frame")
            defer { idle.send(SIGKILL) }
            try scene.wait { $0.subscribers.contains { $0.pid == idle.pid && $0.delivered > 0 } }
            idle.send(SIGSTOP)
            // It stays, and loses what it has no room for.
            try scene.wait { $0.subscribers.contains { $0.pid == idle.pid && $0.droppedByBudget > 30 } }
            let stopped = try #require(scene.state)
            let lagging = try #require(own(idle, stopped))
            #expect(lagging.held + lagging.queued <= lagging.budget && lagging.dropped == lagging.droppedByBudget)
            idle.send(SIGKILL)
            try scene.wait { now in !now.subscribers.contains { $0.pid == idle.pid } }
        }
        let state = try #require(scene.state)
        // The driver had a buffer all the time. What it lost else, the publisher was kept from it by a busy machine.
        #expect(state.lostNoFreeSlot == 0, "\(state)")
        // Until all that was published by now is counted.
        let taken = try #require(own(honest, state)).delivered
        try scene.wait { own(honest, $0).map { $0.delivered > taken + 12 } ?? false }
        honest.send(SIGTERM)
        let end = try #require(try Document.lines(honest.wait().output).last)
        let seen = try end["frames"].int + end["lost"]["policy"].int
        #expect(seen >= Int(state.published - first.published), "\(end) \(state)")
        let last = try #require(scene.state)
        #expect(seen <= Int(last.published), "\(end) \(last)")
        #expect(try end["lost"]["source"].int <= Int(last.lostBySource), "\(end) \(last)")
        #expect(try end["lost"]["no_free_slot"].int == 0, "\(end)")
        try scene.close()
    }

    @Test(
        "an error at the start that comes once is gone over",
        arguments: ["reqbufs=1", "streamon=1", "streamon=1:71", "qbuf=1", "qbuf=8"]
    )
    func onceAtTheStart(quirk: String) throws {
        let scene = try Scene([quirk])
        for watcher in try scene.watch(frames: 5) { #expect(watcher.wait().code == 0) }
        #expect(try scene.events().count { $0 == "streaming" } == 1)
        try scene.close()
    }

    @Test("after an error all buffers are in use again", arguments: ["dqbuf=20", "qbuf=30", "dqbuf-dead=20"])
    func buffersComeBack(quirk: String) throws {
        let scene = try Scene([quirk])
        try scene.wait(event: "recovered")
        try scene.wait {
            $0.slotsFree + $0.slotsAtSource == 8 && $0.slotsAtSource >= 7
        }
        try scene.close()
    }

    @Test(
        "an error that stays ends the channel with its reason, in the end",
        arguments: [
            ("dqbuf-broken=1", "VIDIOC_DQBUF"), ("qbuf-broken=1", "VIDIOC_QBUF"),
            ("streamon-broken=1", "VIDIOC_STREAMON"),
            ("dqbuf-broken=20", "VIDIOC_DQBUF"), ("qbuf-broken=40", "VIDIOC_QBUF"),
        ]
    )
    func broken(quirk: String, call: String) throws {
        let scene = try Scene([quirk])
        let outcome = scene.publisher.wait()
        #expect(outcome.code == 1)
        #expect(outcome.errors.contains(call), "\(outcome.errors)")
        // Nothing of memory that was never used.
        #expect(!outcome.errors.contains("udmabuf"), "\(outcome.errors)")
        let events = try Document.lines(outcome.output).map { try $0["event"].text }
        #expect(events.contains("streaming") == !quirk.hasSuffix("-broken=1") || quirk.hasPrefix("dqbuf"))
        #expect(events.last == "end")
    }

    @Test("who waits for a camera waits for one that fails, too")
    func brokenAndWaitedFor() throws {
        let scene = try Scene(["dqbuf-broken=20"], ["--wait-for-camera"])
        // More often than is tried without the option.
        try scene.wait { $0.sourceErrors > 7 }
        try scene.wait { $0.sourceTrouble.contains("VIDIOC_DQBUF") }
        try scene.close()
    }

    @Test("a camera that gives nothing is told of, in list too, and is heard again when it speaks")
    func silence() throws {
        let switchFile = try ChannelFolder()
        let file = switchFile.scratchFile()
        let scene = try Scene(["silent-while=\(file.path)"], ["--frame-timeout", "200ms"])
        try scene.wait { $0.published > 10 && $0.sourceTrouble == "" }
        let watcher = try scene.read("watch", "cam", "--json")
        try scene.wait { $0.subscribers.contains { $0.delivered > 0 } }
        try Data().write(to: file)
        try scene.wait(event: "trouble")
        try scene.wait { $0.sourceTrouble.contains("gave no frame for") }
        let list = try scene.read("list").wait()
        #expect(list.output.contains("gave no frame for"), "\(list.output)")
        try FileManager.default.removeItem(at: file)
        try scene.wait(event: "recovered")
        try scene.wait { $0.sourceTrouble == "" }
        #expect(watcher.isRunning)
        watcher.send(SIGTERM)
        #expect(watcher.wait().code == 0)
        try scene.close()
    }

    @Test("a camera may be silent for ever, if told so")
    func silenceForEver() throws {
        let scene = try Scene(["silent=20"], ["--frame-timeout", "never"])
        try scene.wait { $0.published == 20 }
        usleep(300_000)
        #expect(try !scene.events().contains("trouble"))
        try scene.close()
    }

    @Test(
        "what a driver lacks or says wrongly does not keep its frames from readers",
        arguments: [
            "no-events", "no-parm", "parm-ignored", "expbuf-writable", "stepwise", "clock=zero", "clock=realtime",
            "clock=unflagged", "clock=backwards", "sequence=zero", "sequence=jump", "sequence=restart", "error-flag=10",
            "short=10", "field=2", "field=4",
        ]
    )
    func harmless(quirk: String) throws {
        let scene = try Scene([quirk])
        for watcher in try scene.watch(frames: 30) {
            let outcome = watcher.wait()
            #expect(outcome.code == 0, "\(outcome.errors)\(outcome.output)")
            let end = try #require(try Document.lines(outcome.output).last)
            #expect(try end["frames"].int == 30)
            // A count that jumps is no million of lost frames.
            #expect(try end["lost"]["source"].int < 1000, "\(outcome.output)")
            // A time of a clock that the driver doesn't say, or says wrongly, is compared with nothing.
            let isUnknown = quirk == "clock=realtime" || quirk == "clock=unflagged"
            #expect(try (end["capture_to_here_ns"].value is NSNull) == isUnknown, "\(outcome.output)")
        }
        #expect(try !scene.events().contains("trouble"))
        try scene.close()
    }

    @Test("what becomes of what was asked is told")
    func adjustments() throws {
        let rate = try Scene(["parm-ignored"], ["--rate", "25"])
        try rate.wait(event: "streaming")
        #expect(
            try rate.close()[0]["notes"].elements.map { try $0.text }.contains(
                "not as asked: rate 25 fps became 100 fps"
            )
        )
        let size = try Scene(["stepwise"], ["--size", "100x70"])
        try size.wait(event: "streaming")
        #expect(
            try size.close()[0]["notes"].elements.map { try $0.text }.contains("not as asked: size 100x70 became 96x64")
        )
    }

    @Test("where a format has no image of the size asked for, the nearest that it has is taken, and told")
    func oddSizes() throws {
        for (asked, given) in [("641x480", "640x480"), ("640x481", "640x480"), ("641x481", "640x480")] {
            let scene = try Scene(["odd"], ["--size", asked, "--format", "YUV420"])
            try scene.wait(event: "streaming")
            let notes = try scene.close()[0]["notes"].elements.map { try $0.text }
            #expect(notes.contains("not as asked: size \(asked) became \(given)"), "\(notes)")
        }
    }

    /// What a publisher says that can't begin.
    private func refusal(_ quirks: [String], _ arguments: [String]) throws -> String {
        let folder = try ChannelFolder()
        let run = try CommandRun(
            ["publish", "--source", QuirkyCamera.device, "--channel", "cam"] + arguments,
            in: folder,
            environment: QuirkyCamera.environment(quirks)
        )
        let outcome = run.wait()
        #expect(outcome.code == 1 || outcome.code == 64, "\(outcome.output)")
        withExtendedLifetime(folder) {}
        return outcome.errors
    }

    @Test("memory that the machine or the driver hasn't is told with its size, before anything is killed for it")
    func memory() throws {
        // Only a machine with more than 137 GB asks the driver.
        let available = try refusal(["huge"], ["--slots", "32"])
        #expect(
            available.contains("137406 MB are asked for") || available.contains("no room for 137406 MB"),
            "\(available)"
        )
        let driver = try refusal(["little-memory"], ["--size", "640x480", "--slots", "4"])
        #expect(driver.contains("the driver of \(QuirkyCamera.device) has no room for 2458 kB"), "\(driver)")
    }

    @Test(
        "what is refused says why, and what would do instead",
        arguments: [
            (["no-expbuf"], [], "it takes no others' either"),
            (["streamon-broken=1:28"], [], "bandwidth"), (["streamon-broken=1:28"], [], "USB"),
            (["streamon-broken=1:32"], [], "--source libcamera"),
            ([], ["--rate", "0"], "--rate 0: for the pattern"),
            ([], ["--stall-limit", "1s"], "a camera waits for nobody"),
            (["inputs=3"], ["--input", "7"], "it has 0 (Socket 0), 1 (Socket 1), 2 (Socket 2)"),
            (["inputs=3"], ["--input", "hdmi"], "has no input 'hdmi'"),
            ([], ["--memory", "memfd"], "it shares its own: --memory driver"),
        ]
    )
    func words(quirks: [String], arguments: [String], words: String) throws {
        let errors = try refusal(quirks, arguments)
        #expect(errors.contains(words), "\(errors)")
    }

    @Test("a camera's input is chosen by number or by name, and listed", arguments: ["2", "socket 2"])
    func inputs(input: String) throws {
        let scene = try Scene(["inputs=3"], ["--input", input])
        try scene.wait(event: "streaming")
        let listed = try scene.read("cameras", QuirkyCamera.device).wait().output
        #expect(listed.contains("--input 2  Socket 2"), "\(listed)")
        try scene.close()
    }

    @Test(
        "a field of an interlaced picture is labelled",
        arguments: [("2", "top"), ("4", "interlaced"), ("5", "seq-tb")]
    )
    func fields(number: String, name: String) throws {
        let scene = try Scene(["field=\(number)"])
        try scene.wait(event: "streaming")
        let notes = try scene.close()[0]["notes"].elements.map { try $0.text }
        #expect(notes.contains { $0.contains("interlaced") && $0.contains("(\(name))") }, "\(notes)")
    }

    @Test("a camera tells its rate with each frame", arguments: [(10, "F10:1"), (25, "F25:1")])
    func rate(rate: Int, tag: String) throws {
        let scene = try Scene(["rate=\(rate)"], ["--format", "GREY"])
        try scene.wait(event: "streaming")
        let cat = try scene.read("cat", "cam", "--frames", "1").wait()
        #expect(cat.code == 0, "\(cat.errors)")
        let header = String(decoding: cat.outputBytes.prefix { $0 != 10 }, as: UTF8.self)
        #expect(header.contains(" \(tag) "), "\(header)")
        try scene.close()
    }
}
