#if FFmpeg
import CommandTesting
import Foundation
import Glibc
import Testing

@Suite("Video files", .timeLimit(.minutes(10)))
struct VideoFileTests {
    /// A recording, and its side-car.
    private func recording(_ folder: ChannelFolder) throws -> String {
        let camera = try folder.started(["publish", "--channel", "cam", "--size", "320x240", "--rate", "60"])
        let file = folder.scratchFile().path + ".mp4"
        let run = try frameshare(
            "record",
            "cam",
            "-o",
            file,
            "--sidecar",
            "--quality",
            "80",
            "--frames",
            "60",
            in: folder
        )
        try #require(run.code == 0, "\(run.errors)")
        camera.send(SIGTERM)
        _ = camera.wait()
        return file
    }

    @Test("a recording comes back with the camera's numbers, intervals, metadata and pictures")
    func replay() throws {
        let folder = try ChannelFolder()
        let file = try recording(folder)
        let told = try SidecarLine.read(file + ".jsonl")
        // Slowly, so that there is time to subscribe; recorded again, with the same side-car but for the moment.
        let source = try folder.started(
            ["publish", "--source", file, "--channel", "again", "--speed", "0.3", "--stall-limit", "never"]
        )
        let again = folder.scratchFile().path + ".nut"
        let run = try frameshare(
            "record",
            "again",
            "-o",
            again,
            "--codec",
            "raw",
            "--policy",
            "every-frame",
            "--sidecar",
            in: folder
        )
        #expect(run.code == 0, "\(run.errors)")
        #expect(source.wait().code == 0)
        let replayed = try SidecarLine.read(again + ".jsonl")
        // It plays from its beginning, whether somebody looks yet or not.
        #expect(replayed.count > 0)
        let original = told.suffix(replayed.count)
        #expect(replayed.map(\.sequence) == original.map(\.sequence))
        for (now, then) in zip(replayed, original) {
            #expect(try now.metadata.object == then.metadata.object)
        }
    }

    @Test("it is played in time, over and over, and its numbers go on")
    func loop() throws {
        let folder = try ChannelFolder()
        let file = try recording(folder)
        let told = try SidecarLine.read(file + ".jsonl")
        let source = try folder.started(["publish", "--source", file, "--loop"])
        let out = folder.scratchFile().path + ".nut"
        let run = try frameshare(
            "record",
            "video",
            "-o",
            out,
            "--codec",
            "raw",
            "--frames",
            "90",
            "--sidecar",
            in: folder
        )
        #expect(run.code == 0, "\(run.errors)")
        source.send(SIGTERM)
        let outcome = source.wait()
        #expect(outcome.code == 0, "\(outcome.errors)")
        let seen = try SidecarLine.read(out + ".jsonl")
        #expect(zip(seen, seen.dropFirst()).allSatisfy { $0.sequence < $1.sequence })
        let length = try #require(told.last).sequence - (try #require(told.first)).sequence + 1
        let first = try #require(told.first).sequence
        let times = Dictionary(uniqueKeysWithValues: told.map { ($0.sequence, $0.pts) })
        // Within a loop, frames are as far apart as they were, to the microsecond that this machine's clocks agree in.
        for (a, b) in zip(seen, seen.dropFirst()) {
            guard (a.sequence - first) / length == (b.sequence - first) / length,
                let from = times[(a.sequence - first) % length + first],
                let to = times[(b.sequence - first) % length + first]
            else { continue }
            #expect(abs(b.timestamp - a.timestamp - (to - from)) < 1000)
        }
        #expect(try #require(seen.last).sequence >= first + length)
    }

    @Test("what can't be played is refused, with what is wrong")
    func refusals() throws {
        let folder = try ChannelFolder()
        let file = folder.scratchFile().path + ".mp4"
        var run = try frameshare("publish", "--source", file, in: folder)
        #expect(run.code == 1)
        #expect(run.errors.contains("No such file or directory"))
        try Data("no video".utf8).write(to: URL(fileURLWithPath: file))
        run = try frameshare("publish", "--source", file, in: folder)
        #expect(run.code == 1)
        #expect(run.errors.contains("Invalid data"), "\(run.errors)")
        let whole = try recording(folder)
        try Data("{\"frame\":0}\n{}\n".utf8).write(to: URL(fileURLWithPath: whole + ".jsonl"))
        run = try frameshare("publish", "--source", whole, in: folder)
        #expect(run.code == 1)
        #expect(run.errors.contains(".jsonl: line 1"))
        #expect(try frameshare("publish", "--source", whole, "--size", "64x64", in: folder).code == 64)
        #expect(try frameshare("publish", "--loop", in: folder).code == 64)
        for speed in ["-1", "1e-300", "nan", "inf", "-inf", "1e308", "1001", "x", ""] {
            #expect(try frameshare("publish", "--source", whole, "--speed=\(speed)", in: folder).code == 64)
        }
    }
}
#endif
