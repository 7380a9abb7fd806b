import Foundation
import FrameShare
import FrameSinks
import FrameSources
import PixelFormats
import Testing

@Suite("Sinks on a subscriber's frames", .timeLimit(.minutes(10)))
struct FrameImageTests {
    /// NV12 with luma and chroma in buffers of their own, as V4L2's NM12 has it, beside an MJPEG-like stream of bytes.
    static func streams() throws -> [FrameShare.Stream] {
        var layout = try ImageLayout.computed(width: 162, height: 122, format: .nv12, strideAlignment: 64)
        layout.planes[1].offset = 128
        layout.planes[1].buffer = 1
        return [
            FrameShare.Stream(name: "main", layout: layout),
            FrameShare.Stream(
                name: "bytes",
                layout: try .opaque(width: 16, height: 16, format: .mjpeg, capacity: 300)
            ),
        ]
    }

    @Test("raw, y4m and snapshot read an image in several buffers, and only the bytes that are used")
    func severalBuffers() async throws {
        let folder = try TemporaryFolder()
        var options = Publisher.Options()
        options.directory = ChannelDirectory(path: folder.path)
        let publisher = try Publisher(channel: "sinks", streams: Self.streams(), slots: 4, options: options)
        defer { publisher.close() }
        var subscriberOptions = Subscriber.Options()
        subscriberOptions.directory = options.directory
        let subscriber = try Subscriber(channel: "sinks", policy: .queue(2), options: subscriberOptions)

        let painter = try PatternPainter(layout: Self.streams()[0].layout)
        let slot = try await publisher.nextSlot()
        for buffer in 0...1 {
            try slot["main"].withUnsafeMutableBytes(buffer: buffer) { bytes throws(PatternError) in
                _ = try painter.paint(frame: 321, into: bytes, buffer: buffer)
            }
        }
        let jpeg: [UInt8] = [0xFF, 0xD8, 1, 2, 3, 0xFF, 0xD9]
        slot["bytes"].withUnsafeMutableBytes { bytes in
            bytes.initializeMemory(as: UInt8.self, repeating: 0xA5)
            bytes.copyBytes(from: jpeg)
        }
        var description = FrameDescription()
        description.setBytesUsed(jpeg.count, stream: 1, plane: 0)
        try publisher.publish(slot, description)

        guard let frame = try await subscriber.next(timeout: .seconds(60)) else {
            Issue.record("the channel ended")
            return
        }
        let expected = try PatternImage(.nv12, 162, 122, frame: 321).tight
        let raw = try folder.written { descriptor in
            var writer = RawWriter(descriptor: descriptor)
            try writer.write(frame["main"])
            try writer.write(frame["bytes"])
        }
        #expect(raw == expected + jpeg)
        let y4m = try folder.written { descriptor in
            var writer = try Y4MWriter(descriptor: descriptor, layout: frame["main"].layout)
            try writer.write(frame["main"])
        }
        #expect(try y4m.suffix(expected.count) == PatternImage(.yuv420, 162, 122, frame: 321).tight[...])
        try Snapshot(.jpeg()).write(frame["bytes"], to: folder.path("frame.jpg"))
        #expect(folder.bytes(of: "frame.jpg") == jpeg)
        #if Snapshot
        let png = try Snapshot(.png).encode(frame["main"])
        #expect(try png == PatternImage(.nv12, 162, 122, frame: 321).snapshot(Snapshot(.png)))
        #endif
    }
}
