/// The colours of a sensor's 2x2 filter pattern, first row first. It changes when the sensor flips its image.
public enum BayerOrder: UInt8, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    /// Blue, green; green, red.
    case bggr = 0
    /// Green, blue; red, green.
    case gbrg = 1
    /// Green, red; blue, green.
    case grbg = 2
    /// Red, green; green, blue.
    case rggb = 3

    /// "BGGR", "GBRG", "GRBG" or "RGGB".
    public var description: String {
        switch self {
        case .bggr: "BGGR"
        case .gbrg: "GBRG"
        case .grbg: "GRBG"
        case .rggb: "RGGB"
        }
    }
}

/// How a sensor's samples lie in memory.
public enum RawPacking: UInt8, Hashable, Sendable, CaseIterable {
    /// A byte, or a 16-bit word in the machine's (little-endian) order with the sample in its low bits.
    case none = 0
    /// MIPI CSI-2: the high bytes of a few pixels, then their low bits together (10 bits: 4 pixels in 5 bytes).
    case csi2 = 1
    /// Raspberry Pi 5's compression mode 1: 8 pixels of a row in 8 bytes, which decode to 16-bit samples.
    case pispComp1 = 2
}

/// The codes of raw Bayer formats. DRM's are the V4L2 ones, as libcamera took them over, except for two that DRM had
/// given away: `RG16` (RGB565) and 14-bit GRBG.
enum BayerCodes {
    static func drm(_ order: BayerOrder, bits: Int) -> FourCC {
        switch (order, bits) {
        case (.rggb, 16): FourCC(code: "RGB6")
        case (.grbg, 14): FourCC(code: "BA14")
        default: v4l2(order, bits: bits)
        }
    }

    /// The unpacked format of 8, 10, 12, 14 or 16 bits.
    static func v4l2(_ order: BayerOrder, bits: Int) -> FourCC {
        let codes: (bggr: StaticString, gbrg: StaticString, grbg: StaticString, rggb: StaticString) =
            switch bits {
            case 8: ("BA81", "GBRG", "GRBG", "RGGB")
            case 10: ("BG10", "GB10", "BA10", "RG10")
            case 12: ("BG12", "GB12", "BA12", "RG12")
            case 14: ("BG14", "GB14", "GR14", "RG14")
            default: ("BYR2", "GB16", "GR16", "RG16")
            }
        return choose(order, codes)
    }

    /// The CSI-2 packed format of 10, 12 or 14 bits.
    static func v4l2Packed(_ order: BayerOrder, bits: Int) -> FourCC {
        let codes: (bggr: StaticString, gbrg: StaticString, grbg: StaticString, rggb: StaticString) =
            switch bits {
            case 10: ("pBAA", "pGAA", "pgAA", "pRAA")
            case 12: ("pBCC", "pGCC", "pgCC", "pRCC")
            default: ("pBEE", "pGEE", "pgEE", "pREE")
            }
        return choose(order, codes)
    }

    /// The PiSP compressed format.
    static func v4l2PispComp1(_ order: BayerOrder) -> FourCC {
        choose(order, ("PC1B", "PC1g", "PC1G", "PC1R"))
    }

    private static func choose(
        _ order: BayerOrder,
        _ codes: (bggr: StaticString, gbrg: StaticString, grbg: StaticString, rggb: StaticString)
    ) -> FourCC {
        switch order {
        case .bggr: FourCC(code: codes.bggr)
        case .gbrg: FourCC(code: codes.gbrg)
        case .grbg: FourCC(code: codes.grbg)
        case .rggb: FourCC(code: codes.rggb)
        }
    }
}
