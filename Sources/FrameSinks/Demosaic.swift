import PixelFormats

/// Bilinear colour interpolation of a Bayer mosaic: each missing colour is the mean of its nearest neighbours.
///
/// A look at a raw image, no more: black level, white balance, lens shading and gamma are left as the sensor gave them.
struct Demosaic {
    private enum Color {
        case red, green, blue
    }

    private let mosaic: [Color]
    private let width: Int

    init(_ order: BayerOrder, width: Int) {
        mosaic =
            switch order {
            case .bggr: [.blue, .green, .green, .red]
            case .gbrg: [.green, .blue, .red, .green]
            case .grbg: [.green, .red, .blue, .green]
            case .rggb: [.red, .green, .green, .blue]
            }
        self.width = width
    }

    /// Red, green and blue of one row, from its samples and those of the rows above and below. At the image's upper and
    /// lower edge the row on the other side stands in for the missing one, as it has the same colours.
    func colors(
        y: Int,
        above: UnsafePointer<UInt16>,
        row: UnsafePointer<UInt16>,
        below: UnsafePointer<UInt16>,
        to target: UnsafeMutablePointer<UInt16>
    ) {
        for x in 0..<width {
            let left = x > 0 ? x - 1 : min(1, width - 1)
            let right = x < width - 1 ? x + 1 : max(0, width - 2)
            let own = Int(row[x])
            let beside = (Int(row[left]) + Int(row[right])) / 2
            let upright = (Int(above[x]) + Int(below[x])) / 2
            let color: (red: Int, green: Int, blue: Int)
            switch mosaicColor(x, y) {
            case .green:
                let redBeside = mosaicColor(x + 1, y) == .red
                color = redBeside ? (beside, own, upright) : (upright, own, beside)
            case let primary:
                let green = (beside + upright) / 2
                let across = (Int(above[left]) + Int(above[right]) + Int(below[left]) + Int(below[right])) / 4
                color = primary == .red ? (own, green, across) : (across, green, own)
            }
            target[3 * x] = UInt16(color.red)
            target[3 * x + 1] = UInt16(color.green)
            target[3 * x + 2] = UInt16(color.blue)
        }
    }

    private func mosaicColor(_ x: Int, _ y: Int) -> Color {
        mosaic[(y & 1) * 2 + (x & 1)]
    }
}
