#if Snapshot
import FrameSinks
import FrameSources
import Foundation
import PixelFormats
import SystemPackage
import Testing

@Suite("Snapshot files, read by another program", .enabled(if: FFmpeg.isThere, "needs the package ffmpeg"))
struct SnapshotDecodingTests {
    static let uncompressed = PatternPainter.supportedFormats.filter { !$0.isCompressed }

    /// What another program makes of files of images of one size.
    static func pictures(_ files: [[UInt8]], _ type: String, _ layout: ImageLayout) throws -> [RGBPicture] {
        let bytes = try FFmpeg.decode(files, pixelFormat: "rgb24", type: type)
        let size = layout.width * layout.height * 3
        try #require(bytes.count == size * files.count)
        return files.indices.map { index in
            RGBPicture(
                width: layout.width,
                height: layout.height,
                bytes: Array(bytes[index * size..<(index + 1) * size])
            )
        }
    }

    static let files: [(type: String, snapshot: Snapshot)] = [
        ("png", Snapshot(.png)), ("jpg", Snapshot(.jpeg(quality: 95))),
    ]

    /// What the bars look like in a format's colours.
    static func bars(_ format: PixelFormat) -> [[Int]] {
        guard format.info?.colorModel == .grey else {
            return RGBPicture.bars
        }
        // BT.601 luma.
        return [191, 169, 134, 112, 79, 57, 22, 0].map { [$0, $0, $0] }
    }

    @Test("PNG and JPEG files of any format show the pattern's colours and number", arguments: files)
    func everyFormat(type: String, snapshot: Snapshot) throws {
        let images = try Self.uncompressed.map { try PatternImage($0, strideAlignment: 64) }
        let pictures = try Self.pictures(images.map { try $0.snapshot(snapshot) }, type, images[0].layout)
        for (image, picture) in zip(images, pictures) {
            let format = image.layout.format
            // 8-bit YUV can't say every colour, RGB565 only every eighth, and JPEG loses some more.
            let tolerance = (format.info?.bitDepth == 6 ? 6 : 2) + (type == "png" ? 0 : 4)
            #expect(picture.barError(Self.bars(format)) <= tolerance, "\(format): \(picture.bars)")
            #expect(try picture.number == 0x1234_5678_9ABC, "\(format)")
        }
    }

    @Test("colours are right in every colour space, whatever the format", arguments: files)
    func colorSpaces(type: String, snapshot: Snapshot) throws {
        let spaces = [ColorSpace.sycc, .smpte170m, .rec709, .rec2020, .unknown]
        let formats = [PixelFormat.yuv420, .nv21, .yuyv, .yuv444]
        let images = try spaces.flatMap { space in try formats.map { try PatternImage($0, colorSpace: space) } }
        let pictures = try Self.pictures(images.map { try $0.snapshot(snapshot) }, type, images[0].layout)
        for (image, picture) in zip(images, pictures) {
            #expect(picture.barError() <= 6, "\(image.layout): \(picture.bars)")
        }
    }

    @Test("well-known YUV values give their colours", arguments: files)
    func knownColors(type: String, snapshot: Snapshot) throws {
        let known: [(ColorSpace, [UInt8], [Int])] = [
            // 75 per cent red, green and blue of ITU-R BT.601 and BT.709, limited range.
            (.smpte170m, [65, 100, 212], [191, 0, 0]), (.smpte170m, [112, 72, 58], [0, 191, 0]),
            (.smpte170m, [35, 212, 114], [0, 0, 191]), (.rec709, [51, 109, 212], [191, 0, 0]),
            (.rec709, [133, 63, 52], [0, 191, 0]), (.rec709, [28, 212, 120], [0, 0, 191]),
            // JFIF's full red and grey, and limited range's black and white with what lies beyond them.
            (.sycc, [76, 85, 255], [254, 0, 0]), (.sycc, [128, 128, 128], [128, 128, 128]),
            (.rec709, [16, 128, 128], [0, 0, 0]), (.rec709, [235, 128, 128], [255, 255, 255]),
            (.rec709, [0, 128, 128], [0, 0, 0]), (.rec709, [255, 128, 128], [255, 255, 255]),
        ]
        let images = try known.map { space, yuv, _ in
            PatternImage(
                layout: try .computed(width: 16, height: 16, format: .yuv444, colorSpace: space),
                bytes: yuv.flatMap { [UInt8](repeating: $0, count: 256) }
            )
        }
        let pictures = try Self.pictures(images.map { try $0.snapshot(snapshot) }, type, images[0].layout)
        for (picture, (space, yuv, rgb)) in zip(pictures, known) {
            #expect(zip(picture[8, 8], rgb).allSatisfy { abs($0 - $1) <= 3 }, "\(space) \(yuv): \(picture[8, 8])")
        }
    }

    @Test("odd sizes and padded rows come out whole", arguments: files)
    func oddSizes(type: String, snapshot: Snapshot) throws {
        let formats = [PixelFormat.yuv420, .nv12, .yuyv, .yuv422, .bgr888, .r8, .r10csi2p]
        let images = try formats.flatMap { format in
            try [ColorSpace.sycc, .rec709].map {
                try PatternImage(format, 131, 75, colorSpace: $0, strideAlignment: 256)
            }
        }
        let pictures = try Self.pictures(images.map { try $0.snapshot(snapshot) }, type, images[0].layout)
        for (image, picture) in zip(images, pictures) where image.layout.format.info?.colorModel != .grey {
            #expect(picture.barError() <= 6, "\(image.layout): \(picture.bars)")
        }
        for (image, picture) in zip(images, pictures) {
            #expect(try picture.number == 0x1234_5678_9ABC, "\(image.layout)")
        }
    }

    @Test(
        "PNG keeps every bit of RGB and grey images, 16-bit ones too",
        arguments: [
            (PixelFormat.bgr888, "rgb24"), (.rgb888, "bgr24"), (.bgr161616, "rgb48le"), (.rgb161616, "bgr48le"),
            (.r8, "gray"), (.r16, "gray16le"),
        ]
    )
    func lossless(format: PixelFormat, name: String) throws {
        let layout = try ImageLayout.computed(width: 61, height: 47, format: format)
        var state: UInt64 = 1
        let noise = (0..<layout.bufferSize(0)).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 56)
        }
        let file = try PatternImage(layout: layout, bytes: noise).snapshot(Snapshot(.png))
        #expect(try FFmpeg.decode([file], pixelFormat: name, type: "png") == noise)
    }

    @Test("a Bayer image can be saved as its samples, full scale in 16 bits")
    func bayerSamples() throws {
        let formats = try [
            (10, RawPacking.none), (10, .csi2), (12, .none), (12, .csi2), (14, .none), (14, .csi2), (16, .none),
        ].map { try #require(PixelFormat.bayer(.gbrg, bits: $0, packing: $1)) }
        let files = try formats.map { try PatternImage($0).snapshot(Snapshot(.png, mosaicAsGrey: true)) }
        let bytes = try FFmpeg.decode(files, pixelFormat: "gray16le", type: "png")
        for (index, format) in formats.enumerated() {
            let sample = { (x: Int, y: Int) in
                let place = 2 * ((index * 240 + y) * 320 + x)
                return Int(bytes[place]) | Int(bytes[place + 1]) << 8
            }
            // In the middle of the blue bar of a GBRG mosaic only the top right sample is bright: 191 of 255.
            let found = [sample(260, 160), sample(261, 160), sample(260, 161), sample(261, 161)]
            #expect(zip(found, [0, 191 * 257, 0, 0]).allSatisfy { abs($0 - $1) <= 64 }, "\(format): \(found)")
            // White and black cells: the ends of the scale, exactly.
            let cells = Set(stride(from: 1, to: 64, by: 8).map { sample($0, 4) })
            #expect(cells == [0, 65535], "\(format): \(cells)")
        }
    }

    @Test("an MJPEG frame saved as PNG shows the pattern")
    func motionJPEGAsPNG() throws {
        let layout = try ImageLayout.opaque(width: 320, height: 240, format: .mjpeg, capacity: 200_000)
        var image = PatternImage(layout: layout, bytes: [UInt8](repeating: 0xA5, count: 200_000))
        let painter = try PatternPainter(layout: layout)
        let used = try image.bytes.withUnsafeMutableBytes { try painter.paint(frame: 99, into: $0) }
        let picture = try Self.pictures([image.snapshot(Snapshot(.png), bytesUsed: used)], "png", layout)[0]
        #expect(picture.barError() <= 7)
        #expect(try picture.number == 99)
    }
}

@Suite("Snapshot files")
struct SnapshotTests {
    @Test("an MJPEG frame saved as JPEG is the camera's, byte by byte, without what lies behind it")
    func motionJPEG() throws {
        let layout = try ImageLayout.opaque(width: 320, height: 240, format: .mjpeg, capacity: 200_000)
        var image = PatternImage(layout: layout, bytes: [UInt8](repeating: 0xA5, count: 200_000))
        let painter = try PatternPainter(layout: layout)
        let used = try image.bytes.withUnsafeMutableBytes { try painter.paint(frame: 99, into: $0) }
        let file = try image.snapshot(Snapshot(.jpeg()), bytesUsed: used)
        #expect(file == Array(image.bytes[..<used]))
    }

    @Test("bytes that are no JPEG, and half a JPEG's header, are errors")
    func damaged() throws {
        let layout = try ImageLayout.opaque(width: 64, height: 64, format: .mjpeg, capacity: 100)
        for bytes in [[UInt8](repeating: 0, count: 100), [0xFF, 0xD8] + [UInt8](repeating: 0, count: 98)] {
            #expect(throws: SinkError.self) {
                try PatternImage(layout: layout, bytes: bytes).snapshot(Snapshot(.png))
            }
        }
    }

    @Test("quality makes JPEG files larger")
    func quality() throws {
        let image = try PatternImage(.yuv420, 640, 480)
        let small = try image.snapshot(Snapshot(.jpeg(quality: 20))).count
        #expect(try image.snapshot(Snapshot(.jpeg(quality: 95))).count > small)
    }

    @Test("formats without pixels are refused, and the error names some that can be saved")
    func refused() throws {
        let compressed = try ImageLayout.opaque(width: 64, height: 64, format: .h264, capacity: 8192)
        let pisp = try ImageLayout.computed(width: 64, height: 64, format: .monoPispComp1)
        for layout in [compressed, pisp] {
            let image = PatternImage(layout: layout, bytes: [UInt8](repeating: 0, count: 8192))
            #expect {
                try image.snapshot(Snapshot(.png))
            } throws: { error in
                "\(error)".contains(layout.format.name)
                    && "\(error)".contains(layout.format == .h264 ? "frameshare record" : "YUV420")
            }
        }
    }

    @Test("a layout that doesn't belong to the bytes is an error")
    func mismatch() throws {
        var image = try PatternImage(.yuv420)
        image.bytes.removeLast()
        #expect(throws: SinkError.planeTooShort(plane: 2, needed: 19200, given: 19199)) {
            try image.snapshot(Snapshot(.png))
        }
        image.layout.planes[0].stride = 319
        #expect(throws: SinkError.layout(.strideTooSmall(plane: 0, stride: 319, rowBytes: 320))) {
            try image.snapshot(Snapshot(.png))
        }
    }

    @Test(
        "the file's ending says what it is",
        arguments: [
            ("a.png", SnapshotType.png), ("/x.y/B.PNG", .png), ("c.jpg", .jpeg()), ("d.JPEG", .jpeg()),
            ("png", nil), ("e.gif", nil), ("f", nil), ("", nil), ("g.png.tmp", nil),
        ] as [(String, SnapshotType?)]
    )
    func ending(path: String, type: SnapshotType?) {
        #expect(SnapshotType(path: path) == type)
    }

    @Test("a file is written whole, replaces the old one, and leaves nothing beside it")
    func file() throws {
        let folder = try TemporaryFolder()
        let image = try PatternImage(.rgb888)
        let path = folder.path("picture.png")
        try folder.write(Array("old".utf8), to: "picture.png")
        try Snapshot(.png).write(image.layout, image.bytes.span.bytes, to: path)
        #expect(try folder.bytes(of: "picture.png") == image.snapshot(Snapshot(.png)))
        #expect(try folder.contents == ["picture.png"])
    }

    @Test("a file that can't be written is an error with its path, and the old one stays")
    func noFile() throws {
        let image = try PatternImage(.rgb888)
        let folder = try TemporaryFolder()
        let path = folder.path("missing/picture.png")
        #expect(throws: SinkError.system(call: "open", path: path, .noSuchFileOrDirectory)) {
            try Snapshot(.png).write(image.layout, image.bytes.span.bytes, to: path)
        }
        #expect(throws: SinkError.system(call: "writev", path: "/dev/full", .noSpace)) {
            try Snapshot(.png).write(image.layout, image.bytes.span.bytes, to: "/dev/full")
        }
        #expect(try folder.contents == [])
    }
}
#endif
