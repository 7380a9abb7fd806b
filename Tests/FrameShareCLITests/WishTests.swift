import CommandTesting
import Foundation
import Glibc
import Testing

/// What programs want of a channel, and the converters that make it once for all of them.
@Suite("Wishes", .timeLimit(.minutes(10)))
struct WishTests {
    private static let wish = ["--size", "80x60", "--format", "RGB888"]

    private func camera(_ folder: ChannelFolder, _ more: String...) throws -> CommandRun {
        try folder.publisher(["--size", "320x240", "--format", "YUV420", "--rate", "60", "--slots", "8"] + more)
    }

    private func derived(_ folder: ChannelFolder) -> [String] {
        folder.sockets.filter { $0.hasSuffix(".sock") && $0 != "cam.sock" }
    }

    /// The process of the only converter.
    private func converter(_ folder: ChannelFolder) throws -> Int32 {
        let name = try #require(derived(folder).first).dropLast(".sock".count)
        return Int32(try folder.top(String(name))["publisher"]["pid"].int)
    }

    @Test("Programs that start at once and want the same share one converter, which ends after the last of them")
    func shared() throws {
        let folder = try ChannelFolder()
        let camera = try camera(folder)
        // As long as it reads, the converter does not end between two of the others.
        let holder = try folder.started(["watch", "cam"] + Self.wish)
        let readers = try (0..<12).map { _ in
            try CommandRun(["watch", "cam"] + Self.wish + ["--frames", "10", "--json"], in: folder)
        }
        for reader in readers {
            let outcome = reader.wait()
            #expect(outcome.code == 0, "\(outcome.errors)")
        }
        #expect(derived(folder).count == 1 && derived(folder)[0].contains("80x60-RGB888"))
        // Only one has ever read the camera.
        #expect(try folder.top()["subscribers"].elements.map { try $0["id"].int } == [1])
        _ = try folder.end(holder)
        eventually { derived(folder).isEmpty }
        #expect(try folder.top()["subscribers"].elements.isEmpty)
        _ = try folder.end(camera)
    }

    @Test("A stream that is as wanted is read in place, at the rate")
    func inPlace() throws {
        let folder = try ChannelFolder()
        let camera = try camera(folder, "--stream", "lores=80x60:RGB888")
        let watch = try CommandRun(
            ["watch", "cam"] + Self.wish + ["--rate", "20", "--frames", "10", "--json"],
            in: folder
        ).wait()
        #expect(watch.code == 0, "\(watch.errors)")
        let lines = try Document.lines(watch.output)
        #expect(try lines[0]["streams"].elements.map { try $0.text } == ["lores"])
        #expect(try #require(lines.last)["lost"]["policy"].int == 0)
        #expect(derived(folder).isEmpty)
        _ = try folder.end(camera)
    }

    @Test("A converter that is killed is an error to its readers, or another takes its place")
    func killed() throws {
        let folder = try ChannelFolder()
        let camera = try camera(folder)
        let plain = try folder.started(["watch", "cam"] + Self.wish)
        let patient = try folder.started(["watch", "cam"] + Self.wish + ["--reconnect"])
        let first = try converter(folder)
        kill(first, SIGKILL)
        let outcome = plain.wait()
        #expect(outcome.code == 3 && outcome.errors.contains("gone without a goodbye"), "\(outcome.errors)")
        eventually { (try? converter(folder)).map { $0 != first } ?? false }
        let before = patient.outputSoFar.count
        eventually { patient.outputSoFar.count > before }
        _ = try folder.end(patient)
        // Its camera goes: the converter says so, and ends.
        let last = try folder.started(["watch", "cam"] + Self.wish)
        camera.send(SIGKILL)
        _ = camera.wait()
        let lost = last.wait()
        #expect(lost.code == 3 && lost.errors.contains("the publisher of 'cam' has gone"), "\(lost.errors)")
        eventually { derived(folder).isEmpty }
    }

    @Test("frameshare convert makes a channel by name, whose frames are as its originals but for their pixels")
    func convert() throws {
        let folder = try ChannelFolder()
        let camera = try folder.publisher(["--size", "320x240", "--format", "MJPEG", "--rate", "30"])
        let convert = try folder.started(
            [
                "convert", "cam", "--as", "small", "--size", "160x", "--format", "BGR888", "--rotate", "90", "--rate",
                "10",
            ]
        )
        let watch = try frameshare("watch", "small", "--frames", "5", "--json", in: folder)
        #expect(watch.code == 0, "\(watch.errors)")
        let stream = try folder.top("small")["streams"][0]
        #expect(try stream["width"].int == 160 && stream["height"].int == 213)
        let end = try folder.end(convert)
        #expect(try end["converted"].int >= 5 && end["damaged"].int == 0)
        _ = try folder.end(camera)
    }

    #if FFmpeg
    @Test("Packets are decoded from a keyframe on, for which their encoder is asked")
    func packets() throws {
        let folder = try ChannelFolder()
        let camera = try camera(folder)
        // None by itself for longer than the test takes.
        let encode = try folder.started(["encode", "cam", "--as", "coded", "--keyframe-interval", "100000"])
        eventually { (try? folder.top("coded")["published"].int).map { $0 > 30 } ?? false }
        let watch = try frameshare(
            "watch",
            "coded",
            "--size",
            "160x120",
            "--format",
            "R8",
            "--frames",
            "10",
            in: folder
        )
        #expect(watch.code == 0, "\(watch.errors)")
        let file = folder.scratchFile().path + ".mkv"
        let record = try frameshare("record", "coded", "-o", file, "--frames", "10", in: folder)
        #expect(record.code == 0, "\(record.errors)")
        let refused = try frameshare("record", "coded", "-o", file + ".mkv", "--rate", "5", in: folder)
        #expect(refused.code == 64 && refused.errors.contains("each needs the one before"), "\(refused.errors)")
        _ = try folder.end(encode)
        _ = try folder.end(camera)
    }
    #endif

    @Test(
        "A wish that can't be fulfilled is refused in words",
        arguments: [
            (["--size", "0x0"], "can't be wished for"), (["--size", "100000x1"], "can't be wished for"),
            (["--size", "x"], "give WIDTHxHEIGHT"), (["--format", "QQQQ"], "can't be wished for"),
            (["--rate", "0"], "1/3600"), (["--rate", "nan"], "frames a second"),
            (["--rate", "1e9"], "frames a second"),
            (["--rate", "-1"], "frames a second"), (["--rotate", "45"], "90, 180 or 270"),
            (["--crop", "0x5"], "can't be cut"),
            (["--crop", "100x100+300+0"], "does not lie inside the image of 320x240"),
        ]
    )
    func refused(options: [String], words: String) throws {
        let folder = try ChannelFolder()
        let camera = try camera(folder)
        let watch = try CommandRun(["watch", "cam", "--frames", "1"] + options, in: folder).wait()
        #expect(watch.code == (words.contains("inside") ? 1 : 64) && watch.errors.contains(words), "\(watch.errors)")
        #expect(derived(folder).isEmpty)
        _ = try folder.end(camera)
    }
}
