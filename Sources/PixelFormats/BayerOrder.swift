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
