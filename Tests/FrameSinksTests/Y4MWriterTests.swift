import Foundation
import FrameSinks
import FrameSources
import PixelFormats
import Testing

@Suite("Y4M")
struct Y4MWriterTests {
    static func stream(_ images: [PatternImage], framesPerSecond: Double = 30) throws -> [UInt8] {
        try TemporaryFolder().written { descriptor in
            var writer = try Y4MWriter(
                descriptor: descriptor,
                layout: images[0].layout,
                framesPerSecond: framesPerSecond
            )
            for image in images {
                try writer.write(image.layout, image.bytes.span.bytes)
            }
        }
    }

    /// The planar image that each format comes out as.
    static let planar: [(PixelFormat, PixelFormat, String)] = [
        (.yuv420, .yuv420, "yuv420p"), (.yvu420, .yuv420, "yuv420p"), (.nv12, .yuv420, "yuv420p"),
        (.nv21, .yuv420, "yuv420p"), (.yuv422, .yuv422, "yuv422p"), (.yvu422, .yuv422, "yuv422p"),
        (.nv16, .yuv422, "yuv422p"), (.nv61, .yuv422, "yuv422p"), (.yuyv, .yuv422, "yuv422p"),
        (.yvyu, .yuv422, "yuv422p"), (.uyvy, .yuv422, "yuv422p"), (.vyuy, .yuv422, "yuv422p"),
        (.yuv444, .yuv444, "yuv444p"), (.yvu444, .yuv444, "yuv444p"), (.nv24, .yuv444, "yuv444p"),
        (.nv42, .yuv444, "yuv444p"), (.avuy8888, .yuv444, "yuv444p"), (.xvuy8888, .yuv444, "yuv444p"),
        (.r8, .r8, "gray"), (.r10, .r10, "gray10le"), (.r12, .r12, "gray12le"), (.r16, .r16, "gray16le"),
    ]

    @Test("every YUV and grey format is written as its planes, in y4m's order, without padding", arguments: planar)
    func frames(format: PixelFormat, planar: PixelFormat, _: String) throws {
        for (width, height) in [(320, 240), (99, 61)] {
            let images = try [7, 8, 9].map {
                try PatternImage(format, width, height, strideAlignment: 128, frame: $0)
            }
            var expected: [UInt8] = []
            for frame in [7, 8, 9] as [UInt64] {
                expected += Array("FRAME\n".utf8) + (try PatternImage(planar, width, height, frame: frame).tight)
            }
            let bytes = try Self.stream(images)
            let header = bytes.prefix { $0 != UInt8(ascii: "\n") }
            #expect(String(decoding: header, as: UTF8.self).hasPrefix("YUV4MPEG2 W\(width) H\(height) F30:1 Ip A1:1 C"))
            #expect(Array(bytes.dropFirst(header.count + 1)) == expected, "\(width)x\(height)")
        }
    }

    @Test(
        "FFmpeg reads size, rate, pixel format and the very pixels",
        .enabled(if: FFmpeg.isThere, "needs the package ffmpeg"),
        arguments: planar
    )
    func readByFFmpeg(format: PixelFormat, planar: PixelFormat, name: String) throws {
        let images = try [1, 2, 3].map { try PatternImage(format, 322, 242, strideAlignment: 64, frame: $0) }
        let stream = try Self.stream(images, framesPerSecond: 60)
        let fields = "stream=width,height,pix_fmt,r_frame_rate,nb_read_frames"
        let facts = try FFmpeg.run(
            "ffprobe",
            ["-count_frames", "-show_entries", fields, "-of", "csv=p=0", "-f", "yuv4mpegpipe", "-i", "-"],
            input: stream
        )
        let text = String(decoding: facts, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(text == "322,242,\(name),60/1,3")
        let pixels = try FFmpeg.run(
            "ffmpeg",
            ["-f", "yuv4mpegpipe", "-i", "-", "-f", "rawvideo", "-pix_fmt", name, "-"],
            input: stream
        )
        #expect(try pixels == [1, 2, 3].flatMap { try PatternImage(planar, 322, 242, frame: $0).tight })
    }

    @Test(
        "the pattern's number survives H.264",
        .enabled(if: FFmpeg.isThere, "needs the package ffmpeg"),
        arguments: [
            (640, 480), (160, 120), (64, 64),
        ]
    )
    func encoded(width: Int, height: Int) throws {
        let numbers = (0..<20).map { UInt64($0) * 0x0101_0101_0101 }
        let stream = try Self.stream(numbers.map { try PatternImage(.yuyv, width, height, frame: $0) })
        let folder = try TemporaryFolder()
        let path = folder.path("video.mp4")
        let encoder = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "28", "-preset", "ultrafast", path]
        _ = try FFmpeg.run("ffmpeg", ["-f", "yuv4mpegpipe", "-i", "-"] + encoder, input: stream)
        let pixels = try FFmpeg.run("ffmpeg", ["-i", path, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"])
        let layout = try ImageLayout.computed(width: width, height: height, format: .yuv420)
        let size = layout.bufferSize(0)
        try #require(pixels.count == size * numbers.count)
        for (index, number) in numbers.enumerated() {
            let read = pixels[index * size..<(index + 1) * size].withUnsafeBytes {
                PatternReader.frameNumber(in: layout, $0)
            }
            #expect(read == number)
        }
    }

    @Test(
        "rates become the fractions they are",
        arguments: [
            (30, "F30:1"), (29.97, "F30000:1001"), (23.976, "F24000:1001"), (59.94, "F60000:1001"),
            (33333e-3, "F33333:1000"),
            (30.0003, "F30:1"), (0.5, "F500:1000"), (12.5, "F12500:1000"), (0, "F0:0"), (.nan, "F0:0"), (120, "F120:1"),
        ] as [(Double, String)]
    )
    func rates(rate: Double, text: String) throws {
        let header = try Self.stream([PatternImage(.r8, 16, 16)], framesPerSecond: rate).prefix { $0 != 10 }
        #expect(String(decoding: header, as: UTF8.self).split(separator: " ")[3] == text)
    }

    @Test(
        "the range is told where it is known",
        arguments: [
            (ColorSpace.sycc, "XCOLORRANGE=FULL"), (.rec709, "XCOLORRANGE=LIMITED"), (.unknown, "C420jpeg"),
        ]
    )
    func range(space: ColorSpace, lastWord: String) throws {
        let header = try Self.stream([PatternImage(.nv12, colorSpace: space)]).prefix { $0 != 10 }
        #expect(String(decoding: header, as: UTF8.self).split(separator: " ").last == lastWord[...])
    }

    @Test(
        "formats that y4m has no word for are refused, and the error says what to do",
        arguments: [
            PixelFormat.rgb888, .mjpeg, .r10csi2p, .bayer(.rggb, bits: 10) ?? .rgb888,
            PixelFormat(fourcc: FourCC("ZZ42") ?? FourCC(rawValue: 1)),
        ]
    )
    func refused(format: PixelFormat) throws {
        let layout =
            try (try? ImageLayout.computed(width: 64, height: 64, format: format))
            ?? ImageLayout.opaque(width: 64, height: 64, format: format, capacity: 100)
        #expect {
            _ = try Y4MWriter(descriptor: 1, layout: layout)
        } throws: { error in
            guard case SinkError.unsupportedFormat(format, "y4m", let advice) = error else { return false }
            return advice.contains("raw")
        }
    }

    @Test("an image of another size or format is an error, one with other strides is not")
    func changes() throws {
        let first = try PatternImage(.yuv420)
        let padded = try PatternImage(.yuv420, strideAlignment: 512)
        let other = try PatternImage(.yuv420, 322, 240)
        let bytes = try Self.stream([first, padded])
        #expect(bytes.suffix(first.tight.count) == first.tight[...])
        #expect(throws: SinkError.layoutChanged(from: first.layout, to: other.layout)) {
            try Self.stream([first, other])
        }
    }
}
