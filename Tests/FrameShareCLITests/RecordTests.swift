import CommandTesting
import Foundation
import FrameShare
import Glibc
import PixelFormats
import Testing

#if FFmpeg
@Suite("Recording", .timeLimit(.minutes(10)))
struct RecordTests {
    private func expectAsTold(_ path: String, within tolerance: Double, _ folder: ChannelFolder) throws -> Int {
        let (probe, told) = (try VideoProbe(path, in: folder), try SidecarLine.read(path + ".jsonl"))
        #expect(probe.complaints == "", "\(path)")
        #expect(probe.packets.count == told.count, "\(path)")
        #expect(probe.pictures == told.count, "\(path)")
        #expect(probe.packets.map(\.isKeyframe) == told.map(\.isKeyframe), "\(path)")
        let (first, last) = (try #require(probe.packets.first), try #require(told.first))
        #expect(first.isKeyframe)
        var worst = 0.0
        for (packet, line) in zip(probe.packets, told) {
            worst = max(worst, abs(packet.pts - first.pts - Double(line.pts) / 1e9))
            #expect(line.pts == line.timestamp - last.timestamp, "times are those of capture")
        }
        #expect(worst <= tolerance, "\(path)")
        return told.count
    }

    @Test("three recorders share one encoder, and each file has the frames and times that its side-car tells")
    func containers() throws {
        let folder = try ChannelFolder()
        let camera = try folder.publisher("--size", "320x240", "--rate", "60")
        // Packets enough for recorders that have to wait for the machine.
        let encode = try folder.started(["encode", "cam", "--keyframe-interval", "20", "--slots", "256"])
        let out = folder.scratchFile().path
        let recorders = try ["mp4", "mkv", "ts"].map {
            try folder.started(["record", "cam-h264", "-o", "\(out).\($0)", "--sidecar", "--frames", "90"])
        }
        // The camera's frames are in memory once, and are encoded once.
        let top = try Document(try frameshare("top", "cam", "--once", "--json", in: folder).output)
        #expect(try top["subscribers"].elements.map { try $0["name"].text } == ["encode cam-h264"])
        for recorder in recorders {
            let outcome = recorder.wait()
            #expect(outcome.code == 0, "\(outcome.errors)")
            let end = try #require(try Document.lines(outcome.output).last)
            #expect(try end["lost"]["policy"].int == 0)
        }
        // As exact as each container can be: microseconds, milliseconds, 90 kHz.
        #expect(try expectAsTold("\(out).mp4", within: 0.000_001, folder) > 50)
        #expect(try expectAsTold("\(out).mkv", within: 0.001, folder) > 50)
        #expect(try expectAsTold("\(out).ts", within: 0.000_02, folder) > 50)
        for run in [encode, camera] {
            run.send(SIGTERM)
            #expect(run.wait().code == 0)
        }
    }

    @Test(
        "the pictures have the camera's colours, whether the encoder reads them in place or converts them",
        arguments: ["YUV420", "NV12", "YUYV", "RGB888", "XBGR8888", "GREY", "NV61"]
    )
    func colours(format: String) throws {
        let folder = try ChannelFolder()
        let ffmpeg = try #require(CommandRun.installed("ffmpeg"), "Scripts/install-packages test installs it")
        // 1280x960 NV12 ends with a page: swscale must not read behind it.
        let camera = try folder.publisher("--size", "1280x960", "--rate", "10", "--format", format)
        let still = folder.scratchFile().path + ".png"
        #expect(try frameshare("snapshot", "cam", "-o", still, in: folder).code == 0)
        func pixels(_ file: String) throws -> [UInt8] {
            let run = try CommandRun(
                [
                    "-v", "error", "-i", file, "-frames:v", "1", "-vf", "crop=1280:640:0:0", "-f", "rawvideo",
                    "-pix_fmt",
                    "rgb24", "-",
                ],
                of: ffmpeg,
                in: folder
            ).wait()
            #expect(run.errors == "")
            return Array(run.outputBytes)
        }
        let wanted = try pixels(still)
        for (codec, ending) in [("h264", "mp4"), ("mjpeg", "avi"), ("raw", "nut")] {
            let file = folder.scratchFile().path + "." + ending
            let run = try frameshare(
                "record",
                "cam",
                "-o",
                file,
                "--codec",
                codec,
                "--quality",
                "90",
                "--frames",
                "2",
                in: folder
            )
            #expect(run.code == 0, "\(run.errors)")
            let found = try pixels(file)
            #expect(found.count == wanted.count, "\(codec)")
            let wrong = zip(found, wanted).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
            // The box in the picture moves, and is up to a tenth of it; its bars are still. Colours that are mixed up differ by
            // a multiple of this.
            #expect(Double(wrong) / Double(wanted.count) < 14, "\(codec): by how much the colours differ")
        }
        camera.send(SIGTERM)
        _ = camera.wait()
    }

    @Test("files are split at keyframes, with no frame lost or doubled between them")
    func split() throws {
        let folder = try ChannelFolder()
        let camera = try folder.publisher("--size", "160x120", "--rate", "60")
        let out = folder.scratchFile().path
        let run = try frameshare(
            "record",
            "cam",
            "-o",
            out + ".mp4",
            "--keyframe-interval",
            "12",
            "--split-time",
            "400ms",
            "--sidecar",
            "--frames",
            "120",
            "--json",
            in: folder
        )
        #expect(run.code == 0, "\(run.errors)")
        camera.send(SIGTERM)
        _ = camera.wait()
        let told = try Document.lines(run.output)
        let files = try told.filter { try $0["event"].text == "file" }
        #expect(files.count >= 3)
        let end = try #require(told.last)
        var sequences: [Int] = []
        for (index, file) in files.enumerated() {
            let path = try file["path"].text
            #expect(path == "\(out)-00\(index).mp4")
            #expect(try expectAsTold(path, within: 0.000_001, folder) == file["frames"].int)
            sequences += try SidecarLine.read(path + ".jsonl").map(\.sequence)
        }
        #expect(sequences.count == 120)
        let gaps = zip(sequences, sequences.dropFirst()).reduce(0) { $0 + $1.1 - $1.0 - 1 }
        #expect(try gaps == end["lost"]["policy"].int + end["lost"]["source"].int, "gaps are losses that were told")
    }

    @Test("what was recorded before a kill can be played, but for its last second", arguments: ["mp4", "mkv"])
    func killed(ending: String) throws {
        let folder = try ChannelFolder()
        let camera = try folder.publisher("--size", "160x120", "--rate", "60")
        let file = folder.scratchFile().path + "." + ending
        let run = try folder.started(
            ["record", "cam", "-o", file, "--keyframe-interval", "30", "--low-latency", "--sidecar"]
        )
        eventually { ((try? SidecarLine.read(file + ".jsonl").count) ?? 0) > 150 }
        run.send(SIGKILL)
        #expect(run.wait().code == -SIGKILL)
        let (probe, told) = (try VideoProbe(file, in: folder), try SidecarLine.read(file + ".jsonl"))
        // A fragment is a second, and ends at a keyframe.
        let lost = (told.last?.pts ?? 0) - Int((probe.packets.last?.pts ?? 0) * 1e9)
        #expect(lost < 1_600_000_000, "\(told.count) frames were recorded, \(probe.pictures) can be played")
        #expect(probe.pictures == probe.packets.count)
        #expect(probe.pictures > 60)
        camera.send(SIGTERM)
        _ = camera.wait()
    }

    @Test("a full disk ends the recording with an error, and what was written can be played")
    func diskFull() throws {
        let folder = try ChannelFolder()
        let camera = try folder.publisher("--size", "640x480", "--rate", "60")
        let place = folder.scratchFile().path
        let script = """
            set -e; mkdir \(place); mount -t tmpfs -o size=600k tmpfs \(place); set +e
            \(CommandRun.executable.path) record cam -o \(place)/full.mkv --codec mjpeg --sidecar; echo "code $?"
            ffprobe -v quiet -count_packets -show_entries stream=nb_read_packets -of csv=p=0 \(place)/full.mkv
            """
        let run = try folder.mounting(script)
        #expect(run.errors.contains("the disk is full"), "\(run.errors)")
        let lines = run.output.split(separator: "\n")
        #expect(lines.contains("code 1"))
        #expect((lines.last.flatMap { Int($0) } ?? 0) > 5, "\(run.output)")
        #expect(camera.isRunning)
        camera.send(SIGTERM)
        let end = try #require(try Document.lines(camera.wait().output).last)
        #expect(try end["lost"]["no_free_slot"].int == 0)
    }

    @Test("a recording goes on through an unplug of an hour, and a publisher that comes back with another clock")
    func comesBack() throws {
        let folder = try ChannelFolder()
        var options = Publisher.Options()
        options.directory = ChannelDirectory(path: folder.path)
        // It waits for the recorder, so that nothing is lost on a slow machine.
        options.stallLimit = nil
        let layout = try ImageLayout.computed(width: 64, height: 48, format: .yuv420)
        func publisher() throws -> Publisher {
            try Publisher(channel: "cam", streams: ["main": layout], slots: 16, options: options)
        }
        let step: Int64 = 40_000_000
        /// Publishes ten frames to the recorder, once it is there.
        func send(_ publisher: Publisher, from start: Int64) throws {
            try eventually {
                try ChannelMonitor(channel: "cam", directory: options.directory).snapshot().subscribers.count == 1
            }
            for number in 0..<10 {
                let slot = try publisher.nextSlotBlocking(timeout: .seconds(60))
                slot["main"].withUnsafeMutableBytes {
                    $0.initializeMemory(as: UInt8.self, repeating: UInt8(number * 20))
                }
                let time = FrameTimestamp(nanoseconds: start + Int64(number) * step, clock: .boottime)
                try publisher.publish(slot, FrameDescription(sequence: nil, timestamp: time))
            }
        }
        let file = folder.scratchFile().path + ".mp4"
        var camera: Publisher? = try publisher()
        let run = try folder.started([
            "record", "cam", "-o", file, "--policy", "every-frame", "--low-latency", "--reconnect", "--frames", "30",
            "--sidecar",
        ])
        try send(try #require(camera), from: 5_000_000_000_000)
        // It was unplugged for an hour, or the machine slept.
        try send(try #require(camera), from: 5_000_000_000_000 + 10 * step + 3_600_000_000_000)
        eventually { !run.isRunning || ((try? SidecarLine.read(file + ".jsonl").count) ?? 0) == 20 }
        camera?.close()
        camera = nil
        // The machine was started anew.
        let second = try publisher()
        try send(second, from: 7_000_000_000)
        let outcome = run.wait()
        #expect(outcome.code == 0, "\(outcome.errors)")
        second.close()
        let told = try Document.lines(outcome.output).filter { try $0["event"].text == "discontinuity" }
        #expect(try told.map { try $0["kind"].text } == ["pause", "back"])
        let probe = try VideoProbe(file, in: folder)
        #expect(probe.complaints == "")
        #expect(probe.pictures == 30)
        let times = probe.packets.map(\.pts)
        #expect(times == times.sorted())
        #expect(abs(try #require(times.last) - times[0] - 3600 - 29 * 0.04) < 0.000_01)
        let lines = try SidecarLine.read(file + ".jsonl")
        #expect(try #require(lines.last).timestamp == 7_000_000_000 + 9 * Int(step), "what the camera said stays")
    }

    @Test("what can't be encoded or recorded is refused, with what to do")
    func refusals() throws {
        let folder = try ChannelFolder()
        let camera = try folder.publisher("--size", "161x121", "--rate", "30")
        let out = folder.scratchFile().path
        func refusal(_ arguments: String...) throws -> (code: Int32, text: String) {
            let run = try CommandRun(arguments, in: folder).wait()
            return (run.code, run.errors)
        }
        var run = try refusal("record", "cam", "-o", out + ".mp4")
        #expect(run.code == 1)
        #expect(run.text.contains("relay --crop 160x120+0+0"), "\(run.text)")
        run = try refusal("record", "cam", "-o", out + ".xyz", "--codec", "mjpeg")
        #expect(run.code == 64)
        #expect(run.text.contains(".mp4, .mkv, .ts, .avi or .nut"))
        run = try refusal("record", "cam", "-o", out + ".ts", "--codec", "mjpeg")
        #expect(run.code == 64)
        #expect(run.text.contains("use .mkv"))
        run = try refusal("record", "cam", "-o", "/nowhere/x.mkv", "--codec", "mjpeg")
        #expect(run.code == 1)
        #expect(run.text.contains("/nowhere/x.mkv: No such file or directory"))
        try Data().write(to: URL(fileURLWithPath: out + ".mkv"))
        run = try refusal("record", "cam", "-o", out + ".mkv", "--codec", "mjpeg")
        #expect(run.code == 1)
        #expect(run.text.contains("--overwrite"))
        #expect(try refusal("encode", "cam", "--codec", "vp9").text.contains("h264, hevc, mjpeg"))
        #expect(try refusal("encode", "cam", "--codec", "mjpeg", "--quality", "101").text.contains("1 to 100"))
        #expect(try refusal("encode", "cam", "--preset", "warp").text.contains("ultrafast"))
        #expect(try refusal("record", "nothing", "-o", out + ".mp4").code == 3)
        camera.send(SIGTERM)
        _ = camera.wait()
    }

    @Test("a publisher that dies ends the recording in order, and with its error")
    func vanishedPublisher() throws {
        let folder = try ChannelFolder()
        let camera = try folder.publisher("--size", "160x120", "--rate", "60")
        let file = folder.scratchFile().path + ".mp4"
        let run = try folder.started(["record", "cam", "-o", file, "--sidecar"])
        eventually { ((try? SidecarLine.read(file + ".jsonl").count) ?? 0) > 20 }
        camera.send(SIGKILL)
        let outcome = run.wait()
        #expect(outcome.code == 3)
        #expect(outcome.errors.contains("has gone without a goodbye"))
        #expect(try expectAsTold(file, within: 0.000_001, folder) > 20)
        _ = camera.wait()
    }

    @Test("overlapping triggers, from another process and by a signal, each give a whole clip from before the moment")
    func triggers() throws {
        let folder = try ChannelFolder()
        let camera = try folder.publisher("--size", "160x120", "--rate", "60")
        #expect(try frameshare("trigger", "cam", in: folder).code == 3)
        let out = folder.scratchFile().path
        let counted = try frameshare("record", "cam", "-o", out + ".mp4", "--on-trigger", "--frames", "3", in: folder)
        #expect(counted.code == 64 && counted.errors.contains("--frames: not with --on-trigger"), "\(counted.errors)")
        let run = try folder.started(
            [
                "record", "cam", "-o", out + ".mp4", "--low-latency", "--keyframe-interval", "15", "--on-trigger",
                "--pre", "800ms", "--post", "1500ms", "--sidecar",
            ]
        )
        // Until enough is kept: 1.5 s of it.
        try eventually { try folder.top()["subscribers"].elements.contains { try $0["delivered"].int > 90 } }
        #expect(try frameshare("trigger", "cam", in: folder).code == 0)
        usleep(300_000)
        #expect(try frameshare("trigger", "cam", "--post", "700ms", in: folder).code == 0)
        usleep(100_000)
        run.send(SIGUSR1)
        try eventually { try Document.lines(run.outputSoFar).filter { try $0["event"].text == "file" }.count == 3 }
        run.send(SIGTERM)
        let outcome = run.wait()
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(folder.sockets.allSatisfy { !$0.hasSuffix(".trigger") })
        let end = try #require(try Document.lines(outcome.output).last)
        // It begins at a keyframe, which may be up to an interval earlier, and says so.
        for file in try Document.lines(outcome.output).filter({ try $0["event"].text == "file" }) {
            let (early, seconds) = (try file["early_seconds"].double, try file["seconds"].double)
            #expect(early >= 0 && seconds >= 0.8 + early, "\(outcome.output)")
        }
        let post = [1.5, 0.7, 1.5]
        var clips: [ClosedRange<Int>] = []
        for index in 0..<3 {
            let path = "\(out)-00\(index).mp4"
            _ = try expectAsTold(path, within: 0.000_001, folder)
            let told = try SidecarLine.read(path + ".jsonl")
            let (first, last) = (try #require(told.first), try #require(told.last))
            #expect(Double(last.pts) / 1e9 > 0.8 + post[index] - 0.1, "the whole time")
            clips.append(first.sequence...last.sequence)
            if try end["lost"]["policy"].int + end["lost"]["source"].int == 0 {
                #expect(told.count == last.sequence - first.sequence + 1, "nothing is lost at the joint")
            }
        }
        #expect(clips[0].overlaps(clips[1]) && clips[1].overlaps(clips[2]))
        camera.send(SIGTERM)
        _ = camera.wait()
    }

    @Test("HEVC is recorded too")
    func hevc() throws {
        let folder = try ChannelFolder()
        let camera = try folder.publisher("--size", "320x240", "--rate", "30")
        let file = folder.scratchFile().path + ".mp4"
        let run = try frameshare(
            "record",
            "cam",
            "-o",
            file,
            "--codec",
            "hevc",
            "--preset",
            "ultrafast",
            "--frames",
            "20",
            "--sidecar",
            in: folder
        )
        #expect(run.code == 0, "\(run.errors)")
        #expect(try expectAsTold(file, within: 0.000_001, folder) == 20)
        camera.send(SIGTERM)
        _ = camera.wait()
    }

    @Test("B-frames come out of order and are shown in order")
    func bFrames() throws {
        let folder = try ChannelFolder()
        let camera = try folder.publisher("--size", "320x240", "--rate", "60")
        let file = folder.scratchFile().path + ".mkv"
        let run = try frameshare(
            "record",
            "cam",
            "-o",
            file,
            "--b-frames",
            "2",
            "--frames",
            "40",
            "--sidecar",
            in: folder
        )
        #expect(run.code == 0, "\(run.errors)")
        let (probe, told) = (try VideoProbe(file, in: folder), try SidecarLine.read(file + ".jsonl"))
        #expect(probe.pictures == 40)
        #expect(told.map(\.pts) != told.map(\.pts).sorted())
        let start = try #require(probe.packets.first?.pts)
        for (packet, line) in zip(probe.packets, told) {
            #expect(abs(packet.pts - start - Double(line.pts) / 1e9) <= 0.001)
        }
        camera.send(SIGTERM)
        _ = camera.wait()
    }
}
#else
@Suite("Recording", .timeLimit(.minutes(10)))
struct RecordTests {
    @Test("a build without FFmpeg says so", arguments: [["record", "cam", "-o", "x.mp4"], ["encode", "cam"]])
    func notInThisBuild(arguments: [String]) throws {
        let run = try CommandRun(arguments, in: ChannelFolder()).wait()
        #expect(run.code == 1)
        #expect(run.errors.contains("--traits FFmpeg"))
    }
}
#endif
