import PixelFormats
import Testing

@Suite("ImageLayout: computed and given")
struct ImageLayoutTests {
    @Test(
        "own memory: planes back to back, rows without padding",
        arguments: [
            ("YUV420", 640, 480, [640, 320, 320], [0, 307_200, 384_000], 460_800),
            ("NV12", 640, 480, [640, 640], [0, 307_200], 460_800),
            ("NV16", 640, 480, [640, 640], [0, 307_200], 614_400),
            ("NV24", 640, 480, [640, 1280], [0, 307_200], 921_600),
            ("YUV444", 640, 480, [640, 640, 640], [0, 307_200, 614_400], 921_600),
            ("YUYV", 640, 480, [1280], [0], 614_400),
            ("RGB888", 640, 480, [1920], [0], 921_600),
            ("SRGGB10_CSI2P", 4056, 3040, [5070], [0], 15_412_800),
            ("R8", 1, 1, [1], [0], 1),
            // An odd width: the chroma row of 3 bytes makes the luma stride 6, so that it is half of it.
            ("YUV420", 5, 5, [6, 3, 3], [0, 30, 39], 48),
            ("NV12", 5, 5, [6, 6], [0, 30], 48),
        ] as [(String, Int, Int, [Int], [Int], Int)]
    )
    func tight(name: String, width: Int, height: Int, strides: [Int], offsets: [Int], total: Int) throws {
        let layout = try ImageLayout.computed(width: width, height: height, format: #require(PixelFormat(name: name)))
        #expect(layout.planes.map(\.stride) == strides)
        #expect(layout.planes.map(\.offset) == offsets)
        #expect(layout.bufferCount == 1)
        #expect(layout.bufferSize(0) == total)
        #expect(layout.bufferSize(1) == 0)
    }

    /// What libcamera's Raspberry Pi pipelines ask of their hardware: alignment 32 (VC4), 64 (PiSP).
    @Test(
        "strides aligned as a Raspberry Pi aligns them",
        arguments: [
            ("YUV420", 704, 32, 704), ("YUV420", 704, 64, 768), ("YUV420", 800, 32, 832), ("YUV420", 800, 64, 896),
            ("YUV420", 1332, 32, 1344), ("YUV420", 1332, 64, 1408), ("YUV420", 1456, 32, 1472),
            ("YUV420", 1456, 64, 1536), ("YUV420", 1920, 64, 1920), ("YUV420", 1280, 64, 1280),
            ("NV12", 704, 64, 704), ("RGB888", 1640, 64, 4928), ("RGGB_PISP_COMP1", 4608, 64, 4608),
            ("RGGB_PISP_COMP1", 1331, 64, 1344), ("RGB888", 10, 1000, 1000), ("R8", 7, 3, 9),
        ]
    )
    func aligned(name: String, width: Int, alignment: Int, stride: Int) throws {
        let format = try #require(PixelFormat(name: name))
        let layout = try ImageLayout.computed(width: width, height: 8, format: format, strideAlignment: alignment)
        #expect(layout.planes[0].stride == stride)
        #expect(layout.planes.allSatisfy { $0.stride.isMultiple(of: alignment) })
    }

    @Test(
        "a camera's padded strides are taken as given, and the padding is known",
        arguments: [
            ("YUV420", 704, 768, [704, 352, 352]), ("YUV420", 800, 832, [800, 400, 400]),
            ("YUV420", 1456, 1536, [1456, 728, 728]), ("RGB888", 1640, 4992, [4920]), ("RGB888", 1640, 4928, [4920]),
            ("YUYV", 704, 1408, [1408]), ("SRGGB10_CSI2P", 1332, 1696, [1665]), ("SRGGB12_CSI2P", 2028, 3072, [3042]),
            ("XBGR8888", 1332, 5376, [5328]), ("NV21", 800, 832, [800, 800]),
        ]
    )
    func paddedByTheCamera(name: String, width: Int, stride: Int, rowBytes: [Int]) throws {
        let format = try #require(PixelFormat(name: name))
        let height = 480
        var planes = [PlaneLayout(offset: 0, stride: stride, size: stride * height)]
        for _ in rowBytes.dropFirst() {
            let chroma = rowBytes.count == 3 ? stride / 2 : stride
            let end = planes.reduce(0) { max($0, $1.offset + $1.size) }
            planes.append(PlaneLayout(offset: end, stride: chroma, size: chroma * height / 2))
        }
        let layout = ImageLayout(width: width, height: height, format: format, planes: planes)
        try layout.validate()
        #expect(rowBytes.indices.map { layout.rowBytes(plane: $0) } == rowBytes)
        #expect(layout.rows(plane: 0) == height)
        #expect(rowBytes.indices.dropFirst().allSatisfy { layout.rows(plane: $0) == height / 2 })
        #expect(layout.bufferSize(0) == (rowBytes.count > 1 ? stride * height * 3 / 2 : stride * height))
        try layout.validate(bufferSizes: [layout.bufferSize(0)])
        #expect(
            throws: ImageLayoutError.bufferTooSmall(
                buffer: 0,
                size: layout.bufferSize(0) - 1,
                needed: layout.bufferSize(0)
            )
        ) {
            try layout.validate(bufferSizes: [layout.bufferSize(0) - 1])
        }
    }

    @Test("every known format has a layout that passes validation", arguments: PixelFormat.all)
    func everyFormat(format: PixelFormat) throws {
        for (width, height) in [(1, 1), (2, 2), (641, 481), (1920, 1080), (65536, 65536)] {
            if format.isCompressed {
                #expect(throws: ImageLayoutError.noGeometry(format)) {
                    try ImageLayout.computed(width: width, height: height, format: format)
                }
                let layout = try ImageLayout.opaque(width: width, height: height, format: format, capacity: 100)
                #expect(layout.planes == [PlaneLayout(offset: 0, stride: 0, size: 100)])
                #expect(layout.rowBytes(plane: 0) == nil)
                #expect(layout.rows(plane: 0) == nil)
            } else {
                let layout = try ImageLayout.computed(width: width, height: height, format: format, strideAlignment: 64)
                #expect(throws: Never.self) { try layout.validate(bufferSizes: [layout.bufferSize(0)]) }
            }
        }
    }

    @Test("planes in buffers of their own are counted and measured one by one")
    func severalBuffers() throws {
        let layout = ImageLayout(
            width: 4,
            height: 4,
            format: .nv12,
            planes: [
                PlaneLayout(offset: 0, stride: 4, size: 16, buffer: 1),
                PlaneLayout(offset: 128, stride: 4, size: 8, buffer: 0),
            ]
        )
        try layout.validate()
        #expect(layout.bufferCount == 2)
        #expect(layout.bufferSize(0) == 136)
        #expect(layout.bufferSize(1) == 16)
        #expect(throws: ImageLayoutError.bufferTooSmall(buffer: 1, size: 0, needed: 16)) {
            try layout.validate(bufferSizes: [136])
        }
    }

    @Test("an image of an unknown format is one to four planes of bytes")
    func unknownFormat() throws {
        let format = try PixelFormat(fourcc: #require(FourCC("XY12")))
        let layout = try ImageLayout.opaque(width: 10, height: 10, format: format, capacity: 77)
        #expect(layout.bufferSize(0) == 77)
        #expect(layout.rowBytes(plane: 0) == nil)
        #expect(throws: ImageLayoutError.noGeometry(format)) {
            try ImageLayout.computed(width: 10, height: 10, format: format)
        }
        var several = layout
        several.planes += [PlaneLayout(offset: 77, stride: 0, size: 1)]
        #expect(throws: Never.self) { try several.validate() }
    }

    @Test("says what it is in a line")
    func description() throws {
        #expect("\(try ImageLayout.computed(width: 8, height: 4, format: .nv12))" == "8x4 NV12")
        let layout = try ImageLayout.computed(width: 8, height: 4, format: .nv12, colorSpace: .rec709)
        #expect("\(layout)" == "8x4 NV12 Rec709")
    }
}
