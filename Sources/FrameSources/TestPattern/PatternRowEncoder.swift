import PixelFormats

/// Turns pixels of a row into the bytes of one plane.
struct PatternRowEncoder {
    private let plane: PlaneInfo
    private let storage: SampleStorage
    private let model: ColorModel
    private let colors: PatternColorCoding

    /// `nil` where the plane's bytes are no samples.
    init?(_ format: PixelFormat, plane: PlaneInfo, colors: PatternColorCoding) {
        guard let info = format.info, let storage = SampleStorage(format, info, plane) else {
            return nil
        }
        self.plane = plane
        self.storage = storage
        self.colors = colors
        model = info.colorModel
    }

    /// Whether even and odd rows have different samples.
    private var alternates: Bool {
        if case .bayer = model { true } else { false }
    }

    /// The bytes of `width` pixels; a last group that is not full repeats the last pixel.
    func piece(width: Int, _ color: (Int) -> PatternColor) -> PatternPiece {
        let pixels = (0..<width).map(color)
        return PatternPiece(even: bytes(pixels, oddRow: false), odd: alternates ? bytes(pixels, oddRow: true) : [])
    }

    private func bytes(_ pixels: [PatternColor], oddRow: Bool) -> [UInt8] {
        var result: [UInt8] = []
        let groupWidth = plane.pixelsPerGroup * plane.horizontalSubsampling
        for start in stride(from: 0, to: pixels.count, by: groupWidth) {
            var x = start
            let values = plane.components.map { component in
                switch component {
                case .y, .raw:
                    defer { x += plane.horizontalSubsampling }
                    let color = pixels[min(x, pixels.count - 1)]
                    return colors.value(sample(component, x: x, oddRow: oddRow), of: color, grey: model == .grey)
                default:
                    return colors.value(component, of: pixels[start], grey: false)
                }
            }
            append(values, to: &result)
        }
        return result
    }

    /// What a raw sample is by its place.
    private func sample(_ component: Component, x: Int, oddRow: Bool) -> Component {
        guard case .bayer(let order) = model else {
            return component
        }
        let mosaic: [Component] =
            switch order {
            case .bggr: [.b, .g, .g, .r]
            case .gbrg: [.g, .b, .r, .g]
            case .grbg: [.g, .r, .b, .g]
            case .rggb: [.r, .g, .g, .b]
            }
        return mosaic[(oddRow ? 2 : 0) + (x & 1)]
    }

    private func append(_ values: [Int], to result: inout [UInt8]) {
        switch storage {
        case .bytes:
            result.append(contentsOf: values.map { UInt8($0) })
        case .words(let bits):
            for value in values {
                let word = Self.scale(value, bits: bits)
                result.append(UInt8(word & 0xFF))
                result.append(UInt8(word >> 8))
            }
        case .csi2(let bits):
            let words = values.map { Self.scale($0, bits: bits) }
            let lowBits = bits - 8
            result.append(contentsOf: words.map { UInt8($0 >> lowBits) })
            var low = 0
            for (index, word) in words.enumerated() {
                low |= (word & (1 << lowBits - 1)) << (index * lowBits)
            }
            for byte in 0..<words.count * lowBits / 8 {
                result.append(UInt8(low >> (8 * byte) & 0xFF))
            }
        case .rgb565(let bigEndian):
            let word =
                Self.scale(values[2], bits: 5) << 11 | Self.scale(values[1], bits: 6) << 5
                | Self.scale(values[0], bits: 5)
            result.append(UInt8(bigEndian ? word >> 8 : word & 0xFF))
            result.append(UInt8(bigEndian ? word & 0xFF : word >> 8))
        }
    }

    /// An 8-bit value at another depth, black and white kept.
    private static func scale(_ value: Int, bits: Int) -> Int {
        (value * (1 << bits - 1) + 127) / 255
    }
}
