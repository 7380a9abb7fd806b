import FrameSources
import PixelFormats
import Testing

@Suite("Test pattern: the picture")
struct TestPatternPainterTests {
    @Test("the bars have the values of television's 75 per cent bars")
    func televisionBars() throws {
        // ITU-R BT.801, in BT.601 limited range: Y, Cb, Cr.
        let expected: [[Int]] = [
            [180, 128, 128], [162, 44, 142], [131, 156, 44], [112, 72, 58],
            [84, 184, 198], [65, 100, 212], [35, 212, 114], [16, 128, 128],
        ]
        let layout = try ImageLayout.computed(width: 640, height: 480, format: .yuv422, colorSpace: .smpte170m)
        let image = try PatternPainter(layout: layout).image(frame: 3)
        for (bar, values) in expected.enumerated() {
            // Below the number, above the band.
            let found = [
                image.byte(plane: 0, row: 300, bar * 80 + 40),
                image.byte(plane: 1, row: 300, bar * 40 + 20),
                image.byte(plane: 2, row: 300, bar * 40 + 20),
            ]
            for (a, b) in zip(found, values) {
                #expect(abs(Int(a) - b) <= 1, "bar \(bar): \(found)")
            }
        }
    }

    @Test(
        "each format has red, green and blue where its name says",
        arguments: [
            (PixelFormat.rgb888, [0, 0, 191]), (.bgr888, [191, 0, 0]), (.xrgb8888, [0, 0, 191, 255]),
            (.xbgr8888, [191, 0, 0, 255]), (.rgbx8888, [255, 0, 0, 191]), (.bgrx8888, [255, 191, 0, 0]),
            (.rgb161616, [0, 0, 0, 0, 191, 191]), (.bgr161616, [191, 191, 0, 0, 0, 0]),
            (.rgb565, [0x00, 23 << 3]), (.rgb565BigEndian, [23 << 3, 0x00]),
            // BT.601, limited: Y 65, Cb 100, Cr 212.
            (.yuyv, [65, 100, 65, 212]), (.yvyu, [65, 212, 65, 100]), (.uyvy, [100, 65, 212, 65]),
            (.vyuy, [212, 65, 100, 65]),
        ] as [(PixelFormat, [UInt8])]
    )
    func redBar(format: PixelFormat, expected: [UInt8]) throws {
        let layout = try ImageLayout.computed(width: 640, height: 480, format: format)
        let image = try PatternPainter(layout: layout).image(frame: 0)
        let bytesPerPixel = layout.planes[0].stride / 640
        // The sixth bar, 400...479, is red.
        #expect(image.bytes(plane: 0, row: 301, 440 * bytesPerPixel, count: expected.count) == expected)
    }

    @Test(
        "a Bayer mosaic has the red bar only in its red samples",
        arguments: [
            (BayerOrder.rggb, 0, 0), (.grbg, 1, 0), (.gbrg, 0, 1), (.bggr, 1, 1),
        ]
    )
    func mosaic(order: BayerOrder, column: Int, row: Int) throws {
        let format = try #require(PixelFormat.bayer(order, bits: 8))
        let layout = try ImageLayout.computed(width: 640, height: 480, format: format)
        let image = try PatternPainter(layout: layout).image(frame: 0)
        for y in 0...1 {
            for x in 0...1 {
                let value = image.byte(plane: 0, row: 300 + y, 440 + x)
                #expect(value == (x == column && y == row ? 191 : 0))
            }
        }
    }

    @Test("CSI-2 packing has the high bytes first, then the low bits, first pixel lowest")
    func packing() throws {
        let ten = try ImageLayout.computed(width: 640, height: 480, format: .r10csi2p)
        let image = try PatternPainter(layout: ten).image(frame: 0)
        // The white bar: 191 of 255 is 766 of 1023, 0b10_1111_1110.
        #expect(image.bytes(plane: 0, row: 300, 50, count: 5) == [191, 191, 191, 191, 0b1010_1010])
        let twelve = try ImageLayout.computed(width: 640, height: 480, format: .r12csi2p)
        // 3067 of 4095, 0b1011_1111_1011.
        #expect(
            try PatternPainter(layout: twelve).image(frame: 0).bytes(plane: 0, row: 300, 48, count: 3) == [
                191, 191, 0xBB,
            ]
        )
        // 12271 of 16383: the low six bits are 101111.
        let fourteen = try #require(PixelFormat.bayer(.rggb, bits: 14, packing: .csi2))
        let layout = try ImageLayout.computed(width: 640, height: 480, format: fourteen)
        let group = try PatternPainter(layout: layout).image(frame: 0).bytes(plane: 0, row: 300, 49, count: 7)
        #expect(group == [191, 191, 191, 191, 0b1110_1111, 0b1111_1011, 0b1011_1110])
    }

    @Test(
        "the padding behind rows, and what lies behind the image, stay as they were",
        arguments: [
            PixelFormat.yuv420, .nv12, .yuyv, .rgb888, .r10csi2p, .rgb161616,
        ]
    )
    func padding(format: PixelFormat) throws {
        let layout = try ImageLayout.computed(width: 101, height: 51, format: format, strideAlignment: 256)
        var image = TestPatternImage(layout)
        image.buffers[0] += [UInt8](repeating: TestPatternImage.filler, count: 100)
        try image.paint(PatternPainter(layout: layout), frame: 5)
        #expect(image.number == 5)
        var touched = Set<Int>()
        for (index, plane) in layout.planes.enumerated() {
            for row in 0..<(try #require(layout.rows(plane: index))) {
                let start = plane.offset + row * plane.stride
                touched.formUnion(start..<start + (try #require(layout.rowBytes(plane: index))))
            }
        }
        for (offset, byte) in image.buffers[0].enumerated() where !touched.contains(offset) {
            #expect(byte == TestPatternImage.filler, "byte \(offset)")
        }
    }

    @Test(
        "painting the changes over any earlier frame gives the same bytes as painting all of the frame",
        arguments: [PixelFormat.yuv420, .nv12, .yuyv, .rgb888, .r10csi2p, .bayer(.grbg, bits: 12) ?? .r12]
    )
    func changes(format: PixelFormat) throws {
        for (width, height) in [(16, 16), (50, 40), (322, 242)] {
            let painter = try PatternPainter(layout: .computed(width: width, height: height, format: format))
            var running = try painter.image(frame: 41)
            for frame in [42, 43, 1000, 7] as [UInt64] {
                try running.paint(painter, frame: frame, changesOnly: true)
                #expect(
                    running.buffers == (try painter.image(frame: frame).buffers),
                    "\(width)x\(height) frame \(frame)"
                )
            }
        }
    }

    @Test("the box goes right by eight pixels a frame, and starts again at the left")
    func box() throws {
        let painter = try PatternPainter(layout: .computed(width: 64, height: 64, format: .r8))
        // 64 / 8: the box is eight pixels wide and takes eight places in the last eight rows, its right half white.
        for frame in 0..<20 {
            let image = try painter.image(frame: UInt64(frame))
            let white = (0..<64).filter { image.byte(plane: 0, row: 60, $0) == 255 }
            let left = frame % 8 * 8
            #expect(white == Array(left + 4..<left + 8), "frame \(frame)")
        }
    }

    @Test(
        "formats without pixels to paint are refused, and the error names those that can be",
        arguments: [
            PixelFormat.h264, .monoPispComp1, PixelFormat(fourcc: FourCC("ZZ42") ?? FourCC(rawValue: 1)),
        ]
    )
    func refusedFormats(format: PixelFormat) throws {
        let layout =
            try (try? ImageLayout.computed(width: 640, height: 480, format: format))
            ?? ImageLayout.opaque(width: 640, height: 480, format: format, capacity: 1_000_000)
        #expect(throws: PatternError.unsupportedFormat(format)) { try PatternPainter(layout: layout) }
        #expect(!PatternPainter.isSupported(format))
        let text = PatternError.unsupportedFormat(format).description
        #expect(text.contains(format.name) && text.contains("YUV420") && text.contains("SRGGB10_CSI2P"))
    }

    @Test("images below 16x16, wrong layouts and short memory are errors")
    func refusedLayouts() throws {
        for (width, height) in [(15, 16), (16, 15), (1, 1)] {
            let layout = try ImageLayout.computed(width: width, height: height, format: .r8)
            #expect(throws: PatternError.tooSmall(width: width, height: height)) { try PatternPainter(layout: layout) }
        }
        var layout = try ImageLayout.computed(width: 64, height: 64, format: .yuv420)
        let painter = try PatternPainter(layout: layout)
        var short = [UInt8](repeating: 0, count: 64 * 64 * 3 / 2 - 1)
        #expect(throws: PatternError.tooFewBytes(plane: 2, needed: 64 * 64 * 3 / 2, given: short.count)) {
            try short.withUnsafeMutableBytes { _ = try painter.paint(frame: 0, into: $0) }
        }
        layout.planes[1].stride = 8
        #expect {
            try PatternPainter(layout: layout)
        } throws: { error in
            if case PatternError.layout(.strideTooSmall) = error { true } else { false }
        }
    }
}
