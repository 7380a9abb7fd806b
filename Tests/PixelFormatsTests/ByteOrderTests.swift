import PixelFormats
import Testing

/// Each name against the order of bytes that its own specification gives.
@Suite("Byte orders of formats' names")
struct ByteOrderTests {
    /// The components of a format's first plane in memory, as letters.
    private func order(_ format: PixelFormat?) -> String? {
        let letters: [Component: String] = [.y: "Y", .u: "U", .v: "V", .r: "R", .g: "G", .b: "B", .a: "A", .x: "X"]
        guard let plane = format?.info?.planes.first else { return nil }
        return plane.components.map { letters[$0] ?? "?" }.joined()
    }

    @Test(
        "V4L2: the kernel's documents of packed YUV and RGB formats give bytes 0, 1, 2, ...",
        arguments: [
            ("YUYV", "YUYV"), ("UYVY", "UYVY"), ("YVYU", "YVYU"), ("VYUY", "VYUY"), ("YUV3", "YUV"), ("YUV4", "XYUV"),
            ("AYUV", "AYUV"), ("XYUV", "XYUV"), ("VUYA", "VUYA"), ("VUYX", "VUYX"), ("YUVA", "YUVA"), ("YUVX", "YUVX"),
            ("BGR3", "BGR"), ("RGB3", "RGB"), ("BGR4", "BGRX"), ("RGB4", "XRGB"), ("AR24", "BGRA"), ("XR24", "BGRX"),
            ("RA24", "ABGR"), ("RX24", "XBGR"), ("AB24", "RGBA"), ("XB24", "RGBX"), ("BA24", "ARGB"), ("BX24", "XRGB"),
            ("BGR6", "BGR"), ("RGB6", "RGB"), ("GREY", "Y"),
        ]
    )
    func v4l2(code: String, bytes: String) throws {
        #expect(order(PixelFormat(v4l2: try #require(FourCC(code)))) == bytes)
    }

    @Test(
        "DRM: drm_fourcc.h gives words, whose lowest byte is first in memory, or with -BE the highest",
        arguments: [
            ("RG24", "R:G:B"), ("BG24", "B:G:R"), ("XR24", "X:R:G:B"), ("XB24", "X:B:G:R"), ("RX24", "R:G:B:X"),
            ("BX24", "B:G:R:X"), ("AR24", "A:R:G:B"), ("AB24", "A:B:G:R"), ("RA24", "R:G:B:A"), ("BA24", "B:G:R:A"),
            ("RG48", "R:G:B"), ("BG48", "B:G:R"), ("YUYV", "V:Y:U:Y"), ("YVYU", "U:Y:V:Y"), ("UYVY", "Y:V:Y:U"),
            ("VYUY", "Y:U:Y:V"), ("AYUV", "A:Y:U:V"), ("AVUY", "A:V:U:Y"), ("XYUV", "X:Y:U:V"), ("XVUY", "X:V:U:Y"),
            ("VU24", "V:U:Y"), ("AYUV-BE", "V:U:Y:A"), ("XYUV-BE", "V:U:Y:X"), ("RG16", "R:G:B"),
        ]
    )
    func drm(code: String, word: String) throws {
        let format = PixelFormat(fourcc: try #require(FourCC(code)))
        #expect(order(format) == String(word.filter { $0 != ":" }.reversed()))
    }

    @Test(
        "GStreamer: the names of its video formats give bytes",
        arguments: [
            ("YUY2", "YUYV"), ("UYVY", "UYVY"), ("YVYU", "YVYU"), ("VYUY", "VYUY"), ("AYUV", "AYUV"), ("VUYA", "VUYA"),
            ("v308", "YUV"), ("RGBx", "RGBX"), ("BGRx", "BGRX"), ("xRGB", "XRGB"), ("xBGR", "XBGR"), ("RGBA", "RGBA"),
            ("BGRA", "BGRA"), ("ARGB", "ARGB"), ("ABGR", "ABGR"), ("RGB", "RGB"), ("BGR", "BGR"), ("GRAY8", "Y"),
        ]
    )
    func gstreamer(name: String, bytes: String) {
        #expect(order(PixelFormat(name: name)) == bytes)
    }

    @Test(
        "GStreamer, FFmpeg and V4L2: planar names give the planes",
        arguments: [
            ("I420", ["Y", "U", "V"], 2, 2), ("YV12", ["Y", "V", "U"], 2, 2), ("Y42B", ["Y", "U", "V"], 2, 1),
            ("NV12", ["Y", "UV"], 2, 2), ("NV21", ["Y", "VU"], 2, 2), ("NV16", ["Y", "UV"], 2, 1),
            ("NV61", ["Y", "VU"], 2, 1), ("NV24", ["Y", "UV"], 1, 1), ("NV42", ["Y", "VU"], 1, 1),
            ("yuv420p", ["Y", "U", "V"], 2, 2), ("yuv422p", ["Y", "U", "V"], 2, 1), ("yuv444p", ["Y", "U", "V"], 1, 1),
            ("YM12", ["Y", "U", "V"], 2, 2), ("YM21", ["Y", "V", "U"], 2, 2), ("YM16", ["Y", "U", "V"], 2, 1),
            ("YM61", ["Y", "V", "U"], 2, 1), ("YM24", ["Y", "U", "V"], 1, 1), ("YM42", ["Y", "V", "U"], 1, 1),
            ("NM12", ["Y", "UV"], 2, 2), ("NM21", ["Y", "VU"], 2, 2), ("NM16", ["Y", "UV"], 2, 1),
            ("NM61", ["Y", "VU"], 2, 1), ("YU12", ["Y", "U", "V"], 2, 2), ("422P", ["Y", "U", "V"], 2, 1),
        ]
    )
    func planar(name: String, planes: [String], columns: Int, rows: Int) throws {
        let info = try #require(PixelFormat(name: name)?.info)
        let letters: [Component: String] = [.y: "Y", .u: "U", .v: "V"]
        #expect(info.planes.map { $0.components.map { letters[$0] ?? "?" }.joined() } == planes)
        let chroma = try #require(info.planes.last)
        #expect((chroma.horizontalSubsampling, chroma.verticalSubsampling) == (columns, rows))
    }
}
