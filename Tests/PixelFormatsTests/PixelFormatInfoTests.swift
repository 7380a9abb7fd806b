import PixelFormats
import Testing

@Suite("PixelFormatInfo: what lies where in memory")
struct PixelFormatInfoTests {
    /// The byte order that the kernel's "RGB Formats" page gives for V4L2's codes, lowest address first.
    @Test(
        "RGB bytes lie as the V4L2 documents say",
        arguments: [
            ("RGB3", "RGB"), ("BGR3", "BGR"), ("XR24", "BGRX"), ("AR24", "BGRA"), ("XB24", "RGBX"), ("AB24", "RGBA"),
            ("BX24", "XRGB"), ("BA24", "ARGB"), ("RX24", "XBGR"), ("RA24", "ABGR"), ("RGB6", "RGB"), ("BGR6", "BGR"),
            ("YUVA", "YUVA"), ("YUVX", "YUVX"), ("YUYV", "YUYV"), ("UYVY", "UYVY"), ("YVYU", "YVYU"), ("VYUY", "VYUY"),
        ]
    )
    func v4l2ByteOrder(code: String, order: String) throws {
        let fourcc = try #require(FourCC(code))
        let info = try #require(PixelFormat(v4l2: fourcc)?.info)
        #expect(letters(info.planes[0].components) == order)
    }

    /// DRM names a packed format by its little-endian word, highest bits first: the reverse of memory.
    @Test(
        "RGB bytes lie as DRM's names say",
        arguments: PixelFormat.all.filter { $0.info?.colorModel == .rgb && !$0.fourcc.isBigEndian }
    )
    func drmByteOrder(format: PixelFormat) throws {
        let info = try #require(format.info)
        let named = String(format.name.prefix { !$0.isNumber })
        #expect(letters(info.planes[0].components) == String(named.reversed()))
    }

    @Test(
        "chroma planes come in the order and with the subsampling of the format",
        arguments: [
            ("YUV420", ["Y", "U", "V"], 2, 2), ("YVU420", ["Y", "V", "U"], 2, 2), ("YUV422", ["Y", "U", "V"], 2, 1),
            ("YVU444", ["Y", "V", "U"], 1, 1), ("NV12", ["Y", "UV"], 2, 2), ("NV21", ["Y", "VU"], 2, 2),
            ("NV16", ["Y", "UV"], 2, 1), ("NV61", ["Y", "VU"], 2, 1), ("NV24", ["Y", "UV"], 1, 1),
        ] as [(String, [String], Int, Int)]
    )
    func planes(name: String, planes: [String], columns: Int, rows: Int) throws {
        let info = try #require(PixelFormat(name: name)?.info)
        #expect(info.planes.map { letters($0.components) } == planes)
        #expect(info.planes.dropFirst().allSatisfy { $0.horizontalSubsampling == columns })
        #expect(info.planes.dropFirst().allSatisfy { $0.verticalSubsampling == rows })
    }

    @Test(
        "a pixel takes the bits the format says",
        arguments: [
            ("YUV420", 12, 8), ("NV12", 12, 8), ("NV16", 16, 8), ("YUV422", 16, 8), ("NV24", 24, 8), ("YUV444", 24, 8),
            ("YUYV", 16, 8), ("RGB888", 24, 8), ("XRGB8888", 32, 8), ("RGB565", 16, 6), ("RGB161616", 48, 16),
            ("R8", 8, 8), ("R10", 16, 10), ("R10_CSI2P", 10, 10), ("SRGGB8", 8, 8), ("SRGGB10", 16, 10),
            ("SRGGB10_CSI2P", 10, 10), ("SRGGB12_CSI2P", 12, 12), ("SRGGB14_CSI2P", 14, 14), ("SRGGB16", 16, 16),
            ("RGGB_PISP_COMP1", 8, 16), ("MONO_PISP_COMP1", 8, 16), ("MJPEG", 0, 0), ("H264", 0, 0),
        ]
    )
    func bits(name: String, bitsPerPixel: Int, bitDepth: Int) throws {
        let info = try #require(PixelFormat(name: name)?.info)
        #expect(info.bitsPerPixel == bitsPerPixel)
        #expect(info.bitDepth == bitDepth)
    }

    @Test(
        "odd sizes round up to whole groups, columns and rows",
        arguments: [
            ("YUYV", 5, [12], [3]), ("YUV420", 5, [5, 3, 3], [3, 2, 2]), ("NV12", 5, [5, 6], [3, 2]),
            ("NV16", 5, [5, 6], [3, 3]), ("SRGGB10_CSI2P", 5, [10], [3]), ("SRGGB12_CSI2P", 5, [9], [3]),
            ("SRGGB14_CSI2P", 5, [14], [3]), ("BGGR_PISP_COMP1", 5, [8], [3]), ("RGB888", 5, [15], [3]),
        ] as [(String, Int, [Int], [Int])]
    )
    func oddSizes(name: String, width: Int, rowBytes: [Int], rows: [Int]) throws {
        let info = try #require(PixelFormat(name: name)?.info)
        #expect(info.planes.map { $0.rowBytes(width: width) } == rowBytes)
        #expect(info.planes.map { $0.rows(height: 3) } == rows)
    }

    @Test("widths and heights of any value give a number or nil", arguments: PixelFormat.all)
    func hostileSizes(format: PixelFormat) throws {
        let info = try #require(format.info)
        for plane in info.planes {
            for size in [Int.min, -1, 0] {
                #expect(plane.rowBytes(width: size) == nil)
                #expect(plane.rows(height: size) == nil)
            }
            #expect(plane.rows(height: .max) != nil)
            // A byte for each column at most fits; more doesn't.
            let fits = plane.bytesPerGroup <= plane.pixelsPerGroup * plane.horizontalSubsampling
            #expect((plane.rowBytes(width: .max / 8 * 8) != nil) == fits)
        }
    }

    private func letters(_ components: [Component]) -> String {
        components.map { "\($0)".uppercased() }.joined()
    }
}
