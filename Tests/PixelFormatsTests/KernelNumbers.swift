import Testing

/// The numbers of `drm_fourcc.h` and `videodev2.h` as a C compiler prints them, by libcamera's name for the format.
struct KernelNumbers: Sendable, CustomTestStringConvertible {
    let name: String
    let fourcc: UInt32
    let modifier: UInt64
    /// 0 where V4L2 has no such format.
    let v4l2: UInt32
    let v4l2MultiPlanar: UInt32

    var testDescription: String { name }

    init(_ name: String, _ fourcc: UInt32, _ modifier: UInt64, _ v4l2: UInt32, _ v4l2MultiPlanar: UInt32) {
        self.name = name
        self.fourcc = fourcc
        self.modifier = modifier
        self.v4l2 = v4l2
        self.v4l2MultiPlanar = v4l2MultiPlanar
    }

    static let all = [
        KernelNumbers("R8", 0x2020_3852, 0, 0x5945_5247, 0),
        KernelNumbers("R10", 0x2030_3152, 0, 0x2030_3159, 0),
        KernelNumbers("R12", 0x2032_3152, 0, 0x2032_3159, 0),
        KernelNumbers("R16", 0x2036_3152, 0, 0x2036_3159, 0),
        KernelNumbers("RGB565", 0x3631_4752, 0, 0x5042_4752, 0),
        KernelNumbers("RGB565_BE", 0xb631_4752, 0, 0x5242_4752, 0),
        KernelNumbers("RGB888", 0x3432_4752, 0, 0x3352_4742, 0),
        KernelNumbers("BGR888", 0x3432_4742, 0, 0x3342_4752, 0),
        KernelNumbers("XRGB8888", 0x3432_5258, 0, 0x3432_5258, 0),
        KernelNumbers("XBGR8888", 0x3432_4258, 0, 0x3432_4258, 0),
        KernelNumbers("RGBX8888", 0x3432_5852, 0, 0x3432_5852, 0),
        KernelNumbers("BGRX8888", 0x3432_5842, 0, 0x3432_5842, 0),
        KernelNumbers("ARGB8888", 0x3432_5241, 0, 0x3432_5241, 0),
        KernelNumbers("ABGR8888", 0x3432_4241, 0, 0x3432_4241, 0),
        KernelNumbers("RGBA8888", 0x3432_4152, 0, 0x3432_4152, 0),
        KernelNumbers("BGRA8888", 0x3432_4142, 0, 0x3432_4142, 0),
        KernelNumbers("RGB161616", 0x3834_4752, 0, 0x3652_4742, 0),
        KernelNumbers("BGR161616", 0x3834_4742, 0, 0x3642_4752, 0),
        KernelNumbers("YUYV", 0x5659_5559, 0, 0x5659_5559, 0),
        KernelNumbers("YVYU", 0x5559_5659, 0, 0x5559_5659, 0),
        KernelNumbers("UYVY", 0x5956_5955, 0, 0x5956_5955, 0),
        KernelNumbers("VYUY", 0x5955_5956, 0, 0x5955_5956, 0),
        KernelNumbers("VUY888", 0x3432_5556, 0, 0x3356_5559, 0),
        KernelNumbers("AYUV8888", 0x5655_5941, 0, 0x4159_5556, 0),
        KernelNumbers("XYUV8888", 0x5655_5958, 0, 0x5859_5556, 0),
        KernelNumbers("AYUV8888_BE", 0xd655_5941, 0, 0x5655_5941, 0),
        KernelNumbers("XYUV8888_BE", 0xd655_5958, 0, 0x5655_5958, 0),
        KernelNumbers("AVUY8888", 0x5955_5641, 0, 0x4156_5559, 0),
        KernelNumbers("XVUY8888", 0x5955_5658, 0, 0x5856_5559, 0),
        KernelNumbers("NV12", 0x3231_564e, 0, 0x3231_564e, 0x3231_4d4e),
        KernelNumbers("NV21", 0x3132_564e, 0, 0x3132_564e, 0x3132_4d4e),
        KernelNumbers("NV16", 0x3631_564e, 0, 0x3631_564e, 0x3631_4d4e),
        KernelNumbers("NV61", 0x3136_564e, 0, 0x3136_564e, 0x3136_4d4e),
        KernelNumbers("NV24", 0x3432_564e, 0, 0x3432_564e, 0),
        KernelNumbers("NV42", 0x3234_564e, 0, 0x3234_564e, 0),
        KernelNumbers("YUV420", 0x3231_5559, 0, 0x3231_5559, 0x3231_4d59),
        KernelNumbers("YVU420", 0x3231_5659, 0, 0x3231_5659, 0x3132_4d59),
        KernelNumbers("YUV422", 0x3631_5559, 0, 0x5032_3234, 0x3631_4d59),
        KernelNumbers("YVU422", 0x3631_5659, 0, 0, 0x3136_4d59),
        KernelNumbers("YUV444", 0x3432_5559, 0, 0, 0x3432_4d59),
        KernelNumbers("YVU444", 0x3432_5659, 0, 0, 0x3234_4d59),
        KernelNumbers("MJPEG", 0x4750_4a4d, 0, 0x4750_4a4d, 0),
        KernelNumbers("SRGGB8", 0x4247_4752, 0, 0x4247_4752, 0),
        KernelNumbers("SGRBG8", 0x4742_5247, 0, 0x4742_5247, 0),
        KernelNumbers("SGBRG8", 0x4752_4247, 0, 0x4752_4247, 0),
        KernelNumbers("SBGGR8", 0x3138_4142, 0, 0x3138_4142, 0),
        KernelNumbers("SRGGB10", 0x3031_4752, 0, 0x3031_4752, 0),
        KernelNumbers("SGRBG10", 0x3031_4142, 0, 0x3031_4142, 0),
        KernelNumbers("SGBRG10", 0x3031_4247, 0, 0x3031_4247, 0),
        KernelNumbers("SBGGR10", 0x3031_4742, 0, 0x3031_4742, 0),
        KernelNumbers("SRGGB12", 0x3231_4752, 0, 0x3231_4752, 0),
        KernelNumbers("SGRBG12", 0x3231_4142, 0, 0x3231_4142, 0),
        KernelNumbers("SGBRG12", 0x3231_4247, 0, 0x3231_4247, 0),
        KernelNumbers("SBGGR12", 0x3231_4742, 0, 0x3231_4742, 0),
        KernelNumbers("SRGGB14", 0x3431_4752, 0, 0x3431_4752, 0),
        KernelNumbers("SGRBG14", 0x3431_4142, 0, 0x3431_5247, 0),
        KernelNumbers("SGBRG14", 0x3431_4247, 0, 0x3431_4247, 0),
        KernelNumbers("SBGGR14", 0x3431_4742, 0, 0x3431_4742, 0),
        KernelNumbers("SRGGB16", 0x3642_4752, 0, 0x3631_4752, 0),
        KernelNumbers("SGRBG16", 0x3631_5247, 0, 0x3631_5247, 0),
        KernelNumbers("SGBRG16", 0x3631_4247, 0, 0x3631_4247, 0),
        KernelNumbers("SBGGR16", 0x3252_5942, 0, 0x3252_5942, 0),
        KernelNumbers("R10_CSI2P", 0x2030_3152, 0x0b00_0000_0000_0001, 0x5030_3159, 0),
        KernelNumbers("R12_CSI2P", 0x2032_3152, 0x0b00_0000_0000_0001, 0x5032_3159, 0),
        KernelNumbers("SRGGB10_CSI2P", 0x3031_4752, 0x0b00_0000_0000_0001, 0x4141_5270, 0),
        KernelNumbers("SGRBG10_CSI2P", 0x3031_4142, 0x0b00_0000_0000_0001, 0x4141_6770, 0),
        KernelNumbers("SGBRG10_CSI2P", 0x3031_4247, 0x0b00_0000_0000_0001, 0x4141_4770, 0),
        KernelNumbers("SBGGR10_CSI2P", 0x3031_4742, 0x0b00_0000_0000_0001, 0x4141_4270, 0),
        KernelNumbers("SRGGB12_CSI2P", 0x3231_4752, 0x0b00_0000_0000_0001, 0x4343_5270, 0),
        KernelNumbers("SGRBG12_CSI2P", 0x3231_4142, 0x0b00_0000_0000_0001, 0x4343_6770, 0),
        KernelNumbers("SGBRG12_CSI2P", 0x3231_4247, 0x0b00_0000_0000_0001, 0x4343_4770, 0),
        KernelNumbers("SBGGR12_CSI2P", 0x3231_4742, 0x0b00_0000_0000_0001, 0x4343_4270, 0),
        KernelNumbers("SRGGB14_CSI2P", 0x3431_4752, 0x0b00_0000_0000_0001, 0x4545_5270, 0),
        KernelNumbers("SGRBG14_CSI2P", 0x3431_4142, 0x0b00_0000_0000_0001, 0x4545_6770, 0),
        KernelNumbers("SGBRG14_CSI2P", 0x3431_4247, 0x0b00_0000_0000_0001, 0x4545_4770, 0),
        KernelNumbers("SBGGR14_CSI2P", 0x3431_4742, 0x0b00_0000_0000_0001, 0x4545_4270, 0),
        KernelNumbers("RGGB_PISP_COMP1", 0x3642_4752, 0x0c00_0000_0000_0001, 0x5231_4350, 0),
        KernelNumbers("GRBG_PISP_COMP1", 0x3631_5247, 0x0c00_0000_0000_0001, 0x4731_4350, 0),
        KernelNumbers("GBRG_PISP_COMP1", 0x3631_4247, 0x0c00_0000_0000_0001, 0x6731_4350, 0),
        KernelNumbers("BGGR_PISP_COMP1", 0x3252_5942, 0x0c00_0000_0000_0001, 0x4231_4350, 0),
        KernelNumbers("MONO_PISP_COMP1", 0x2036_3152, 0x0c00_0000_0000_0001, 0x4d31_4350, 0),
        KernelNumbers("H264", 0x3436_3248, 0, 0x3436_3248, 0),
        KernelNumbers("HEVC", 0x4356_4548, 0, 0x4356_4548, 0),
        KernelNumbers("FWHT", 0x5448_5746, 0, 0x5448_5746, 0),
    ]
}
