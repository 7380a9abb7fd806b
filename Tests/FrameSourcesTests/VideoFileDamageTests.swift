#if FFmpeg
import Foundation
import FrameShare
import FrameSources
import PeerTesting
import PixelFormats
import Testing

/// A file is what somebody else has written: damaged, cut off, or made to harm.
@Suite("Damaged video files", .timeLimit(.minutes(10)))
struct VideoFileDamageTests {
    /// Motion JPEG in an AVI whose every seventh picture is damaged.
    private func damaged(_ folder: MediaFolder) throws {
        try folder.make("whole.avi", "testsrc2=s=96x64:r=25:d=2", "-pix_fmt", "yuvj420p", "-c:v", "mjpeg")
        var bytes = try folder.bytes("whole.avi")
        var pictures: [Int] = []
        for index in 0..<bytes.count - 4
        where bytes[index] == 0xFF && bytes[index + 1] == 0xD8 && bytes[index + 2] == 0xFF {
            pictures.append(index)
        }
        try #require(pictures.count == 50)
        for index in stride(from: 3, to: 50, by: 7) {
            // The tables, without which nothing can be decoded.
            for byte in pictures[index] + 20..<pictures[index] + 400 { bytes[byte] = 0xFF }
        }
        try folder.write(bytes, to: "damaged.avi")
    }

    @Test("what can't be decoded is gone over, counted and flagged, and the rest is shown, as ffmpeg shows it")
    func goneOver() throws {
        let folder = try MediaFolder()
        try damaged(folder)
        let count = try folder.pictureCount("damaged.avi")
        try #require(count < 50 && count >= 40)
        let played = try PlayedFile(folder.file("damaged.avi"))
        #expect(played.error == nil && played.frames.count == count)
        #expect(played.lost == UInt64(50 - count))
        #expect(played.events.contains { if case .damaged = $0 { true } else { false } })
        // The numbers have the gaps, and the first frame behind each is flagged.
        for (before, frame) in zip(played.frames, played.frames.dropFirst()) {
            #expect(frame.flags.contains(.discontinuity) == (frame.sequence > before.sequence + 1))
        }
        #expect(played.frames.last?.sequence == 49)
    }

    @Test("a damaged file is played over and over, and each pass is the same")
    func looped() throws {
        let folder = try MediaFolder()
        try damaged(folder)
        let count = try folder.pictureCount("damaged.avi")
        var options = VideoFile.Options.fast
        options.loops = true
        let played = try PlayedFile(folder.file("damaged.avi"), options, atMost: count * 3)
        #expect(played.error == nil && played.frames.count == count * 3)
        for (first, third) in zip(played.frames, played.frames.suffix(count)) {
            #expect(third.sequence == first.sequence + 100 && third.bytes == first.bytes)
        }
    }

    /// The same bytes in each run, for a decoder's own limits decide on some files; `FRAMESHARE_SEED` chooses others.
    private static let seed = ProcessInfo.processInfo.environment["FRAMESHARE_SEED"].flatMap(UInt64.init) ?? 4711

    @Test(
        "bytes that were changed anywhere in a file end no run",
        arguments: ["mp4", "mkv", "ts", "avi", "h264", "flv", "y4m", "gif", "nut"]
    )
    func scribbled(ending: String) throws {
        let folder = try MediaFolder()
        let name = "a.\(ending)"
        try folder.make(name, "testsrc2=s=64x48:r=25:d=1", "-g", "10")
        let original = try folder.bytes(name)
        var random = SeededGenerator(seed: Self.seed)
        for round in 0..<3 {
            var bytes = original
            // The head is left alone: without one, some formats have no pictures.
            for _ in 0..<(1 << round) {
                let place = Int.random(in: min(4096, bytes.count / 3)..<bytes.count * 9 / 10, using: &random)
                for index in place..<min(bytes.count, place + 64) {
                    bytes[index] = .random(in: 0...255, using: &random)
                }
            }
            try folder.write(bytes, to: "b.\(ending)")
            let count = try folder.pictureCount("b.\(ending)")
            guard count > 0 else { continue }
            let played: PlayedFile
            do {
                played = try PlayedFile(folder.file("b.\(ending)"), atMost: count * 2)
            } catch VideoFileError.tooLarge {
                // Its size is among what was changed: ffmpeg has the memory for it, or looks for another.
                continue
            }
            #expect(played.error == nil, "\(Self.saved(bytes, ending))")
            // A GIF of which one picture is left is taken for a still one.
            if played.notes.contains(where: { $0.contains("still") }) { continue }
            #expect(
                abs(played.frames.count - count) <= 1,
                "\(played.frames.count), not \(count): \(Self.saved(bytes, ending))"
            )
        }
    }

    /// Where a file that made a test fail is kept.
    private static func saved(_ bytes: [UInt8], _ ending: String) -> String {
        let path = NSTemporaryDirectory() + "damaged-\(UUID().uuidString.prefix(8)).\(ending)"
        try? Data(bytes).write(to: URL(fileURLWithPath: path))
        return path
    }

    @Test(
        "a file without one picture that can be decoded is refused, in words",
        arguments: ["mp4", "mkv", "ts", "h264"]
    )
    func nothing(ending: String) throws {
        let folder = try MediaFolder()
        let name = "a.\(ending)"
        let fragmented = ending == "mp4" ? ["-movflags", "+frag_keyframe+empty_moov"] : []
        try folder.ffmpeg(
            ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1", "-pix_fmt", "yuv420p", "-c:v", "libx264"] + fragmented
                + [name]
        )
        let bytes = try folder.bytes(name)
        // A recording that was killed at any moment, among them one with its head alone.
        let head = ending == "mp4" ? try #require(bytes.firstRange(of: Array("moof".utf8))).lowerBound - 4 : 400
        for length in [0, 1, 20, head / 2, head] {
            try folder.write(bytes.prefix(length), to: "cut.\(ending)")
            #expect(throws: VideoFileError.self, "\(length) bytes") {
                try VideoFile(path: folder.file("cut.\(ending)"))
            }
        }
        try folder.write(bytes.prefix(bytes.count / 2), to: "half.\(ending)")
        let count = try folder.pictureCount("half.\(ending)")
        if count > 0 { #expect(try PlayedFile(folder.file("half.\(ending)")).frames.count == count) }
    }

    @Test("a list of other files is no video, and opens none of them")
    func lists() throws {
        let folder = try MediaFolder()
        try folder.make("a.ts", "testsrc2=s=64x48:r=25:d=1")
        try folder.write("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n".utf8, to: "b.m3u8")
        try folder.write("ffconcat version 1.0\nfile a.ts\n".utf8, to: "b.mp4")
        for name in ["b.m3u8", "b.mp4"] {
            #expect(throws: VideoFileError.self) { try VideoFile(path: folder.file(name)) }
        }
    }

    @Test("numbers of a side-car that can't be are refused or played, and nothing traps")
    func sidecars() throws {
        let folder = try MediaFolder()
        try folder.make("a.mp4", "testsrc2=s=64x48:r=25:d=0.2", "-pix_fmt", "yuv420p")
        let numbers = [
            "0", "1", "-1", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "1e308", "nan", "inf",
        ]
        for sequence in numbers {
            for pts in numbers {
                let line = "{\"sequence\":\(sequence),\"pts\":\(pts),\"metadata\":{\"a\":\(sequence)}}\n"
                let plain = "{\"sequence\":2,\"pts\":7,\"metadata\":{}}\n"
                try folder.write((plain + line + plain).utf8, to: "a.mp4.jsonl")
                do {
                    let played = try PlayedFile(folder.file("a.mp4"))
                    #expect(played.error == nil && played.frames.count == 5)
                } catch let error as VideoFileError {
                    guard case .sidecar(_, line: 2) = error else { throw error }
                }
            }
        }
        // More metadata than a frame can carry.
        let text = String(repeating: "x", count: 70_000)
        try folder.write("{\"sequence\":0,\"pts\":0,\"metadata\":{\"a\":\"\(text)\"}}\n{}".utf8, to: "a.mp4.jsonl")
        #expect(throws: VideoFileError.sidecar(path: folder.file("a.mp4.jsonl"), line: 1)) {
            try VideoFile(path: folder.file("a.mp4"))
        }
    }

    @Test("a side-car's lines stay with their frames when pictures before are lost")
    func sidecarOfDamaged() throws {
        let folder = try MediaFolder()
        try damaged(folder)
        let lines = (0..<50).map { "{\"sequence\":\($0 + 1000),\"pts\":\($0 * 40_000_000),\"metadata\":{}}\n" }
        try folder.write(lines.joined().utf8, to: "damaged.avi.jsonl")
        let plain = try PlayedFile(folder.file("whole.avi"))
        let played = try PlayedFile(folder.file("damaged.avi"))
        for frame in played.frames where !frame.flags.contains(.error) {
            let index = Int(frame.sequence) - 1000
            #expect(
                plain.frames.indices.contains(index) && plain.frames[index].bytes == frame.bytes,
                "\(frame.sequence)"
            )
        }
    }
}
#endif
