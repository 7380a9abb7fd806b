#if FFmpeg
import Foundation
import FrameShare
import PixelFormats
import Testing

@testable import FrameSources

/// Times in files jump, stand still, go back, or are missing.
@Suite("Times of video files", .timeLimit(.minutes(10)))
struct VideoFileTimeTests {
    private static let second: Int64 = 1_000_000_000

    @Test(
        "frames are due one step after another, whatever their times do",
        arguments: [
            [0, 40, 80, 3_600_000, 3_600_040, 86_400_000_000, 86_400_000_040], [0, 40, 80, 0, 40, 80, 0, 40],
            [nil, nil, nil, nil, nil], [0, nil, nil, nil, 160], [Int64.max, Int64.min, 0, Int64.max, nil, nil],
            [Int64.min, Int64.max, nil, -1, 0, 1],
        ] as [[Int64?]]
    )
    func places(milliseconds: [Int64?]) {
        var time = PlayingTime(speed: 1, step: 40_000_000)
        var last: Int64 = 0
        for stamp in milliseconds {
            let place = time.place(
                stamp.map { $0.multipliedReportingOverflow(by: 1_000_000).overflow ? $0 : $0 * 1_000_000 }
            )
            #expect(place.time >= last && place.time <= last + 10 * Self.second)
            last = place.time
        }
        #expect(last < 20 * Self.second)
    }

    @Test("a step of the largest number at the slowest speed is no trap")
    func slowest() {
        var time = PlayingTime(speed: 0.001, step: .max)
        for stamp in [0, Int64.max / 2, Int64.max] {
            let place = time.place(stamp)
            #expect(!time.sleep(until: place) { true })
            _ = time.now(place, .realtime)
        }
    }

    @Test("two recordings that were joined are played without a stop, and the seam is flagged")
    func joined() throws {
        let folder = try MediaFolder()
        try folder.make("a.ts", "testsrc2=s=64x48:r=25:d=1", "-c:v", "mpeg2video")
        for (offset, name) in [("5000", "later.ts"), ("0", "again.ts")] {
            try folder.ffmpeg(["-i", "a.ts", "-c", "copy", "-output_ts_offset", offset, name])
            try folder.join(["a.ts", name], to: "joined.ts")
            var options = VideoFile.Options()
            options.speed = 20
            let played = try PlayedFile(folder.file("joined.ts"), options)
            let count = try folder.pictureCount("joined.ts")
            #expect(played.error == nil && played.frames.count == count)
            #expect(played.frames.filter { $0.flags.contains(.discontinuity) }.count == 1, "\(name)")
            #expect(zip(played.frames, played.frames.dropFirst()).allSatisfy { $0.timestamp < $1.timestamp })
        }
    }

    @Test(
        "a still picture is shown again and again, at the rate that was asked for",
        arguments: ["png", "jpg", "gif", "bmp"]
    )
    func still(ending: String) throws {
        let folder = try MediaFolder()
        // A name that a pattern of names would match.
        try folder.make("a%d.\(ending)", "testsrc2=s=64x48:r=1:d=1", "-frames:v", "1", "-update", "1")
        let name = try #require(
            FileManager.default.contentsOfDirectory(atPath: folder.path).first { $0.hasSuffix(ending) }
        )
        try FileManager.default.moveItem(atPath: folder.file(name), toPath: folder.file("b%d.\(ending)"))
        var options = VideoFile.Options()
        options.framesPerSecond = 200
        let played = try PlayedFile(folder.file("b%d.\(ending)"), options, atMost: 20)
        #expect(played.frames.count == 20 && played.frames.allSatisfy { $0.bytes == played.frames[0].bytes })
        #expect(played.notes.contains { $0.contains("still") })
        #expect(zip(played.frames, played.frames.dropFirst()).allSatisfy { $1.timestamp - $0.timestamp >= 5_000_000 })
    }

    @Test(
        "every kind of file is played whole, twice over",
        arguments: [
            "mp4", "mkv", "ts", "avi", "mov", "webm", "nut", "flv", "gif", "y4m", "h264", "mjpeg",
        ]
    )
    func kinds(ending: String) throws {
        let folder = try MediaFolder()
        try folder.make("a.\(ending)", "testsrc2=s=64x48:r=25:d=1", "-g", "10")
        let count = try folder.pictureCount("a.\(ending)")
        try #require(count >= 24)
        var options = VideoFile.Options.fast
        options.loops = true
        // Its content decides, not its ending.
        try FileManager.default.copyItem(atPath: folder.file("a.\(ending)"), toPath: folder.file("file"))
        let path = folder.file(ending == "h264" ? "a.\(ending)" : "file")
        let played = try PlayedFile(path, options, atMost: count * 2)
        #expect(played.error == nil && played.frames.count == count * 2)
        for (first, second) in zip(played.frames, played.frames.dropFirst(count)) {
            #expect(second.bytes == first.bytes && second.sequence == first.sequence + UInt64(count))
        }
    }

    @Test(
        "speeds and rates that can't be are refused",
        arguments: [
            -1, -0.5, 1e-300, 1e-9, 1001, 1e308, .infinity, -.infinity, .nan, .signalingNaN, .leastNonzeroMagnitude,
            .greatestFiniteMagnitude,
        ] as [Double]
    )
    func impossible(number: Double) throws {
        let folder = try MediaFolder()
        try folder.make("a.h264", "testsrc2=s=64x48:r=25:d=0.2", "-pix_fmt", "yuv420p")
        var options = VideoFile.Options()
        options.speed = number
        #expect(throws: VideoFileError.self) { try VideoFile(path: folder.file("a.h264"), options: options) }
        options = VideoFile.Options()
        options.framesPerSecond = number
        #expect(throws: VideoFileError.self) { try VideoFile(path: folder.file("a.h264"), options: options) }
    }

    @Test("a rate is taken by files that have no times, and refused by others")
    func rates() throws {
        let folder = try MediaFolder()
        try folder.make("a.h264", "testsrc2=s=64x48:r=25:d=1", "-pix_fmt", "yuv420p")
        try folder.ffmpeg(["-i", "a.h264", "-c", "copy", "a.mp4"])
        var options = VideoFile.Options()
        options.framesPerSecond = 100
        let played = try PlayedFile(folder.file("a.h264"), options)
        #expect(played.frames.count == 25)
        #expect(throws: VideoFileError.ownRate(path: folder.file("a.mp4"))) {
            try VideoFile(path: folder.file("a.mp4"), options: options)
        }
    }
}
#endif
