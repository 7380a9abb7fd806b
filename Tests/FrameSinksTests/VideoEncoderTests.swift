#if FFmpeg
import FrameShare
import Glibc
import PixelFormats
import Testing

@testable import FrameSinks

/// Encoders give every frame back, and packets are shared with all that belongs to their frames.
@Suite("Video encoders", .timeLimit(.minutes(10)))
struct VideoEncoderTests {
    /// A folder for channels.
    private final class Folder: Sendable {
        let path: String

        init() throws {
            var template = Array("/tmp/fs-video-XXXXXX".utf8CString)
            try #require(mkdtemp(&template) != nil)
            path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }

        deinit {
            for name in ["camera", "packets"] {
                for ending in [".sock", ".sock.lock"] { unlink("\(path)/\(name)\(ending)") }
            }
            rmdir(path)
        }

        var publishing: Publisher.Options {
            var options = Publisher.Options()
            options.directory = ChannelDirectory(path: path)
            return options
        }

        func subscriber(_ channel: String, _ policy: Policy, budget: Int? = nil) throws -> Subscriber {
            var options = Subscriber.Options()
            options.directory = ChannelDirectory(path: path)
            options.budget = budget
            return try Subscriber(channel: channel, policy: policy, options: options)
        }
    }

    /// What is left of a packet.
    private struct Seen: Equatable {
        var info: VideoPacket.Info
        var bytes: [UInt8]
        var number: Int32?

        init(_ packet: borrowing VideoPacket) {
            info = packet.info
            let all = packet.bytes
            bytes = all.withUnsafeBytes { Array($0) }
            if case .int32(let value)? = packet.metadata["Number"] { number = value }
        }
    }

    /// A frame of noise, which takes many bytes, every fourth time.
    private func send(_ publisher: Publisher, _ number: Int) throws {
        let slot = try publisher.nextSlotBlocking(timeout: .seconds(60))
        slot["main"].withUnsafeMutableBytes { bytes in
            var state = UInt32(number + 1)
            for i in 0..<bytes.count {
                state = state &* 1_664_525 &+ 1_013_904_223
                bytes[i] = number % 4 == 3 ? UInt8(truncatingIfNeeded: state >> 24) : UInt8(truncatingIfNeeded: number)
            }
        }
        let description = FrameDescription(
            sequence: UInt64(number),
            timestamp: FrameTimestamp(nanoseconds: Int64(number) * 33_000_000 + Int64(number % 3), clock: .boottime)
        )
        try publisher.publish(slot, description, metadata: ["Number": .int32(Int32(number))])
    }

    private func take(
        _ camera: Subscriber,
        _ encoder: VideoEncoder,
        _ body: (borrowing VideoPacket) throws -> Void
    ) throws {
        guard let frame = try camera.nextBlocking(timeout: .seconds(60)) else { throw ChannelError.closed }
        var failure: (any Error)?
        try encoder.encode(frame) { packet throws(VideoError) in
            do { try body(packet) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    @Test(
        "every frame's lease ends, whether it is read in place or converted",
        arguments: [
            (VideoCodec.h264, PixelFormat.yuv420, true), (.h264, .nv12, true), (.h264, .rgb888, false),
            (.hevc, .yuv420, true), (.mjpeg, .yuv420, false), (.mjpeg, .yuv422, false), (.raw, .bgr888, true),
        ]
    )
    func leases(codec: VideoCodec, format: PixelFormat, isInPlace: Bool) throws {
        let folder = try Folder()
        let layout = try ImageLayout.computed(width: 128, height: 64, format: format, strideAlignment: 64)
        let publisher = try Publisher(
            channel: "camera",
            streams: ["main": layout],
            slots: 4,
            options: folder.publishing
        )
        let camera = try folder.subscriber("camera", .everyFrame, budget: 3)
        var options = VideoOptions()
        (options.codec, options.preset, options.bFrames) = (codec, "ultrafast", 2)
        var seen: [Seen] = []
        do {
            let encoder = try VideoEncoder(layout: layout, options: options)
            #expect(encoder.readsFramesInPlace == isInPlace)
            for number in 0..<40 {
                // Frames that stayed inside would leave no slot.
                try send(publisher, number)
                try take(camera, encoder) { seen.append(Seen($0)) }
            }
            try encoder.finish { seen.append(Seen($0)) }
        }
        #expect(camera.statistics.held == 0)
        #expect(seen.count == 40)
        #expect(seen.first?.info.isKeyframe == true)
        let shown = seen.sorted { $0.info.pts < $1.info.pts }
        for (number, packet) in shown.enumerated() {
            #expect(packet.number == Int32(number), "its own metadata")
            #expect(packet.info.sequence == UInt64(number))
            #expect(packet.info.timestamp.clock == .boottime)
            #expect(packet.info.pts == Int64(number) * 33_000_000 + Int64(number % 3), "its own time")
        }
        #expect(zip(seen, seen.dropFirst()).allSatisfy { $0.info.dts < $1.info.dts })
        #expect(seen.allSatisfy { $0.info.dts <= $0.info.pts })
    }

    @Test("a frame that was never encoded leaves no gap between packets; a packet that its reader lost does")
    func gaps() throws {
        let folder = try Folder()
        let layout = try ImageLayout.computed(width: 128, height: 64, format: .yuv420)
        let publisher = try Publisher(
            channel: "camera",
            streams: ["main": layout],
            slots: 4,
            options: folder.publishing
        )
        let camera = try folder.subscriber("camera", .everyFrame)
        var options = VideoOptions()
        (options.lowLatency, options.keyframeInterval) = (true, 100)
        let encoder = try VideoEncoder(layout: layout, options: options)
        let channel = try PacketChannel("packets", VideoStream(of: encoder), slots: 8, options: folder.publishing)
        let reader = try folder.subscriber("packets", .queue(2))
        var continuity = PacketContinuity()
        var gaps: [Bool] = []
        /// Encodes and reads so many; of more than two at a time the reader loses the first.
        func encode(_ count: Int) throws {
            for _ in 0..<count {
                try send(publisher, Int(publisher.statistics.published))
                try take(camera, encoder) { packet in _ = try channel.publish(packet) }
            }
            while let frame = try reader.tryNext() { gaps.append(continuity.hasGap(before: frame)) }
        }
        try encode(2)
        channel.publisher.countLost(source: 3)
        try encode(1)
        #expect(gaps == [false, false, false])
        #expect(reader.statistics.lost.source == 3)
        try encode(3)
        #expect(gaps.suffix(2) == [true, false])
        try encode(1)
        #expect(gaps.last == false)
    }

    @Test("packets come out of their channel as they went in, also those that need more room than there was")
    func packetChannel() throws {
        let folder = try Folder()
        let layout = try ImageLayout.computed(width: 128, height: 64, format: .yuv420)
        let publisher = try Publisher(
            channel: "camera",
            streams: ["main": layout],
            slots: 4,
            options: folder.publishing
        )
        let camera = try folder.subscriber("camera", .everyFrame)
        var options = VideoOptions()
        (options.lowLatency, options.quality, options.keyframeInterval) = (true, 80, 8)
        let encoder = try VideoEncoder(layout: layout, options: options)
        let channel = try PacketChannel(
            "packets",
            VideoStream(of: encoder),
            slots: 8,
            packetCapacity: 2048,
            options: folder.publishing
        )
        let reader = try folder.subscriber("packets", .queue(4))
        // It takes none, keeps its place, and loses its own packets.
        let idle = try folder.subscriber("packets", .everyFrame)
        var largest = 0
        for number in 0..<24 {
            try send(publisher, number)
            var sent: [Seen] = []
            try take(camera, encoder) { packet in
                sent.append(Seen(packet))
                let hadRoom = try channel.publish(packet)
                #expect(hadRoom)
            }
            let packet = try #require(sent.first)
            largest = max(largest, packet.bytes.count)
            guard let frame = try reader.nextBlocking(timeout: .seconds(60)) else { throw ChannelError.closed }
            let got = Seen(try VideoPacket(frame, .h264))
            #expect(got == packet)
            #expect(frame.flags.contains(.keyframe) == packet.info.isKeyframe)
            let tellsParameters = frame.metadata[VideoPacket.Key.parameters] != nil
            #expect(tellsParameters == packet.info.isKeyframe)
        }
        #expect(largest > 2048, "or nothing had to grow")
        #expect(reader.statistics.lost == FrameLoss())
        let readers = channel.publisher.statistics.subscribers
        #expect(readers.map(\.policy) == [.queue(4), .everyFrame])
        #expect((readers.last?.droppedByBudget ?? 0) > 0 && channel.publisher.statistics.lostNoFreeSlot == 0)
        idle.close()
    }

    @Test("a keyframe's parameter sets are found between other units, whatever the length of the start codes")
    func parameterSets() {
        func found(_ bytes: [UInt8], _ codec: VideoCodec = .h264) -> [UInt8] {
            bytes.withUnsafeBytes { AnnexB.parameterSets($0, codec) }
        }
        let stream: [UInt8] = [0, 0, 0, 1, 9, 16, 0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 0, 1, 0x65, 4, 5]
        #expect(found(stream) == [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3])
        #expect(found([0, 0, 1, 0x40, 1, 7, 0, 0, 1, 0x26, 1], .hevc) == [0, 0, 0, 1, 0x40, 1, 7])
        for none: [UInt8] in [[], [0], [0, 0, 1], [0, 0, 0, 1], [0, 0, 1, 0x65, 0x67], [0x67, 0x68]] {
            #expect(found(none) == [])
        }
    }

    @Test("sizes and options that no encoder takes are refused by name")
    func refusals() throws {
        func refusal(
            _ format: PixelFormat,
            _ width: Int,
            _ change: (inout VideoOptions) -> Void = { _ in }
        ) -> VideoError? {
            var options = VideoOptions()
            change(&options)
            do {
                let layout =
                    format.isCompressed
                    ? try ImageLayout.opaque(width: width, height: 64, format: format, capacity: 100)
                    : try .computed(width: width, height: 64, format: format)
                _ = try VideoEncoder(layout: layout, options: options)
                return nil
            } catch {
                return error as? VideoError
            }
        }
        #expect(refusal(.yuv420, 128) == nil)
        #expect(refusal(.yuv420, 127) == .oddSize(width: 127, height: 64, .h264))
        #expect(refusal(.r8, 127) == nil, "grey has no chroma")
        #expect(refusal(.mjpeg, 128) == .compressedAlready(.mjpeg))
        #expect(refusal(.vyuy, 128) == .unsupportedFormat(.vyuy))
        for change: (inout VideoOptions) -> Void in [
            { $0.quality = 0 }, { $0.bitRate = 1 }, { $0.keyframeInterval = 0 }, { $0.bFrames = -1 },
            { $0.framesPerSecond = .infinity }, { $0.framesPerSecond = 0 }, { $0.preset = "warp" },
            { $0.threads = 100 },
        ] {
            guard case .badOption? = refusal(.yuv420, 128, change) else {
                Issue.record("an impossible option was taken")
                continue
            }
        }
    }
}
#endif
