import PixelFormats
import Testing

@Suite("ColorSpace")
struct ColorSpaceTests {
    @Test(
        "named ones have libcamera's names",
        arguments: [
            (.unknown, "unknown"), (.raw, "RAW"), (.srgb, "sRGB"), (.sycc, "sYCC"), (.smpte170m, "SMPTE170M"),
            (.rec709, "Rec709"), (.rec2020, "Rec2020"),
        ] as [(ColorSpace, String)]
    )
    func names(space: ColorSpace, name: String) {
        #expect(space.name == name)
        #expect(ColorSpace(name: name) == space)
        #expect(ColorSpace(name: name.uppercased()) == space)
    }

    @Test("every combination is read back from its name, and no two share one")
    func everyCombination() {
        var names: Set<String> = []
        var count = 0
        for primaries in ColorSpace.Primaries.allCases {
            for transfer in ColorSpace.Transfer.allCases {
                for encoding in ColorSpace.Encoding.allCases {
                    for range in ColorSpace.Range.allCases {
                        let space = ColorSpace(
                            primaries: primaries,
                            transfer: transfer,
                            encoding: encoding,
                            range: range
                        )
                        #expect(ColorSpace(name: space.name) == space)
                        names.insert(space.name)
                        count += 1
                    }
                }
            }
        }
        #expect(names.count == count)
    }

    @Test("an unnamed one is four words as in libcamera")
    func fourWords() {
        let webcam = ColorSpace(primaries: .rec709, transfer: .srgb, encoding: .rec601, range: .limited)
        #expect(webcam.name == "Rec709/sRGB/Rec601/Limited")
    }

    @Test("other text is refused", arguments: ["", "/", "///", "sRGB/", "Rec709/Rec709/Rec709", "a/b/c/d", "Rec709 "])
    func refused(text: String) {
        #expect(ColorSpace(name: text) == nil)
    }

    /// Numbers of `videodev2.h`; defaults as its V4L2_MAP macros give them.
    @Test(
        "V4L2's fields give the colour space, defaults included",
        arguments: [
            (8, 0, 0, 0, .yuyv, "Rec709/sRGB/Rec601/Limited"), (8, 0, 0, 0, .bgr888, "sRGB"),
            (7, 0, 0, 0, .nv12, "sYCC"),
            (8, 0, 0, 0, .mjpeg, "sYCC"), (1, 0, 0, 0, .yuv420, "SMPTE170M"), (3, 0, 0, 0, .nv12, "Rec709"),
            (10, 0, 0, 0, .nv12, "Rec2020"), (3, 5, 1, 1, .nv12, "Rec709/Linear/Rec601/Full"),
            (3, 0, 0, 2, .bgr888, "Rec709/Rec709/None/Limited"), (0, 0, 0, 0, .yuyv, "unknown"),
            (99, 99, 99, 99, .yuyv, "unknown"), (12, 0, 0, 0, .nv12, "unknown/unknown/Rec709/Limited"),
            (11, 0, 0, 0, .r10, "RAW"), (8, 2, 6, 2, .nv12, "Rec709/sRGB/Rec2020/Limited"),
        ] as [(UInt32, UInt32, UInt32, UInt32, PixelFormat, String)]
    )
    func v4l2(
        colorSpace: UInt32,
        transfer: UInt32,
        encoding: UInt32,
        quantization: UInt32,
        format: PixelFormat,
        name: String
    ) {
        let space = ColorSpace(
            v4l2ColorSpace: colorSpace,
            transfer: transfer,
            encoding: encoding,
            quantization: quantization,
            format: format
        )
        #expect(space.name == name)
    }

    @Test("a sensor's raw image is raw whatever the driver says")
    func rawBayer() throws {
        let format = try #require(PixelFormat.bayer(.rggb, bits: 10))
        #expect(ColorSpace(v4l2ColorSpace: 8, encoding: 2, quantization: 2, format: format) == .raw)
    }
}
