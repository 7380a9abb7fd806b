/// Where the parts of the pattern lie in an image of a given size.
///
/// Everything starts and ends on multiples of two pixels, whatever moves or changes on multiples of eight, so that no
/// part shares a chroma sample, a Bayer cell or a packed group with its neighbour.
struct PatternGeometry: Hashable, Sendable {
    /// The smallest image that can be painted, in either direction: there the number fills all of it.
    static let smallestSide = 16

    let width: Int
    let height: Int

    /// Pixels along one side of a cell of the number: 2 (images below 64 pixels) to 32.
    let cell: Int
    /// First row of the band in which the box moves; `height` when the image is too low to have one.
    let bandTop: Int
    /// Width of the moving box in pixels.
    let boxWidth: Int
    /// How many places the box can take, eight pixels apart.
    private let boxPlaces: Int

    init(width: Int, height: Int) {
        self.width = width
        self.height = height
        let room = min(width, height) / 16
        cell =
            switch room {
            case 8...: min(room & ~7, 32)
            case 4...: 4
            default: 2
            }
        let bandHeight = max(2, min(height / 8, 64))
        let top = (height - bandHeight) & ~1
        bandTop = top >= FrameNumberCode.cellsPerSide * cell ? top : height
        boxWidth = max(8, width / 8 & ~7)
        boxPlaces = max(1, (width - boxWidth) / 8 + 1)
    }

    /// Side of the square that the number takes at the top left, in pixels.
    var numberSide: Int { FrameNumberCode.cellsPerSide * cell }

    /// Left edge of the moving box in a frame: it goes right by eight pixels a frame and starts again at the left.
    func boxLeft(frame: UInt64) -> Int {
        8 * Int(frame % UInt64(boxPlaces))
    }

    /// The bar that a column belongs to, 0...7 from the left.
    func bar(column: Int) -> Int {
        min(7, (column & ~1) * 8 / max(width, 1))
    }

    /// The part of a cell that a reader looks at: its middle, where scaling and compression change least.
    func sample(row: Int, column: Int) -> (x: Range<Int>, y: Range<Int>) {
        let margin = cell == 2 ? 0 : cell / 4
        let left = column * cell + margin
        let top = row * cell + margin
        return (left..<left + cell - 2 * margin, top..<top + cell - 2 * margin)
    }
}
