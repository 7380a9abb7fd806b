import PixelFormats
import Testing

@Suite("PixelFormat: codes and names")
struct PixelFormatTests {
    @Test("each name has the numbers of the kernel's headers", arguments: KernelNumbers.all)
    func numbers(_ numbers: KernelNumbers) throws {
        let format = try #require(PixelFormat(name: numbers.name))
        #expect(format.name == numbers.name)
        #expect(format.description == numbers.name)
        #expect(format.fourcc.rawValue == numbers.fourcc)
        #expect(format.modifier == numbers.modifier)
        #expect((format.v4l2?.rawValue ?? 0) == numbers.v4l2)
        #expect((format.v4l2MultiPlanar?.rawValue ?? 0) == numbers.v4l2MultiPlanar)
        #expect(format.info != nil)
    }

    @Test("each number of the kernel's headers gives the format back", arguments: KernelNumbers.all)
    func numbersBack(_ numbers: KernelNumbers) {
        let format = PixelFormat(fourcc: FourCC(rawValue: numbers.fourcc), modifier: numbers.modifier)
        #expect(format.name == numbers.name)
        if numbers.v4l2 != 0 { #expect(PixelFormat(v4l2: FourCC(rawValue: numbers.v4l2)) == format) }
        if numbers.v4l2MultiPlanar != 0 {
            #expect(PixelFormat(v4l2: FourCC(rawValue: numbers.v4l2MultiPlanar)) == format)
        }
    }

    @Test("all known formats are the table's, each once")
    func complete() {
        #expect(PixelFormat.all.map(\.name).sorted() == KernelNumbers.all.map(\.name).sorted())
        #expect(Set(PixelFormat.all).count == PixelFormat.all.count)
    }

    @Test(
        "V4L2 codes of webcams and vivid give the format with the same bytes",
        arguments: [
            ("YUYV", .yuyv), ("MJPG", .mjpeg), ("JPEG", .mjpeg), ("NV12", .nv12), ("GREY", .r8), ("RGB3", .bgr888),
            ("BGR3", .rgb888), ("NM12", .nv12), ("NM21", .nv21), ("NM16", .nv16), ("NM61", .nv61), ("YM12", .yuv420),
            ("YM21", .yvu420), ("YM16", .yuv422), ("YU12", .yuv420), ("YV12", .yvu420), ("422P", .yuv422),
            ("RGBP", .rgb565), ("RGBR", .rgb565BigEndian), ("XR24", .xrgb8888), ("AR24", .argb8888),
            ("XB24", .xbgr8888), ("AB24", .abgr8888), ("BX24", .bgrx8888), ("RX24", .rgbx8888), ("BA24", .bgra8888),
            ("RA24", .rgba8888), ("RGB4", .bgrx8888), ("BGR4", .xrgb8888), ("Y10", .r10), ("Y12", .r12), ("Y16", .r16),
            ("H264", .h264), ("UYVY", .uyvy), ("YVYU", .yvyu), ("VYUY", .vyuy), ("Y10P", .r10csi2p),
            ("PC1M", .monoPispComp1), ("AYUV", .ayuv8888BigEndian), ("XYUV", .xyuv8888BigEndian),
            ("YUV4", .xyuv8888BigEndian), ("VUYA", .ayuv8888), ("VUYX", .xyuv8888), ("YUV3", .vuy888),
        ] as [(String, PixelFormat)]
    )
    func v4l2Codes(text: String, format: PixelFormat) throws {
        let code = try #require(FourCC(text))
        #expect(PixelFormat(v4l2: code) == format)
        #expect(PixelFormat(name: text) == format)
    }

    @Test(
        "V4L2's and DRM's meanings of one code are kept apart",
        arguments: [
            ("RG16", "SRGGB16", "RGB565"), ("RGB6", "BGR161616", "SRGGB16"), ("AYUV", "AYUV8888_BE", "AYUV8888"),
            ("XYUV", "XYUV8888_BE", "XYUV8888"),
        ]
    )
    func sameCodeOtherFormat(code: String, v4l2Name: String, drmName: String) throws {
        let code = try #require(FourCC(code))
        #expect(PixelFormat(v4l2: code)?.name == v4l2Name)
        #expect(PixelFormat(fourcc: code).name == drmName)
    }

    @Test(
        "a sensor's format follows from order, bits and packing",
        arguments: [
            (.rggb, 10, .csi2, "SRGGB10_CSI2P", "pRAA"), (.grbg, 10, .csi2, "SGRBG10_CSI2P", "pgAA"),
            (.gbrg, 10, .csi2, "SGBRG10_CSI2P", "pGAA"), (.bggr, 12, .csi2, "SBGGR12_CSI2P", "pBCC"),
            (.bggr, 8, .none, "SBGGR8", "BA81"), (.rggb, 16, .none, "SRGGB16", "RG16"),
            (.grbg, 14, .none, "SGRBG14", "GR14"), (.bggr, 16, .pispComp1, "BGGR_PISP_COMP1", "PC1B"),
            (.gbrg, 16, .pispComp1, "GBRG_PISP_COMP1", "PC1g"),
        ] as [(BayerOrder, Int, RawPacking, String, String)]
    )
    func bayer(order: BayerOrder, bits: Int, packing: RawPacking, name: String, v4l2: String) throws {
        let format = try #require(PixelFormat.bayer(order, bits: bits, packing: packing))
        #expect(format.name == name)
        #expect(format.v4l2 == FourCC(v4l2))
        #expect(format.info?.colorModel == .bayer(order))
        #expect(format.info?.bitDepth == bits)
        #expect(format.info?.packing == packing)
    }

    @Test(
        "there is no sensor format of other bits or packings",
        arguments: [(9, .none), (8, .csi2), (16, .csi2), (10, .pispComp1), (Int.min, .none), (Int.max, .csi2)]
            as [(Int, RawPacking)]
    )
    func noSuchBayer(bits: Int, packing: RawPacking) {
        #expect(PixelFormat.bayer(.rggb, bits: bits, packing: packing) == nil)
    }

    @Test(
        "aliases give the order in memory",
        arguments: [
            ("RGB24", .bgr888), ("bgr24", .rgb888), ("rgba", .abgr8888), ("bgra", .argb8888), ("ARGB", .bgra8888),
            ("abgr", .rgba8888), ("rgb0", .xbgr8888), ("bgr0", .xrgb8888), ("0rgb", .bgrx8888), ("0bgr", .rgbx8888),
            ("yuyv422", .yuyv), ("YUY2", .yuyv), ("i420", .yuv420), ("yuv420p", .yuv420), ("gray", .r8), ("grey", .r8),
            ("gray16le", .r16), ("rgb48le", .bgr161616), ("BG24", .bgr888), ("RG24", .rgb888), ("jpeg", .mjpeg),
        ] as [(String, PixelFormat)]
    )
    func aliases(name: String, format: PixelFormat) {
        #expect(PixelFormat(name: name) == format)
    }

    @Test("every name is read in any case, unless two V4L2 codes differ in nothing else", arguments: PixelFormat.all)
    func anyCase(format: PixelFormat) throws {
        #expect(PixelFormat(name: format.name.lowercased()) == format)
        #expect(PixelFormat(name: format.name.uppercased()) == format)
        if let v4l2 = format.v4l2 { #expect(PixelFormat(name: v4l2.description) == format) }
        if let v4l2 = format.v4l2MultiPlanar { #expect(PixelFormat(name: v4l2.description.lowercased()) == format) }
    }

    @Test(
        "a name with several meanings or none is refused",
        arguments: ["PGAA", "pc1g ", "", "YUV", "nothing", "RGB888 "]
    )
    func noName(name: String) {
        #expect(PixelFormat(name: name) == nil)
    }

    @Test("an unknown format keeps its numbers and is plain bytes")
    func unknown() throws {
        let code = try #require(FourCC("XY12"))
        let format = PixelFormat(fourcc: code, modifier: 0x0b00_0000_0000_0002)
        #expect(format.name == "XY12:0x0b00000000000002")
        #expect(PixelFormat(fourcc: code).name == "XY12")
        #expect(format.info == nil)
        #expect(!format.isCompressed)
        #expect(format.v4l2 == nil)
        #expect(PixelFormat(v4l2: code) == nil)
        // A known code with a modifier it hasn't got is another format.
        #expect(PixelFormat(fourcc: PixelFormat.nv12.fourcc, modifier: 1).info == nil)
    }

    @Test("compressed are MJPEG, H.264, HEVC and FWHT, not a sensor's packed rows")
    func compressed() {
        #expect(PixelFormat.all.filter(\.isCompressed) == [.mjpeg, .h264, .hevc, .fwht])
    }
}
