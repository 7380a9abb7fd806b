import CommandTesting
import Foundation
import FrameShare
import FrameSources
import Glibc
import Testing

/// What the commands make of frames that are no whole images. Every third frame is whole.
@Suite("Damaged frames, as commands meet them", .timeLimit(.minutes(10)))
struct DamagedFrameTests {
    /// Publishes in this process for as long as it lives, on a thread of its own.
    private final class Source: Sendable {
        let publisher: Publisher
        private let stop = try? StopSignal()

        init(
            _ folder: ChannelFolder,
            _ layout: ImageLayout,
            frame: @escaping @Sendable (UInt64) -> (bytes: [UInt8], used: Int)
        ) throws {
            var options = Publisher.Options()
            options.directory = ChannelDirectory(path: folder.path)
            // It waits for whoever wants every frame, so that none is lost on a slow machine.
            options.stallLimit = nil
            publisher = try Publisher(channel: "cam", streams: ["main": layout], slots: 8, options: options)
            Thread.detachNewThread { [publisher, stop] in
                var number: UInt64 = 0
                while let stop, !stop.isStopped {
                    usleep(15_000)
                    let (bytes, used) = frame(number)
                    guard (try? Self.publish(bytes, used, number, publisher)) ?? true else { continue }
                    number += 1
                }
            }
        }

        /// - Returns: false where no slot is free
        private static func publish(
            _ bytes: [UInt8],
            _ used: Int,
            _ number: UInt64,
            _ publisher: Publisher
        ) throws -> Bool {
            guard let slot = try publisher.tryNextSlot() else { return false }
            slot["main"].withUnsafeMutableBytes { $0.copyBytes(from: bytes) }
            var description = FrameDescription(sequence: number)
            description.setBytesUsed(used, stream: 0, plane: 0)
            try publisher.publish(slot, description)
            return true
        }

        deinit {
            stop?.stop()
            publisher.close()
        }
    }

    private static let side = 64

    /// Grey frames of which two thirds hold one byte.
    private func grey(_ folder: ChannelFolder) throws -> Source {
        let layout = try ImageLayout.computed(width: Self.side, height: Self.side, format: .r8)
        return try Source(folder, layout) { number in
            let value = UInt8(truncatingIfNeeded: number)
            return number % 3 == 0
                ? ([UInt8](repeating: value, count: Self.side * Self.side), Self.side * Self.side) : ([value], 1)
        }
    }

    @Test("watch and top count them")
    func counted() throws {
        let folder = try ChannelFolder()
        let source = try grey(folder)
        let watch = try frameshare(
            "watch",
            "cam",
            "--policy",
            "every-frame",
            "--frames",
            "30",
            "--json",
            in: folder
        )
        #expect(watch.code == 0, "\(watch.errors)")
        let end = try #require(try Document.lines(watch.output).last)
        #expect(try end["damaged"].int == 20)
        let top = try frameshare("top", "cam", "--once", "--json", in: folder)
        let now = try #require(try Document.lines(top.output).last)
        #expect(try now["damaged"].int >= 20)
        withExtendedLifetime(source) {}
    }

    @Test("cat writes whole frames alone, and with --damaged zeros where a frame has no data, never an earlier frame's")
    func cat() throws {
        let folder = try ChannelFolder()
        let source = try grey(folder)
        let size = Self.side * Self.side
        let options = ["--format", "raw", "--policy", "every-frame", "--frames", "9"]
        let whole = try CommandRun(["cat", "cam"] + options, in: folder).wait()
        #expect(whole.code == 0, "\(whole.errors)")
        try #require(whole.outputBytes.count == 9 * size)
        for index in 0..<9 {
            let frame = whole.outputBytes[index * size..<(index + 1) * size]
            #expect(Set(frame).count == 1, "a whole frame is of one byte")
        }
        #expect(whole.errors.contains("damaged frame"), "\(whole.errors)")
        let all = try CommandRun(["cat", "cam", "--damaged"] + options, in: folder).wait()
        #expect(all.code == 0, "\(all.errors)")
        try #require(all.outputBytes.count == 9 * size)
        var short = 0
        for index in 0..<9 {
            let frame = Array(all.outputBytes[index * size..<(index + 1) * size])
            if Set(frame).count == 1, frame[0] != 0 { continue }
            #expect(frame[1...].allSatisfy { $0 == 0 })
            short += 1
        }
        #expect(short >= 6)
        #expect(all.errors == "")
        withExtendedLifetime(source) {}
    }

    /// MJPEG frames of which two thirds end in the middle.
    private func jpegs(_ folder: ChannelFolder, allDamaged: Bool = false) throws -> (Source, whole: [UInt8])? {
        // A picture as the test pattern's camera makes it; without libjpeg there is none.
        let maker = try ChannelFolder()
        let pattern = try CommandRun(
            ["publish", "--channel", "maker", "--size", "64x48", "--format", "MJPEG", "--rate", "30"],
            in: maker
        )
        defer {
            pattern.send(SIGTERM)
            _ = pattern.wait()
        }
        try eventually { try !pattern.isRunning || frameshare("top", "maker", "--once", in: maker).code == 0 }
        guard pattern.isRunning else { return nil }
        let jpeg = Array(try frameshare("cat", "maker", "--format", "raw", "--frames", "1", in: maker).outputBytes)
        let layout = try ImageLayout.opaque(width: 64, height: 48, format: .mjpeg, capacity: 65536)
        let source = try Source(folder, layout) { number in
            number % 3 == 0 && !allDamaged ? (jpeg, jpeg.count) : (jpeg, number % 3 == 2 ? 1 : jpeg.count / 2)
        }
        return (source, jpeg)
    }

    @Test("snapshot waits for a whole picture; where none comes it fails, and says how to have a damaged one")
    func snapshot() throws {
        let folder = try ChannelFolder()
        guard let (source, jpeg) = try jpegs(folder) else { return }
        for _ in 0..<4 {
            let file = folder.scratchFile().path + ".jpg"
            let run = try frameshare("snapshot", "cam", "-o", file, in: folder)
            #expect(run.code == 0, "\(run.errors)")
            let saved = Array(try Data(contentsOf: URL(fileURLWithPath: file)))
            #expect(saved == jpeg)
        }
        source.publisher.close()
        let spoilt = try ChannelFolder()
        guard let (onlyDamaged, _) = try jpegs(spoilt, allDamaged: true) else { return }
        let file = spoilt.scratchFile().path + ".jpg"
        let run = try frameshare("snapshot", "cam", "-o", file, "--timeout", "1s", in: spoilt)
        #expect(run.code == 1)
        #expect(run.errors.contains("--damaged"), "\(run.errors)")
        #expect(!FileManager.default.fileExists(atPath: file))
        let asked = try frameshare("snapshot", "cam", "-o", file, "--damaged", "--timeout", "60s", in: spoilt)
        // Half a picture is saved as it is; of one byte nothing can be.
        #expect(asked.code == 0 || asked.errors.contains("does not start"), "\(asked.errors)")
        withExtendedLifetime(onlyDamaged) {}
    }

    #if FFmpeg
    @Test("recordings and encoders leave them out")
    func recorded() throws {
        let folder = try ChannelFolder()
        guard let (source, _) = try jpegs(folder) else { return }
        let file = folder.scratchFile().path + ".avi"
        let run = try frameshare("record", "cam", "-o", file, "--seconds", "2s", "--json", in: folder)
        #expect(run.code == 0, "\(run.errors)")
        let end = try #require(try Document.lines(run.output).last)
        #expect(try end["damaged"].int > 0)
        #expect(try end["frames"].int > 0)
        source.publisher.close()
        let other = try ChannelFolder()
        let grey = try grey(other)
        let clip = other.scratchFile().path + ".mkv"
        let encoded = try frameshare("record", "cam", "-o", clip, "--damaged", "--seconds", "2s", "--json", in: other)
        #expect(encoded.code == 0, "\(encoded.errors)")
        let last = try #require(try Document.lines(encoded.output).last)
        let (damaged, frames) = (try last["damaged"].int, try last["frames"].int)
        #expect(damaged >= frames, "a frame that lacks pixels is not encoded even so")
        withExtendedLifetime(grey) {}
    }

    @Test("the frames that a recorder or an encoder is to end after are those that it has not left out")
    func counting() throws {
        let folder = try ChannelFolder()
        let grey = try grey(folder)
        let file = folder.scratchFile().path + ".mkv"
        let record = try frameshare(
            "record",
            "cam",
            "-o",
            file,
            "--codec",
            "mjpeg",
            "--frames",
            "7",
            "--json",
            in: folder
        )
        #expect(record.code == 0, "\(record.errors)")
        let end = try #require(try Document.lines(record.output).last)
        #expect(try end["frames"].int == 7)
        #expect(try end["damaged"].int > 6)
        let encode = try frameshare("encode", "cam", "--codec", "mjpeg", "--frames", "7", "--json", in: folder)
        #expect(encode.code == 0, "\(encode.errors)")
        #expect(try Document.lines(encode.output).last?["packets"].int == 7)
        withExtendedLifetime(grey) {}
    }
    #endif
}
