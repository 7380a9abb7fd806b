import FrameSources
import PixelFormats
import Testing

@Suite("Test pattern: the number in the pixels")
struct TestPatternNumberTests {
    static let uncompressed = PatternPainter.supportedFormats.filter { !$0.isCompressed }
    static let numbers: [UInt64] = [0, 1, 0xFF, 0x0102_0304_0506, (1 << 48) - 1]

    @Test("every known uncompressed format but PISP_COMP1 can be painted")
    func formats() {
        let known = PixelFormat.all.filter { !$0.isCompressed && !$0.name.contains("PISP") }
        #expect(Self.uncompressed == known)
        #expect(known.count > 50)
    }

    @Test("the number painted is the number read", arguments: uncompressed)
    func readBack(format: PixelFormat) throws {
        for (width, height) in [(16, 16), (17, 19), (33, 32), (64, 48), (102, 77), (131, 260), (642, 362)] {
            for alignment in [1, 64] {
                let layout = try ImageLayout.computed(
                    width: width,
                    height: height,
                    format: format,
                    strideAlignment: alignment
                )
                let painter = try PatternPainter(layout: layout)
                for number in Self.numbers {
                    let image = try painter.image(frame: number)
                    #expect(image.number == number, "\(width)x\(height), rows aligned to \(alignment)")
                }
            }
        }
    }

    @Test("the number is read from any place in a buffer, and where planes have buffers of their own")
    func placement() throws {
        var apart = try ImageLayout.computed(width: 320, height: 200, format: .nv12, strideAlignment: 32)
        apart.planes[0].offset = 4096
        apart.planes[1].offset = 64
        apart.planes[1].buffer = 1
        let image = try PatternPainter(layout: apart).image(frame: 77)
        #expect(image.number == 77)
        #expect(image.buffers[0][..<4096].allSatisfy { $0 == TestPatternImage.filler })
        #expect(image.buffers[1][..<64].allSatisfy { $0 == TestPatternImage.filler })
        // The bars' colours are in the second buffer, in the middle of the second bar (yellow).
        #expect(image.bytes(plane: 1, row: 70, 60, count: 2) == [44, 142])
    }

    @Test("numbers from 2^48 on are drawn modulo 2^48")
    func modulo() throws {
        let painter = try PatternPainter(layout: .computed(width: 64, height: 64, format: .r8))
        #expect(try painter.image(frame: 1 << 48 + 5).number == 5)
        #expect(try painter.image(frame: .max).number == (1 << 48) - 1)
    }

    @Test(
        "full range, limited range and other luma weights make no difference",
        arguments: [
            ColorSpace.sycc, .smpte170m, .rec709, .rec2020, .unknown,
        ]
    )
    func colorSpaces(space: ColorSpace) throws {
        let layout = try ImageLayout.computed(width: 96, height: 64, format: .yuv420, colorSpace: space)
        #expect(try PatternPainter(layout: layout).image(frame: 123_456_789).number == 123_456_789)
    }

    @Test("the number survives noise, low contrast and a change of brightness")
    func disturbed() throws {
        let layout = try ImageLayout.computed(width: 320, height: 240, format: .yuv420)
        var random = SystemRandomNumberGenerator()
        for number in Self.numbers {
            var image = try PatternPainter(layout: layout).image(frame: number)
            image.buffers[0] = image.buffers[0].map { byte in
                let noise = Int.random(in: -30...30, using: &random)
                return UInt8(min(255, max(0, Int(byte) / 2 + 90 + noise)))
            }
            #expect(image.number == number)
        }
    }

    @Test("what is not the pattern has no number")
    func otherPictures() throws {
        let layout = try ImageLayout.computed(width: 320, height: 240, format: .rgb888)
        for value in [0, 127, 255] as [UInt8] {
            let flat = [UInt8](repeating: value, count: layout.bufferSize(0))
            #expect(TestPatternImage.number(in: layout, flat[...]) == nil)
        }
        let ramp = (0..<layout.bufferSize(0)).map { UInt8(truncatingIfNeeded: $0 / 7) }
        #expect(TestPatternImage.number(in: layout, ramp[...]) == nil)
    }

    @Test("one wrong cell of the 64 is noticed, whichever it is")
    func damagedCell() throws {
        let layout = try ImageLayout.computed(width: 128, height: 128, format: .r8)
        let painter = try PatternPainter(layout: layout)
        // 128 / 16: cells of eight pixels.
        for cell in 0..<64 {
            var image = try painter.image(frame: 0xABCD_EF01)
            for y in cell / 8 * 8..<cell / 8 * 8 + 8 {
                for x in cell % 8 * 8..<cell % 8 * 8 + 8 {
                    image.buffers[0][y * 128 + x] = ~image.buffers[0][y * 128 + x]
                }
            }
            #expect(image.number == nil, "cell \(cell)")
        }
    }

    @Test("a layout that doesn't fit the bytes gives no number, and reads nothing outside")
    func mismatch() throws {
        let layout = try ImageLayout.computed(width: 64, height: 64, format: .yuyv)
        let image = try PatternPainter(layout: layout).image(frame: 9)
        #expect(TestPatternImage.number(in: layout, image.buffers[0][..<100]) == nil)
        #expect(TestPatternImage.number(in: layout, []) == nil)
        var wrong = layout
        wrong.planes[0].stride = -1
        #expect(TestPatternImage.number(in: wrong, image.buffers[0][...]) == nil)
        wrong = layout
        wrong.planes = []
        #expect(TestPatternImage.number(in: wrong, image.buffers[0][...]) == nil)
        wrong = layout
        wrong.format = .h264
        #expect(TestPatternImage.number(in: wrong, image.buffers[0][...]) == nil)
    }

    #if Snapshot
    @Test(
        "the number is read back from MJPEG, at every size from 64x64",
        arguments: [
            (64, 64), (65, 67), (160, 120), (641, 479), (1280, 720),
        ]
    )
    func motionJPEG(width: Int, height: Int) throws {
        let layout = try ImageLayout.opaque(width: width, height: height, format: .mjpeg, capacity: width * height * 2)
        let painter = try PatternPainter(layout: layout)
        for number in Self.numbers {
            var image = TestPatternImage(layout)
            let used = try image.buffers[0].withUnsafeMutableBytes { try painter.paint(frame: number, into: $0) }
            #expect(used > 500 && used < width * height * 2)
            #expect(image.buffers[0][..<2] == [0xFF, 0xD8] && image.buffers[0][used - 2..<used] == [0xFF, 0xD9])
            #expect(image.number == number)
            #expect(TestPatternImage.number(in: layout, image.buffers[0][..<used]) == number)
        }
    }

    @Test("a buffer too small for the JPEG is an error that says how large it must be")
    func motionJPEGTooSmall() throws {
        let layout = try ImageLayout.opaque(width: 640, height: 480, format: .mjpeg, capacity: 1000)
        let painter = try PatternPainter(layout: layout)
        var image = TestPatternImage(layout)
        #expect {
            try image.paint(painter, frame: 1)
        } throws: { error in
            if case PatternError.tooFewBytes(0, let needed, 1000) = error { needed > 1000 } else { false }
        }
    }
    #else
    @Test("without libjpeg-turbo MJPEG is refused, and the error says what to do")
    func motionJPEGRefused() throws {
        let layout = try ImageLayout.opaque(width: 640, height: 480, format: .mjpeg, capacity: 100_000)
        #expect(throws: PatternError.needsJPEGCompressor) { try PatternPainter(layout: layout) }
        #expect(PatternError.needsJPEGCompressor.description.contains("--traits Snapshot"))
    }
    #endif
}
