import PixelFormats

/// One plane of the pattern, its few different pieces already in the plane's own bytes: painting only copies them.
///
/// A Bayer mosaic alternates between two kinds of rows, so there each piece is there twice, for even and odd rows.
struct PatternTemplates: Sendable {
    let rows: Int
    let rowHeight: Int
    /// Bytes of a row of pixels, without the stride's padding.
    let rowBytes: Int
    /// A whole row of bars, and one of the band's ground.
    private let bars: PatternPiece
    private let ground: PatternPiece
    /// The moving box.
    private let box: PatternPiece
    /// Four cells of the number, for each of the 16 values that they can have.
    private let nibbles: [PatternPiece]
    private let eightPixels: Int
    private let geometry: PatternGeometry

    /// `nil` where the plane's bytes are no samples.
    init?(_ format: PixelFormat, plane: PlaneInfo, colors: PatternColorCoding, geometry: PatternGeometry) {
        guard let encoder = PatternRowEncoder(format, plane: plane, colors: colors),
            let rows = plane.rows(height: geometry.height), let rowBytes = plane.rowBytes(width: geometry.width),
            let eightPixels = plane.rowBytes(width: 8)
        else {
            return nil
        }
        self.geometry = geometry
        self.rows = rows
        self.rowBytes = rowBytes
        self.eightPixels = eightPixels
        rowHeight = plane.verticalSubsampling
        bars = encoder.piece(width: geometry.width) { PatternColor.bars[geometry.bar(column: $0)] }
        ground = encoder.piece(width: geometry.width) { _ in .ground }
        box = encoder.piece(width: geometry.boxWidth) { $0 * 2 < geometry.boxWidth & ~3 ? .tail : .white }
        nibbles = (0..<16).map { nibble in
            encoder.piece(width: 4 * geometry.cell) { nibble >> (3 - $0 / geometry.cell) & 1 == 1 ? .white : .black }
        }
    }

    /// Copies all of the background, the parts of it that ``paintNumber(_:base:stride:)`` and
    /// ``paintBox(frame:base:stride:)`` draw included.
    func paintBackground(base: UnsafeMutableRawPointer, stride: Int) {
        for row in 0..<rows {
            let piece = row * rowHeight < geometry.bandTop ? bars : ground
            piece.copy(row: row, to: base + row * stride)
        }
    }

    /// Draws the cells of a frame's number.
    func paintNumber(_ cells: UInt64, base: UnsafeMutableRawPointer, stride: Int) {
        let nibbleBytes = geometry.cell / 2 * eightPixels
        for row in 0..<(geometry.numberSide + rowHeight - 1) / rowHeight {
            let cellRow = row * rowHeight / geometry.cell
            let byte = Int(truncatingIfNeeded: cells >> UInt64(56 - 8 * cellRow)) & 0xFF
            nibbles[byte >> 4].copy(row: row, to: base + row * stride)
            nibbles[byte & 15].copy(row: row, to: base + row * stride + nibbleBytes)
        }
    }

    /// Draws the band anew, with the box at a frame's place.
    func paintBox(frame: UInt64, base: UnsafeMutableRawPointer, stride: Int) {
        let left = geometry.boxLeft(frame: frame) / 8 * eightPixels
        for row in (geometry.bandTop + rowHeight - 1) / rowHeight..<rows {
            ground.copy(row: row, to: base + row * stride)
            box.copy(row: row, to: base + row * stride + left)
        }
    }
}

/// A stretch of a row in a plane's bytes, for each kind of row.
struct PatternPiece: Sendable {
    let even: [UInt8]
    /// Empty where all rows are of one kind.
    let odd: [UInt8]

    func copy(row: Int, to target: UnsafeMutableRawPointer) {
        (row & 1 == 1 && !odd.isEmpty ? odd : even).withUnsafeBytes {
            if let start = $0.baseAddress {
                target.copyMemory(from: start, byteCount: $0.count)
            }
        }
    }
}
