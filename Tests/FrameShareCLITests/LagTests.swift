import CommandTesting
import Foundation
import Glibc
import Testing

#if FFmpeg
/// What lags behind the camera, and what that costs whom.
@Suite("Lag", .timeLimit(.minutes(10)))
struct LagTests {
    private func camera(_ folder: ChannelFolder, as name: String = "cam", _ options: String...) throws -> CommandRun {
        try folder.publisher(["--rate", "60", "--slots", "6"] + options, as: name)
    }

    @Test("an encoder that is too slow costs the camera nothing by way of a copy stage, and slows it down without one")
    func slowEncoder() throws {
        let folder = try ChannelFolder()
        // x265's slowest preset does a few of such frames a second.
        let size = "1920x1080"
        let encoder = ["--codec", "hevc", "--preset", "veryslow", "--low-latency", "--keyframe-interval", "30"]
        let near = try camera(folder, as: "near", "--size", size)
        let far = try camera(folder, as: "far", "--size", size, "--stall-limit", "never")
        let relay = try folder.started(["relay", "near", "--slots", "30"])
        let lagging = try folder.started(["encode", "near-copy"] + encoder)
        try eventually {
            // It learns of losses with the frame that follows them.
            try folder.top("near-copy")["subscribers"].elements.contains {
                try $0["dropped_by"]["policy"].int > 60 && $0["delivered"].int > 8
            }
        }
        // The encoder's losses are counted, and named; the camera has none for want of a slot.
        #expect(try folder.end(lagging)["lost"]["policy"].int > 0)
        #expect(try folder.end(relay)["lost"]["no_free_slot"].int == 0)

        // Both cameras have the same machine and the same time; only one has the encoder.
        let direct = try folder.started(["encode", "far", "--policy", "every-frame"] + encoder)
        let before = try (published("near", folder), published("far", folder))
        try eventually { try published("near", folder) - before.0 > 180 }
        let during = try published("far", folder) - before.1
        #expect(during < 90, "\(during) of 180 frames: the camera is as slow as its encoder")
        #expect(direct.isRunning)
        direct.send(SIGKILL)
        _ = direct.wait()
        #expect(try folder.end(near)["lost"]["no_free_slot"].int == 0)
        _ = try folder.end(far)
    }

    @Test(
        "an encoder that is too slow is moved to copies by the camera's own channel; both its losses and the copies are told"
    )
    func slowEncoderGetsCopies() throws {
        let folder = try ChannelFolder()
        let camera = try camera(folder, "--size", "1280x720", "--copies", "20", "--copy-floor", "4")
        let lagging = try folder.started(
            ["encode", "cam", "--codec", "hevc", "--preset", "veryslow", "--low-latency", "--policy", "queue:12"]
        )
        let viewer = try folder.started(["watch", "cam"])
        try eventually {
            try folder.top()["subscribers"].elements.contains {
                try $0["name"].text == "encode cam-hevc" && $0["dropped_by"]["policy"].int > 60
                    && $0["delivered"].int > 16
            }
        }
        let now = try folder.top()
        let readers = try now["subscribers"].elements
        let encoder = try #require(try readers.filter { try $0["name"].text == "encode cam-hevc" }.first)
        #expect(try encoder["gets_copies"].bool)
        #expect(try encoder["copies"].int > 60)
        #expect(try now["copies"]["copied"].int >= encoder["copies"].int)
        #expect(try now["copies"]["floor"].int == 4)
        #expect(try now["pool"]["free"].int + now["pool"]["at_source"].int >= 4)
        let text = try frameshare("top", "cam", "--once", in: folder).output
        #expect(text.contains("of 20 copies free"))
        #expect(try folder.end(lagging)["lost"]["policy"].int > 0)
        _ = try folder.end(viewer)
        let end = try folder.end(camera)
        #expect(try end["lost"]["no_free_slot"].int == 0)
        #expect(try end["copied"].int > 60)
    }

    private func published(_ channel: String, _ folder: ChannelFolder) throws -> Int {
        try folder.top(channel)["published"].int
    }

    @Test("a disk that is too slow loses the recorder frames, which are counted, and the camera none")
    func slowDisk() throws {
        let folder = try ChannelFolder()
        let camera = try camera(folder, "--size", "640x480")
        // A pipe whose reader takes 20 kB a second is as slow a disk as one can get.
        let disk = folder.scratchFile().path + ".mkv"
        try #require(mkfifo(disk, 0o600) == 0)
        let slow = "exec 3<> \(disk); while dd bs=4096 count=1 status=none <&3 > /dev/null; do sleep 0.2; done"
        let bash = try #require(CommandRun.installed("bash"))
        let reader = try CommandRun(["-c", slow], of: bash, in: folder)
        let recorder = try CommandRun(
            ["record", "cam", "-o", disk, "--overwrite", "--codec", "mjpeg", "--json"],
            in: folder
        )
        func dropped() throws -> Int {
            let top = try folder.top()
            return try top["subscribers"].elements.first?["dropped"].int ?? 0
        }
        try eventually { try !recorder.isRunning || dropped() > 60 }
        let top = try folder.top()
        #expect(try top["lost"]["no_free_slot"].int == 0)
        #expect(try top["subscribers"].elements.allSatisfy { try $0["dropped_by"]["policy"].int > 60 })
        // The disk is quick again: the recording ends in order.
        let quick = try CommandRun(["-c", "exec cat \(disk) > /dev/null"], of: bash, in: folder)
        reader.send(SIGKILL)
        #expect(try folder.end(recorder)["lost"]["policy"].int > 0)
        #expect(quick.wait().code == 0)
        #expect(try folder.end(camera)["lost"]["no_free_slot"].int == 0)
    }

    @Test("AVI, which has no times, is right to a frame's interval, also over frames that the recorder lost")
    func avi() throws {
        let folder = try ChannelFolder()
        let camera = try camera(folder, "--size", "320x240")
        let file = folder.scratchFile().path + ".avi"
        let run = try frameshare(
            "record",
            "cam",
            "-o",
            file,
            "--codec",
            "mjpeg",
            "--sidecar",
            "--rate",
            "60",
            "--frames",
            "90",
            in: folder
        )
        #expect(run.code == 0, "\(run.errors)")
        let (probe, told) = (try VideoProbe(file, in: folder), try SidecarLine.read(file + ".jsonl"))
        #expect(told.count == 90)
        #expect(probe.pictures == told.count)
        let first = try #require(probe.packets.first)
        for (packet, line) in zip(probe.packets, told) {
            #expect(abs(packet.pts - first.pts - Double(line.pts) / 1e9) <= 1.2 / 60)
        }
        _ = try folder.end(camera)
    }

    @Test(
        "what is sent over the network is what players take",
        arguments: ["udp://127.0.0.1:PORT?pkt_size=1316", "srt://127.0.0.1:PORT", "rtsp://127.0.0.1:PORT/door"]
    )
    func network(address: String) throws {
        let folder = try ChannelFolder()
        let ffmpeg = try #require(CommandRun.installed("ffmpeg"), "Scripts/install-packages test installs it")
        let camera = try camera(folder, "--size", "320x240")
        let encode = try folder.started(["encode", "cam", "--keyframe-interval", "15", "--low-latency"])
        let address = address.replacingOccurrences(
            of: "PORT",
            with: "\(try freePort(isUDP: !address.hasPrefix("rtsp")))"
        )
        var listener = address
        var options: [String] = []
        if address.hasPrefix("srt") { listener += "?mode=listener" }
        if address.hasPrefix("rtsp") { options = ["-rtsp_flags", "listen"] }
        let player = try CommandRun(
            ["-v", "error"] + options + ["-i", listener, "-frames:v", "20", "-f", "null", "-"],
            of: ffmpeg,
            in: folder
        )
        let stream = try CommandRun(["stream", "cam-h264", address, "--wait", "--json"], in: folder)
        let outcome = player.wait()
        #expect(outcome.code == 0, "\(outcome.errors); \(stream.errorsSoFar)")
        #expect(stream.outputSoFar.contains("\"connected\""))
        for run in [stream, encode, camera] {
            run.send(SIGTERM)
            _ = run.wait()
        }
    }

    @Test("HLS is written as a playlist and its pieces")
    func hls() throws {
        let folder = try ChannelFolder()
        let camera = try camera(folder, "--size", "320x240")
        let encode = try folder.started(["encode", "cam", "--keyframe-interval", "15", "--low-latency"])
        let list = folder.scratchFile().path + ".m3u8"
        let stream = try CommandRun(["stream", "cam-h264", list, "--format", "hls", "--json"], in: folder)
        eventually { !stream.isRunning || access(list, F_OK) == 0 }
        stream.send(SIGTERM)
        #expect(stream.wait().code == 0, "\(stream.errorsSoFar)")
        let probe = try VideoProbe(list, in: folder)
        #expect(probe.pictures > 10 && probe.complaints == "")
        for run in [encode, camera] {
            run.send(SIGTERM)
            _ = run.wait()
        }
    }
}
#endif
