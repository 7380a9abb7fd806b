#if FFmpeg
import CommandTesting
import Foundation
import FrameShare
import Glibc
import PixelFormats
import Testing

/// Frames of another size come: by a camera that was set otherwise, or a file whose pictures change.
@Suite("Frames that change their size", .timeLimit(.minutes(10)))
struct SizeChangeTests {
    private static let sizes = [(64, 48), (96, 64), (64, 48)]

    /// A channel whose frames change their size.
    private struct Camera {
        let publisher: Publisher
        let directory: ChannelDirectory

        init(_ folder: ChannelFolder) throws {
            directory = ChannelDirectory(path: folder.path)
            var options = Publisher.Options()
            options.directory = directory
            // It waits for the recorder, so that nothing is lost on a slow machine.
            options.stallLimit = nil
            publisher = try Publisher(channel: "cam", streams: ["main": try Self.layout(0)], slots: 8, options: options)
        }

        private static func layout(_ part: Int) throws -> ImageLayout {
            let (width, height) = sizes[part]
            return try .computed(width: width, height: height, format: .yuv420, colorSpace: .rec709)
        }

        /// Publishes ten frames of each size, once so many readers are there.
        func run(readers: Int, until isReady: () throws -> Bool = { true }) throws {
            try eventually {
                try ChannelMonitor(channel: "cam", directory: directory).snapshot().subscribers.count == readers
                    && isReady()
            }
            for part in sizes.indices {
                if part > 0 {
                    let stream = FrameShare.Stream(name: "main", layout: try Self.layout(part))
                    try publisher.reconfigure(streams: [stream], slots: 8)
                }
                for number in 0..<10 {
                    let slot = try publisher.nextSlotBlocking(timeout: .seconds(60))
                    slot["main"].withUnsafeMutableBytes {
                        $0.initializeMemory(as: UInt8.self, repeating: UInt8(number * 20))
                    }
                    let time = FrameTimestamp(nanoseconds: 1_000_000_000 + Int64(part * 10 + number) * 40_000_000)
                    try publisher.publish(slot, FrameDescription(sequence: nil, timestamp: time))
                    // None waits behind another, which a queue would take the place of.
                    let count = UInt64(part * 10 + number + 1)
                    try eventually {
                        try ChannelMonitor(channel: "cam", directory: directory).snapshot().subscribers
                            .allSatisfy { $0.delivered >= count }
                    }
                }
            }
        }
    }

    /// Each picture's size, as ffprobe decodes it.
    private func pictures(_ file: String, _ folder: ChannelFolder) throws -> [String] {
        let ffprobe = try #require(CommandRun.installed("ffprobe"), "Scripts/install-packages test installs it")
        let run = try CommandRun(
            ["-v", "error", "-show_entries", "frame=width,height", "-of", "csv=p=0:s=x", file],
            of: ffprobe,
            in: folder
        ).wait()
        #expect(run.errors == "", "\(file)")
        return run.output.split(separator: "\n").map { $0.split(separator: "x").prefix(2).joined(separator: "x") }
    }

    @Test("a recording goes on in a next file, of frames and of packets, and none is lost")
    func recordings() throws {
        let folder = try ChannelFolder()
        let camera = try Camera(folder)
        let (frames, packets) = (folder.scratchFile().path, folder.scratchFile().path)
        let encoder = try folder.started(["encode", "cam", "--as", "coded", "--policy", "every-frame", "--low-latency"])
        let runs = [
            try folder.started(["record", "cam", "-o", frames + ".mp4", "--policy", "every-frame", "--sidecar"]),
            try folder.started(["record", "coded", "-o", packets + ".mkv", "--sidecar"]),
        ]
        let coded = ChannelDirectory(path: folder.path)
        try camera.run(readers: 2) {
            try ChannelMonitor(channel: "coded", directory: coded).snapshot().subscribers.count == 1
        }
        camera.publisher.close()
        for run in runs {
            let outcome = run.wait()
            #expect(outcome.code == 0, "\(outcome.errors)")
            let events = try Document.lines(outcome.output)
            #expect(try events.filter { try $0["event"].text == "changed" }.count == 2)
            #expect(try events.filter { try $0["event"].text == "file" }.count == 3)
            let end = try #require(events.last)
            #expect(try end["frames"].int == 30)
        }
        let encoded = encoder.wait()
        #expect(encoded.code == 0, "\(encoded.errors)")
        #expect(try Document.lines(encoded.output).filter { try $0["event"].text == "changed" }.count == 2)
        for (path, ending) in [(frames, ".mp4"), (packets, ".mkv")] {
            for (index, size) in Self.sizes.enumerated() {
                let file = path + (index == 0 ? "" : "-00\(index)") + ending
                #expect(try pictures(file, folder) == Array(repeating: "\(size.0)x\(size.1)", count: 10), "\(file)")
                let told = try SidecarLine.read(file + ".jsonl")
                #expect(told.map(\.sequence) == Array(index * 10..<index * 10 + 10))
                #expect(told.first?.pts == 0)
            }
        }
    }

    @Test("a clip goes on in a next file, and a stream where its container can; what can't go on says so")
    func clipsAndStreams() throws {
        let folder = try ChannelFolder()
        let camera = try Camera(folder)
        let out = folder.scratchFile().path
        let options = ["--low-latency", "--keyframe-interval", "5", "--json"]
        let recorder = try folder.started(
            ["record", "cam", "-o", out + ".mp4", "--policy", "every-frame", "--on-trigger", "--post", "60s"]
                + options.dropLast()
        )
        let stream = try CommandRun(["stream", "cam", out + ".ts", "--format", "mpegts"] + options, in: folder)
        let list = try CommandRun(
            [
                "stream", "cam", out + ".m3u8", "--format", "hls", "--option", "hls_list_size=0", "--option",
                "hls_time=0.1",
            ] + options,
            in: folder
        )
        let file = try CommandRun(["stream", "cam", out + ".mkv", "--format", "matroska"] + options, in: folder)
        var isTriggered = false
        try camera.run(readers: 4) {
            if !isTriggered { isTriggered = try frameshare("trigger", "cam", in: folder).code == 0 }
            return isTriggered
        }
        camera.publisher.close()
        for (run, kind, count) in [(recorder, "file", 3), (stream, "connected", 1), (list, "connected", 3)] {
            let outcome = run.wait()
            #expect(outcome.code == 0, "\(outcome.errors)")
            let events = try Document.lines(outcome.output)
            #expect(try events.filter { try $0["event"].text == kind }.count == count, "\(outcome.output)")
        }
        for (name, size) in zip(["-000", "-000-001", "-000-002"], Self.sizes) {
            let found = try pictures(out + name + ".mp4", folder)
            #expect(found == Array(repeating: "\(size.0)x\(size.1)", count: 10), "\(name)")
        }
        let all = Self.sizes.flatMap { Array(repeating: "\($0.0)x\($0.1)", count: 10) }
        #expect(try pictures(out + ".ts", folder) == all)
        #expect(try pictures(out + ".m3u8", folder) == all)
        // Beginning the file anew would lose what is there.
        let ended = file.wait()
        #expect(ended.code == 1 && ended.errors.contains("'frameshare record' begins a next file"), "\(ended.errors)")
        #expect(try pictures(out + ".mkv", folder) == Array(all.prefix(10)))
    }

    @Test("raw pixels go on, and say where; y4m, which has one size, ends with an error")
    func pixels() throws {
        let folder = try ChannelFolder()
        let camera = try Camera(folder)
        let runs = try ["raw", "y4m"].map {
            try CommandRun(["cat", "cam", "--policy", "every-frame", "--format", $0], in: folder)
        }
        try camera.run(readers: 2)
        camera.publisher.close()
        let (raw, y4m) = (runs[0].wait(), runs[1].wait())
        #expect(raw.code == 0, "\(raw.errors)")
        let sizes = Self.sizes.map { $0.0 * $0.1 * 3 / 2 }
        #expect(raw.outputBytes.count == sizes.reduce(0) { $0 + $1 * 10 })
        #expect(raw.errors.contains("changed from 64x48") && raw.errors.contains("changed from 96x64"), "\(raw.errors)")
        #expect(y4m.code == 1 && y4m.errors.contains("start a new file"), "\(y4m.errors)")
        let frames = y4m.output.components(separatedBy: "FRAME\n").count - 1
        #expect(frames == 10)
    }

    @Test("pixels that are not square keep their shape in a recording", arguments: ["mp4", "mkv"])
    func pixelAspect(ending: String) throws {
        let folder = try ChannelFolder()
        let ffprobe = try #require(CommandRun.installed("ffprobe"), "Scripts/install-packages test installs it")
        let directory = ChannelDirectory(path: folder.path)
        var options = Publisher.Options()
        options.directory = directory
        options.stallLimit = nil
        let layout = try ImageLayout.computed(width: 64, height: 48, format: .yuv420)
        let publisher = try Publisher(channel: "cam", streams: ["main": layout], slots: 8, options: options)
        let file = folder.scratchFile().path + "." + ending
        let run = try folder.started(["record", "cam", "-o", file, "--policy", "every-frame", "--frames", "5"])
        try eventually { try ChannelMonitor(channel: "cam", directory: directory).snapshot().subscribers.count == 1 }
        for number in 0..<5 {
            let slot = try publisher.nextSlotBlocking(timeout: .seconds(60))
            let time = FrameTimestamp(nanoseconds: 1_000_000_000 + Int64(number) * 40_000_000)
            try publisher.publish(
                slot,
                FrameDescription(sequence: nil, timestamp: time),
                metadata: ["SampleAspectRatio": .int32s([4, 3])]
            )
        }
        #expect(run.wait().code == 0)
        let probe = try CommandRun(
            ["-v", "error", "-show_entries", "stream=sample_aspect_ratio", "-of", "csv=p=0", file],
            of: ffprobe,
            in: folder
        ).wait()
        #expect(probe.output == "4:3\n", "\(probe.errors)")
    }
}
#endif
