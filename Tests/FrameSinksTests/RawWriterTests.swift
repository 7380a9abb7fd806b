import Foundation
import FrameSinks
import FrameSources
import PixelFormats
import Testing

@Suite("Raw output")
struct RawWriterTests {
    static func output(_ image: PatternImage, _ padding: RawWriter.Padding, bytesUsed: Int? = nil) throws -> [UInt8] {
        try TemporaryFolder().written { descriptor in
            var writer = RawWriter(descriptor: descriptor, padding: padding)
            try writer.write(image.layout, image.bytes.span.bytes, bytesUsed: bytesUsed)
            try writer.write(image.layout, image.bytes.span.bytes, bytesUsed: bytesUsed)
        }
    }

    @Test(
        "rows are written without their padding, planes in the format's order",
        arguments: [
            PixelFormat.yuv420, .nv12, .yuyv, .rgb888, .r10csi2p, .monoPispComp1, .rgb161616,
        ]
    )
    func removed(format: PixelFormat) throws {
        let layout = try ImageLayout.computed(width: 100, height: 50, format: format, strideAlignment: 256)
        let bytes = (0..<layout.bufferSize(0)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        let image = PatternImage(layout: layout, bytes: bytes)
        #expect(try Self.output(image, .removed) == image.tight + image.tight)
        #expect(try Self.output(image, .kept) == bytes + bytes)
    }

    @Test("planes that lie apart, or in another order, are written in the format's order")
    func scattered() throws {
        var layout = try ImageLayout.computed(width: 4, height: 2, format: .yuv420)
        layout.planes = [
            PlaneLayout(offset: 20, stride: 6, size: 12), PlaneLayout(offset: 1, stride: 2, size: 2),
            PlaneLayout(offset: 10, stride: 3, size: 3),
        ]
        let image = PatternImage(layout: layout, bytes: (0..<40).map { UInt8($0) })
        let expected: [UInt8] = [20, 21, 22, 23, 26, 27, 28, 29, 1, 2, 10, 11]
        #expect(try Self.output(image, .removed) == expected + expected)
    }

    @Test("compressed images, and those of unknown formats, are written as far as they are used")
    func used() throws {
        let unknown = PixelFormat(fourcc: FourCC("ZZ42") ?? FourCC(rawValue: 1))
        for format in [PixelFormat.h264, .mjpeg, unknown] {
            let layout = try ImageLayout.opaque(width: 64, height: 64, format: format, capacity: 200)
            let image = PatternImage(layout: layout, bytes: (0..<200).map { UInt8($0) })
            let start = Array(image.bytes[..<50])
            #expect(try Self.output(image, .removed, bytesUsed: 50) == start + start)
            #expect(try Self.output(image, .removed) == image.bytes + image.bytes)
            #expect(try Self.output(image, .removed, bytesUsed: 1000) == image.bytes + image.bytes)
            #expect(try Self.output(image, .removed, bytesUsed: 0) == [])
        }
    }

    @Test("short bytes are an error, and nothing is written")
    func tooShort() throws {
        var image = try PatternImage(.yuyv)
        image.bytes.removeLast()
        let folder = try TemporaryFolder()
        let bytes = try folder.written { descriptor in
            var writer = RawWriter(descriptor: descriptor)
            #expect(throws: SinkError.planeTooShort(plane: 0, needed: 153_600, given: 153_599)) {
                try writer.write(image.layout, image.bytes.span.bytes)
            }
        }
        #expect(bytes == [])
    }
}
