#if FFmpeg
import Foundation
import FrameShare
import Testing

@testable import FrameSinks

/// Outputs whose frames change their size.
@Suite("Changes in outputs", .timeLimit(.minutes(5)))
struct OutputChangeTests {
    /// Five seconds from one frame to the next.
    private static func times() throws -> OutputTimeTests.Times {
        try #require(OutputTimeTests.all.first { $0.description == "a fifth of a frame a second" })
    }

    @Test("a trigger between a change and the next keyframe gets a clip, however long the recorder has run")
    func trigger() throws {
        let folder = try TemporaryFolder()
        let stream = OutputTimeTests.stream
        let recorder = try PreEventRecorder(stream, options: .init(path: folder.path("x.mp4")), pre: .seconds(5))
        var number = 0
        try OutputTimeTests.feed(Self.times()) { packet throws(VideoError) in
            if number == 12 {
                try recorder.change(to: stream)
                try recorder.trigger(post: .seconds(10))
                // One that is over before the first keyframe begins with it.
                try recorder.trigger(post: .seconds(1))
            }
            try recorder.write(packet)
            number += 1
        }
        try recorder.finish()
        // In the order of their ends: one frame, and those of 10 s.
        #expect(recorder.files.map(\.frames) == [1, 3])
    }

    @Test(
        "HLS whose segments are in one file, or need one, ends when the frames change, and keeps what it has",
        arguments: ["hls_flags=single_file", "hls_flags=1", "hls_segment_type=fmp4", "hls_segment_type=mpegts"]
    )
    func segments(option: String) throws {
        let folder = try TemporaryFolder()
        var options = VideoStreamer.Options(address: folder.path("x.m3u8"))
        options.format = "hls"
        let parts = option.split(separator: "=").map(String.init)
        options.formatOptions = ["hls_list_size": "0", "hls_time": "1", parts[0]: parts[1]]
        let streamer = try VideoStreamer(OutputTimeTests.stream, options: options)
        var (number, refusal) = (0, "")
        try OutputTimeTests.feed(Self.times()) { packet throws(VideoError) in
            if number == 12 {
                do throws(VideoError) {
                    try streamer.change(to: OutputTimeTests.stream)
                } catch {
                    refusal = "\(error)"
                }
            }
            number += 1
            if refusal.isEmpty { try streamer.write(packet) }
        }
        try streamer.finish()
        let isRefused = option != "hls_segment_type=mpegts"
        #expect(refusal.contains("can't go on when the frames change") == isRefused, "\(refusal)")
        let decoded = try FFmpeg.run(
            "ffprobe",
            ["-allowed_extensions", "ALL", "-show_entries", "frame=pict_type", "-of", "csv=p=0", folder.path("x.m3u8")]
        )
        let count = String(decoding: decoded, as: UTF8.self).split(separator: "\n").count
        #expect(count == (isRefused ? 12 : 24), "\(option)")
    }
}
#endif
