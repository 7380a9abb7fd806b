#if FFmpeg
import Foundation
import FrameShare
import PixelFormats
import Testing

@testable import FrameSinks

/// Frames' times that do not go on evenly, in every container and output.
@Suite("Times in outputs", .timeLimit(.minutes(10)))
struct OutputTimeTests {
    private static let ms: Int64 = 1_000_000
    private static let second: Int64 = 1_000_000_000
    private static let frames = 24

    /// The stamps of 24 frames, and the time from the first to the last, with pauses kept and closed.
    struct Times: Sendable, CustomStringConvertible {
        let description: String
        let stamps: [Int64]
        let kept: Double
        let closed: Double
        /// The longest time from one frame to the next that is usual.
        let step: Double

        init(_ description: String, step: Int64, kept: Double, closed: Double? = nil, _ stamp: (Int64) -> Int64) {
            self.description = description
            stamps = (0..<Int64(OutputTimeTests.frames)).map(stamp)
            (self.kept, self.closed, self.step) = (kept, closed ?? kept, Double(step) / 1e9)
        }
    }

    static let all: [Times] = [
        Times("even", step: 40 * ms, kept: 0.92) { 100 * second + $0 * 40 * ms },
        Times("a pause of an hour", step: 40 * ms, kept: 3600.92, closed: 0.92 + 0.04 - 0.04) {
            $0 * 40 * ms + ($0 < 12 ? 0 : 3600 * second)
        },
        Times("a pause of a day", step: 40 * ms, kept: 86400.92, closed: 0.92) {
            $0 * 40 * ms + ($0 < 12 ? 0 : 86400 * second)
        },
        Times("a step back of 5 s", step: 40 * ms, kept: 0.92) {
            100 * second + $0 * 40 * ms - ($0 < 12 ? 0 : 5 * second)
        },
        Times("a source that begins anew", step: 40 * ms, kept: 0.92) {
            $0 < 12 ? 9000 * second + $0 * 40 * ms : ($0 - 12) * 40 * ms
        },
        Times("a clock set ahead by a year", step: 40 * ms, kept: 0.92) {
            $0 * 40 * ms + ($0 < 12 ? 0 : 31_536_000 * second)
        },
        Times("a step ahead of 5 s", step: 40 * ms, kept: 5.92) { $0 * 40 * ms + ($0 < 12 ? 0 : 5 * second) },
        Times("equal stamps", step: 80 * ms, kept: 0.88) { $0 / 2 * 80 * ms },
        Times("a fifth of a frame a second", step: 5 * second, kept: 115) { $0 * 5 * second },
        Times("a thousand frames a second", step: ms, kept: 0.023) { $0 * ms },
    ]

    /// H.264, each packet a keyframe.
    static let packets = Result {
        try encoded([Int64](repeating: 0, count: frames), bFrames: 0, interval: 1).map(\.bytes)
    }

    private static func encoded(
        _ stamps: [Int64],
        bFrames: Int,
        interval: Int
    ) throws -> [(bytes: [UInt8], info: VideoPacket.Info)] {
        let folder = try TemporaryFolder()
        var options = Publisher.Options()
        options.directory = ChannelDirectory(path: folder.path)
        let layout = try ImageLayout.computed(width: 64, height: 64, format: .yuv420)
        let publisher = try Publisher(channel: "camera", streams: ["main": layout], slots: 4, options: options)
        var subscribing = Subscriber.Options()
        subscribing.directory = options.directory
        let camera = try Subscriber(channel: "camera", policy: .everyFrame, options: subscribing)
        var video = VideoOptions()
        (video.lowLatency, video.keyframeInterval, video.preset) = (bFrames == 0, interval, "ultrafast")
        video.bFrames = bFrames
        let encoder = try VideoEncoder(layout: layout, options: video)
        var packets: [(bytes: [UInt8], info: VideoPacket.Info)] = []
        func keep(_ packet: borrowing VideoPacket) {
            let (bytes, info) = (packet.bytes, packet.info)
            packets.append((bytes.withUnsafeBytes { Array($0) }, info))
        }
        for (number, stamp) in stamps.enumerated() {
            let slot = try publisher.nextSlotBlocking(timeout: .seconds(60))
            slot["main"].withUnsafeMutableBytes { $0.initializeMemory(as: UInt8.self, repeating: UInt8(number * 9)) }
            let time = FrameTimestamp(nanoseconds: stamp, clock: .realtime)
            try publisher.publish(slot, FrameDescription(timestamp: time))
            guard let frame = try camera.nextBlocking(timeout: .seconds(60)) else { throw ChannelError.closed }
            try encoder.encode(frame) { packet throws(VideoError) in keep(packet) }
        }
        try encoder.finish { packet throws(VideoError) in keep(packet) }
        return packets
    }

    static let stream = VideoStream(
        codec: .h264,
        width: 64,
        height: 64,
        colorSpace: .unknown,
        framesPerSecond: 30
    )

    /// Hands on each packet with its made-up time.
    static func feed(
        _ times: Times,
        _ body: (borrowing VideoPacket) throws(VideoError) -> Void
    ) throws {
        let metadata: [UInt8] = []
        for (number, bytes) in try packets.get().enumerated() {
            let stamp = times.stamps[number]
            let info = VideoPacket.Info(
                sequence: UInt64(number),
                timestamp: FrameTimestamp(nanoseconds: stamp, clock: .realtime),
                pts: stamp,
                dts: stamp,
                isKeyframe: true
            )
            try body(
                VideoPacket(bytes: bytes.span.bytes, info: info, metadata: MetadataView(encoded: metadata.span.bytes))
            )
        }
    }

    /// What ffprobe says: each packet's time in s, and how long the file says it is.
    private func probe(_ path: String) throws -> (times: [Double], duration: Double?) {
        let text = String(
            decoding: try FFmpeg.run(
                "ffprobe",
                ["-select_streams", "v:0", "-of", "csv", "-show_entries", "packet=dts_time,size:format=duration", path]
            ),
            as: UTF8.self
        )
        var (times, duration): ([Double], Double?) = ([], nil)
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: ",")
            if parts[0] == "packet", parts.count > 2, parts[2] != "0", let time = Double(parts[1]) {
                times.append(time)
            }
            if parts[0] == "format", parts.count > 1 { duration = Double(parts[1]) }
        }
        return (times, duration)
    }

    private func expect(
        _ path: String,
        _ times: Times,
        _ wanted: Double,
        within tick: Double,
        frames: Int = frames
    ) throws {
        let found = try probe(path)
        let name = "\(times): \((path as NSString).lastPathComponent)"
        #expect(found.times.count == frames, "\(name): no packet is lost")
        guard let first = found.times.first, let last = found.times.last else { return }
        #expect(abs(last - first - wanted) <= tick + 0.000_001, "\(name): \(last - first) s, not \(wanted)")
        guard let duration = found.duration else { return }
        // The last frame is shown for a usual step.
        let longest = wanted + 2 * max(times.step, tick) + 0.1
        #expect(duration >= wanted - tick - 0.001 && duration <= longest, "\(name) says \(duration) s, not \(wanted)")
    }

    /// The smallest time that a container tells.
    private func tick(_ ending: String, _ times: Times) -> Double {
        switch ending {
        case "mkv", "flv": 0.001
        case "ts": 0.000_023
        case "avi": times.step + 0.001
        default: 0.000_002
        }
    }

    @Test("recordings lose no frame and tell true times, whatever the stamps do", arguments: all)
    func recordings(times: Times) throws {
        let folder = try TemporaryFolder()
        for ending in ["mp4", "mkv", "avi", "ts", "nut"] {
            let path = folder.path("x.\(ending)")
            var options = VideoRecorder.Options(path: path)
            options.sidecar = true
            let recorder = try VideoRecorder(Self.stream, options: options)
            try Self.feed(times) { packet throws(VideoError) in try recorder.write(packet) }
            try recorder.finish()
            #expect(recorder.files.map(\.frames) == [Self.frames])
            #expect(abs(Double(recorder.files[0].duration) / 1e9 - times.kept) < 0.000_001, "\(times)")
            try expect(path, times, times.kept, within: tick(ending, times))
        }
    }

    @Test("split files and clips lose no frame, and none of them is longer than what it holds", arguments: all)
    func parts(times: Times) throws {
        let folder = try TemporaryFolder()
        var options = VideoRecorder.Options(path: folder.path("split.mp4"))
        options.splitDuration = .milliseconds(500)
        let recorder = try VideoRecorder(Self.stream, options: options)
        try Self.feed(times) { packet throws(VideoError) in try recorder.write(packet) }
        try recorder.finish()
        #expect(recorder.files.reduce(0) { $0 + $1.frames } == Self.frames, "\(times)")
        #expect(recorder.files.allSatisfy { Double($0.duration) / 1e9 < 0.5 + times.step }, "\(times): a pause divides")

        let clips = try PreEventRecorder(Self.stream, options: .init(path: folder.path("clip.mp4")), pre: .seconds(1))
        var number = 0
        try Self.feed(times) { packet throws(VideoError) in
            try clips.write(packet)
            number += 1
            if number == 12 { try clips.trigger(post: .seconds(200_000)) }
        }
        try clips.finish()
        let clip = try #require(clips.files.first)
        #expect(clip.frames >= 13, "\(times)")
        try expect(clip.path, times, Double(clip.duration) / 1e9, within: 0.000_002, frames: clip.frames)
    }

    @Test("an encoder's packets go on through each break, and keep what the camera said", arguments: all)
    func encoders(times: Times) throws {
        let packets = try Self.encoded(times.stamps, bFrames: 2, interval: 12)
        #expect(packets.count == Self.frames, "\(times)")
        #expect(zip(packets, packets.dropFirst()).allSatisfy { $0.info.dts < $1.info.dts }, "\(times)")
        #expect(packets.allSatisfy { $0.info.dts <= $0.info.pts }, "\(times)")
        let shown = packets.map(\.info).sorted { $0.sequence < $1.sequence }
        #expect(shown.map(\.timestamp.nanoseconds) == times.stamps, "\(times)")
        #expect(zip(shown, shown.dropFirst()).allSatisfy { $0.pts <= $1.pts }, "\(times)")
        let length = Double(try #require(shown.last).pts - shown[0].pts) / 1e9
        #expect(abs(length - times.kept) < 0.000_001, "\(times): \(length)")
    }

    @Test("streams lose no frame, and a pause is no part of their time", arguments: all)
    func streams(times: Times) throws {
        let folder = try TemporaryFolder()
        for (format, ending) in [("flv", "flv"), ("mov", "mov"), ("mpegts", "ts"), ("hls", "m3u8")] {
            let path = folder.path("x.\(ending)")
            var options = VideoStreamer.Options(address: path)
            options.format = format
            if format == "hls" { options.formatOptions["hls_list_size"] = "0" }
            let streamer = try VideoStreamer(Self.stream, options: options)
            try Self.feed(times) { packet throws(VideoError) in try streamer.write(packet) }
            try streamer.finish()
            #expect(streamer.statistics.sent == Self.frames, "\(times), \(format)")
            #expect(streamer.statistics.connections == 1, "\(times), \(format)")
            try expect(path, times, times.closed, within: tick(ending, times) + (format == "hls" ? 0.000_023 : 0))
        }
        let muxer = try FragmentMuxer(Self.stream)
        var bytes: [UInt8] = []
        try Self.feed(times) { packet throws(VideoError) in bytes += try muxer.write(packet) }
        try folder.write(bytes, to: "page.mp4")
        let found = try probe(folder.path("page.mp4")).times
        // The last frame comes with the next one.
        #expect(found.count == Self.frames - 1, "\(times)")
        #expect(try #require(found.last) - found[0] <= times.closed + 0.000_002, "\(times)")
    }
}
#endif
