import CommandTesting
import Foundation
import FrameShare
import Testing

@Suite("Benchmarks", .timeLimit(.minutes(10)))
struct BenchTests {
    private static let ways = [
        "frameshare latest", "frameshare queue:4", "frameshare every-frame", "SCM_RIGHTS and mmap a frame",
        "pidfd_getfd and mmap a frame", "shared memory, copied in", "socket", "pipe",
    ]

    @Test(
        "an un-paced run of bench-publisher and bench-subscriber loses nothing, and each says what it cost in one line"
    )
    func contestants() throws {
        let folder = try ChannelFolder()
        let subscribers = try (0..<2).map { _ in
            try CommandRun(
                ["bench-subscriber", "--channel", "x", "--policy", "everyFrame", "--touch", "all"],
                in: folder
            )
        }
        let publisher = try CommandRun(
            [
                "bench-publisher", "--channel", "x", "--size", "100000", "--readers", "2", "--rate", "0", "--frames",
                "400",
            ],
            in: folder
        ).wait()
        #expect(publisher.code == 0, "\(publisher.errors)")
        var sums: Set<Int> = []
        for outcome in [publisher] + subscribers.map({ $0.wait() }) {
            #expect(outcome.code == 0, "\(outcome.errors)")
            #expect(outcome.output.split(separator: "\n").count == 1)
            let report = try Document(outcome.output)
            #expect(try report["frames"].int == 400)
            #expect(try report["lost"].int == 0)
            for key in ["cpu_ns_per_frame", "wall_ns", "max_rss_bytes", "private_bytes", "pss_bytes"] {
                #expect(try report[key].int > 0, "\(key)")
            }
            let side = try report["side"].text
            let latency = try report[side == "publisher" ? "publish_ns" : "latency_ns"]
            #expect(try latency["p50"].int <= latency["p99_9"].int)
            #expect(try latency["p99_9"].int <= latency["max"].int)
            if side == "subscriber" {
                #expect(try report["torn"].int == 0)
                sums.insert(try report["touched_sum"].int)
            }
        }
        // Both have read the same bytes.
        #expect(sums.count == 1)
        #expect(folder.sockets.isEmpty)
    }

    @Test("a reader of a channel that is no benchmark's takes any numbers in its frames, and says what is missing")
    func numbers() throws {
        let folder = try ChannelFolder()
        var options = Publisher.Options()
        options.directory = ChannelDirectory(path: folder.path)
        // It waits for the reader, so that nothing is lost on a slow machine.
        options.stallLimit = nil
        let layout = try ImageLayout.computed(width: 16, height: 1, format: .r8)
        func read(_ stream: String, _ numbers: [Int64]) throws -> CommandRun.Outcome {
            let publisher = try Publisher(channel: "odd", streams: [stream: layout], slots: 16, options: options)
            let run = try CommandRun(["bench-subscriber", "--channel", "odd"], in: folder)
            try publisher.waitForSubscribersBlocking(timeout: .seconds(60))
            for number in numbers {
                for stamp in [0, .max, .min] + numbers {
                    let slot = try publisher.nextSlotBlocking(timeout: .seconds(60))
                    slot[stream].withUnsafeMutableBytes {
                        $0.storeBytes(of: number, as: Int64.self)
                        $0.storeBytes(of: stamp, toByteOffset: 8, as: Int64.self)
                    }
                    try publisher.publish(slot, FrameDescription(timestamp: .now()))
                }
            }
            if stream != "main" { eventually { !run.isRunning } }
            publisher.close()
            return run.wait()
        }
        let run = try read("main", [.max, 9, .max - 1, 8, .max, 9, .max, .min, -1])
        #expect(run.code == 0, "\(run.errors)")
        #expect(try Document(run.output)["frames"].int == 7 * 12)
        let other = try read("lores", [1])
        #expect(other.code == 1)
        #expect(other.errors.contains("no stream 'main'"), "\(other.errors)")
    }

    @Test("a reader of the latest frame has read or lost each frame that was counted")
    func losses() throws {
        let folder = try ChannelFolder()
        let subscriber = try CommandRun(["bench-subscriber", "--channel", "x", "--policy", "latest"], in: folder)
        let publisher = try CommandRun(
            ["bench-publisher", "--channel", "x", "--size", "1000", "--rate", "0", "--frames", "300"],
            in: folder
        ).wait()
        #expect(publisher.code == 0, "\(publisher.errors)")
        let outcome = subscriber.wait()
        #expect(outcome.code == 0, "\(outcome.errors)")
        let report = try Document(outcome.output)
        #expect(try report["frames"].int + report["lost"].int == 300)
    }

    @Test("a publisher whose readers don't come says so, and leaves nothing behind")
    func nobodyComes() throws {
        let folder = try ChannelFolder()
        let run = try CommandRun(["bench-publisher", "--channel", "x", "--patience", "100ms"], in: folder).wait()
        #expect(run.code == 1)
        #expect(run.errors.contains("0 of 1 readers came"))
        #expect(folder.sockets.isEmpty)
    }

    @Test("bench measures every way, says what limits it, and writes a page")
    func everyWay() throws {
        let folder = try ChannelFolder()
        let page = folder.scratchFile()
        let run = try CommandRun(["bench", "--quick", "--json", "--html", page.path], in: folder).wait()
        #expect(run.code == 0, "\(run.errors)")
        let result = try Document(run.output)
        let rows = try result["hand_over"].elements
        #expect(try Set(rows.map { try $0["way"].text }) == Set(Self.ways))
        for row in rows {
            let name = try row["way"].text
            #expect(try row["latency_p50_ns"].int > 0, "\(name)")
            #expect(try row["frames_per_second"].int > 0, "\(name)")
            #expect(try !row["limit"].text.isEmpty, "\(name)")
            if name != "frameshare latest", name != "frameshare queue:4" {
                #expect(try row["lost"].int == 0, "\(name)")
            }
        }
        let memory = try result["allocations"].elements
        #expect(try memory.contains { try $0["memory"].text == "memfd" && $0["first_touch_ns"].int > 0 })
        // Reading a megabyte takes longer than looking at the clock.
        #expect(try memory.allSatisfy { try $0.keys.contains("error") || $0["read_ns"].int > 1000 })
        let text = try String(contentsOf: page, encoding: .utf8)
        #expect(text.contains("<svg") && text.contains("</html>"))
        for way in Self.ways { #expect(text.contains(way)) }
        #expect(!text.contains("<script") && !text.contains("http"))
        #expect(folder.sockets.isEmpty)
    }

    @Test(
        "nonsense is refused with what would do",
        arguments: [
            (["bench", "--readers", "1,17"], "1 to 16"), (["bench", "--size", "12X"], "900k,12M"),
            (["bench", "--rate", "0"], "above 0"), (["bench-publisher", "--channel", "x", "--size", "8"], "16 bytes"),
            (["bench-publisher", "--channel", "a/b"], "a/b"), (["bench-subscriber"], "--channel"),
        ]
    )
    func badOptions(arguments: [String], hint: String) throws {
        let folder = try ChannelFolder()
        let run = try CommandRun(arguments, in: folder).wait()
        #expect(run.code == 64)
        #expect(run.errors.contains(hint), "\(run.errors)")
    }

    @Test("where the program that measures is not installed, bench says where it belongs")
    func notInstalled() throws {
        let folder = try ChannelFolder()
        let place = URL(fileURLWithPath: folder.path).appendingPathComponent("bin")
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: place) }
        let alone = place.appendingPathComponent("frameshare")
        try FileManager.default.copyItem(at: CommandRun.executable, to: alone)
        let run = try CommandRun(["bench", "--quick"], of: alone, in: folder).wait()
        #expect(run.code == 1 && run.output.isEmpty)
        #expect(run.errors.contains(place.path + "/frameshare-bench") && run.errors.contains("No such file"))
    }
}
