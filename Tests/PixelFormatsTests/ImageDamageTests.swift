import PixelFormats
import Testing

@Suite("Images that can't be whole")
struct ImageDamageTests {
    private func compressed(_ format: PixelFormat) throws -> ImageLayout {
        try .opaque(width: 64, height: 48, format: format, capacity: 1000)
    }

    private func damage(_ format: PixelFormat, _ bytes: [UInt8]) throws -> ImageDamage? {
        try compressed(format).damage(of: bytes.span.bytes)
    }

    @Test(
        "every plane needs its rows; padding behind the last row, and rows beyond the image, may be missing",
        arguments: PixelFormat.all.filter { !$0.isCompressed }
    )
    func short(format: PixelFormat) throws {
        var layout = try ImageLayout.computed(width: 34, height: 6, format: format, strideAlignment: 64)
        for index in layout.planes.indices { layout.planes[index].size += 2 * layout.planes[index].stride }
        let needed = layout.planes.indices.map { layout.leastBytes(plane: $0) }
        for index in layout.planes.indices {
            let rows = try #require(layout.rows(plane: index))
            let rowBytes = try #require(layout.rowBytes(plane: index))
            #expect(needed[index] == layout.planes[index].stride * (rows - 1) + rowBytes)
            #expect(
                layout.damage { $0 == index ? needed[$0] - 1 : needed[$0] }
                    == .short(plane: index, bytes: needed[index] - 1, needed: needed[index])
            )
            #expect(layout.damage { $0 == index ? -5 : needed[$0] } != nil)
        }
        #expect(layout.damage { needed[$0] } == nil)
        #expect(layout.damage { layout.planes[$0].size } == nil)
    }

    @Test("of an unknown format the stride says how long the first plane is; without one only nothing is too little")
    func unknown() throws {
        let format = PixelFormat(fourcc: try #require(FourCC("ZZ42")))
        var layout = try ImageLayout.opaque(width: 64, height: 48, format: format, capacity: 8000)
        #expect(layout.damage { _ in 1 } == nil)
        #expect(layout.damage { _ in 0 } == .short(plane: 0, bytes: 0, needed: 1))
        layout.planes[0].stride = 128
        #expect(layout.damage { _ in 128 * 47 + 1 } == nil)
        #expect(layout.damage { _ in 128 * 47 } != nil)
        // A stride that contradicts the size says nothing.
        layout.planes[0].stride = .max
        #expect(layout.damage { _ in 8000 } == nil)
    }

    // The smallest that has all its segments: no decoder would take it.
    private static let jpeg: [UInt8] =
        [0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2, 0xFF, 0xC0, 0, 8, 8, 0, 48, 0, 64, 0]
        + [0xFF, 0xDA, 0, 3, 0, 7, 7, 0xFF, 0, 0xFF, 0xD0, 9, 0xFF, 0xD9]

    @Test("JPEG has a start, a scan and an end; what follows the end does not count")
    func jpegWhole() throws {
        let jpeg = Self.jpeg
        #expect(try damage(.mjpeg, jpeg) == nil)
        #expect(try damage(.mjpeg, jpeg + [0]) == nil)
        #expect(try damage(.mjpeg, jpeg + [UInt8](repeating: 0, count: 700)) == nil)
        #expect(try damage(.mjpeg, jpeg + [UInt8](repeating: 0xFF, count: 700)) == nil)
        #expect(try damage(.mjpeg, jpeg + [1, 2, 3, 0xA5]) == nil)
        // Fill bytes before a marker, and bytes that belong to no segment.
        #expect(try damage(.mjpeg, [0xFF, 0xD8, 0xFF, 0xFF] + jpeg[2...]) == nil)
        #expect(try damage(.mjpeg, [0xFF, 0xD8, 0x42] + jpeg[2...]) == nil)
    }

    @Test("JPEG that was cut off anywhere is damaged")
    func jpegCut() throws {
        for count in 0..<Self.jpeg.count {
            #expect(try damage(.mjpeg, Array(Self.jpeg[..<count])) != nil, "\(count) bytes")
        }
        #expect(try damage(.mjpeg, Array(Self.jpeg.dropFirst())) == .noBeginning(.mjpeg))
        #expect(try damage(.mjpeg, [0xFF, 0xD8, 0xFF, 0xD9]) == .noPicture(.mjpeg))
        // The end of a thumbnail is not the image's.
        let thumbnail: [UInt8] = [0xFF, 0xE1, 0, 6, 0xFF, 0xD8, 0xFF, 0xD9]
        #expect(try damage(.mjpeg, [0xFF, 0xD8] + thumbnail + Self.jpeg[2...]) == nil)
        #expect(try damage(.mjpeg, [0xFF, 0xD8] + thumbnail + Self.jpeg[2..<(Self.jpeg.count - 2)]) == .noEnd(.mjpeg))
    }

    @Test("H.264 and HEVC begin with a start code and a NAL unit of more than its header")
    func units() throws {
        for format in [PixelFormat.h264, .hevc] {
            #expect(try damage(format, [0, 0, 1, 0x40, 1, 2]) == nil)
            #expect(try damage(format, [0, 0, 0, 1, 0x40, 1, 2]) == nil)
            #expect(try damage(format, [0, 0, 0, 0, 0, 1, 0x40, 1, 2]) == nil)
            for bytes in [
                [0], [0, 0, 0, 0, 0], [0, 0, 1], [0, 0, 1, 0x40], [0, 1, 0x40, 1, 2], [0, 0, 1, 0xC0, 1, 2],
                [0, 0, 0, 5, 0x65, 1, 2, 3, 4], [1, 2, 3, 4, 5],
            ] as [[UInt8]] {
                #expect(try damage(format, bytes) == .noBeginning(format), "\(format) \(bytes)")
            }
        }
    }

    @Test("FWHT is as long as its head says")
    func fwht() throws {
        let head: [UInt8] =
            [0x4F, 0x4F, 0x4F, 0x4F, 0xFF, 0xFF, 0xFF, 0xFF] + [UInt8](repeating: 0, count: 32) + [0, 0, 0, 3]
        #expect(try damage(.fwht, head + [1, 2, 3]) == nil)
        #expect(try damage(.fwht, head + [1, 2, 3, 0]) == nil)
        #expect(try damage(.fwht, head + [1, 2]) == .noEnd(.fwht))
        #expect(try damage(.fwht, Array(head[..<40])) == .noBeginning(.fwht))
        #expect(try damage(.fwht, [1] + head) == .noBeginning(.fwht))
    }

    @Test("an empty compressed image is short, and raw images are judged by their length alone")
    func empty() throws {
        for format in PixelFormat.all where format.isCompressed {
            #expect(try damage(format, []) == .short(plane: 0, bytes: 0, needed: 1))
        }
        let grey = try ImageLayout.computed(width: 8, height: 8, format: .r8)
        #expect(grey.damage(of: [UInt8]().span.bytes) == nil)
    }

    @Test("made-up bytes never trap")
    func madeUp() throws {
        var random = SeededGenerator(seed: 21)
        let markers: [UInt8] = [0xFF, 0xD8, 0xD9, 0xDA, 0xC0, 0xC4, 0, 1, 2]
        for format in PixelFormat.all where format.isCompressed {
            for _ in 0..<500 {
                var bytes: [UInt8] = format == .mjpeg ? [0xFF, 0xD8] : []
                for _ in 0..<Int.random(in: 0...60, using: &random) {
                    bytes.append(
                        Bool.random(using: &random)
                            ? .random(in: 0...255, using: &random) : markers.randomElement(using: &random) ?? 0
                    )
                }
                _ = try damage(format, bytes)
            }
        }
    }
}
