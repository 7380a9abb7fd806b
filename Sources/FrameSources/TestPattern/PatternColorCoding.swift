import PixelFormats

/// How colours become sample values in one colour space.
struct PatternColorCoding: Sendable {
    private let redWeight: Double
    private let blueWeight: Double
    private let fullRange: Bool

    /// Where the space says nothing of YUV, it is BT.601 in limited range, as most cameras give it.
    init(_ space: ColorSpace) {
        (redWeight, blueWeight) =
            switch space.encoding {
            case .rec709: (0.2126, 0.0722)
            case .rec2020: (0.2627, 0.0593)
            default: (0.299, 0.114)
            }
        fullRange = space.range == .full
    }

    /// The 8-bit value of a component. `grey` says that luma is brightness, whatever the range of YUV.
    func value(_ component: Component, of color: PatternColor, grey: Bool) -> Int {
        let rgb = color.rgb
        let brightness =
            redWeight * Double(rgb.red) + (1 - redWeight - blueWeight) * Double(rgb.green)
            + blueWeight * Double(rgb.blue)
        switch component {
        case .r: return rgb.red
        case .g: return rgb.green
        case .b: return rgb.blue
        case .a, .x: return 255
        case .u: return chroma((Double(rgb.blue) - brightness) / (2 * (1 - blueWeight)))
        case .v: return chroma((Double(rgb.red) - brightness) / (2 * (1 - redWeight)))
        case .y, .raw: return Int((fullRange || grey ? brightness : 16 + brightness * 219 / 255).rounded())
        }
    }

    private func chroma(_ difference: Double) -> Int {
        let value = 128 + (fullRange ? difference : difference * 224 / 255)
        return min(255, max(0, Int(value.rounded())))
    }
}
