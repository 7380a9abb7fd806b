internal import Glibc

/// How a picture has to be turned to stand upright: one of the eight ways that keep its pixels.
struct PictureOrientation: Hashable, Sendable {
    /// Rows become columns.
    var isTransposed = false
    /// The columns of the original come from the right to the left.
    var mirrorsX = false
    /// The rows of the original come from the bottom to the top.
    var mirrorsY = false

    static let upright = PictureOrientation()

    /// By a container's display matrix (libavutil/display.h): a point (p, q) of the original comes to
    /// (a p + c q, b p + d q). Nil for what is no turn by right angles.
    init?(displayMatrix matrix: [Int32]) {
        guard matrix.count == 9 else { return nil }
        let (a, b, c, d) = (matrix[0], matrix[1], matrix[3], matrix[4])
        if b == 0, c == 0, a != 0, d != 0 {
            self.init(isTransposed: false, mirrorsX: a < 0, mirrorsY: d < 0)
        } else if a == 0, d == 0, b != 0, c != 0 {
            self.init(isTransposed: true, mirrorsX: b < 0, mirrorsY: c < 0)
        } else {
            return nil
        }
    }

    init(isTransposed: Bool = false, mirrorsX: Bool = false, mirrorsY: Bool = false) {
        (self.isTransposed, self.mirrorsX, self.mirrorsY) = (isTransposed, mirrorsX, mirrorsY)
    }

    /// What is done, for people.
    var words: String {
        switch (isTransposed, mirrorsX, mirrorsY) {
        case (false, false, false): "not turned"
        case (false, true, true): "turned by 180 degrees"
        case (false, true, false): "mirrored left to right"
        case (false, false, true): "mirrored top to bottom"
        case (true, false, true): "turned by 90 degrees clockwise"
        case (true, true, false): "turned by 90 degrees counter-clockwise"
        case (true, false, false): "mirrored, and turned by 90 degrees"
        case (true, true, true): "mirrored, and turned by 90 degrees the other way"
        }
    }

    /// A plane of an original: `rows` rows, `stride` bytes apart, of `columns` elements of `size` bytes.
    struct Plane {
        /// At the first row's first element. The stride may be negative.
        var start: UnsafeRawPointer
        var stride: Int
        var columns: Int
        var rows: Int
        var size: Int
    }

    /// Copies a plane so that it stands upright.
    ///
    /// Invariant: each row of `plane` can be read, and `room` has as many rows of `stride` bytes as the upright plane.
    func copy(_ plane: Plane, to room: UnsafeMutableRawPointer, stride: Int) {
        let start =
            plane.start + (mirrorsX ? (plane.columns - 1) * plane.size : 0)
            + (mirrorsY ? (plane.rows - 1) * plane.stride : 0)
        let (along, down) = (mirrorsX ? -plane.size : plane.size, mirrorsY ? -plane.stride : plane.stride)
        let steps = isTransposed ? (column: down, row: along) : (column: along, row: down)
        let (columns, rows) = isTransposed ? (plane.rows, plane.columns) : (plane.columns, plane.rows)
        // In squares, so that rows of the original stay in the cache while they become columns.
        let side = isTransposed ? 64 : max(1, columns)
        for top in Swift.stride(from: 0, to: rows, by: 64) {
            for left in Swift.stride(from: 0, to: columns, by: side) {
                for row in top..<min(top + 64, rows) {
                    Self.copy(
                        min(side, columns - left),
                        of: plane.size,
                        from: start + row * steps.row + left * steps.column,
                        step: steps.column,
                        to: room + row * stride + left * plane.size
                    )
                }
            }
        }
    }

    private static func copy(
        _ count: Int,
        of size: Int,
        from: UnsafeRawPointer,
        step: Int,
        to: UnsafeMutableRawPointer
    ) {
        switch size {
        case _ where step == size: memcpy(to, from, count * size)
        case 1: copy(count, as: UInt8.self, from: from, step: step, to: to)
        case 2: copy(count, as: UInt16.self, from: from, step: step, to: to)
        case 4: copy(count, as: UInt32.self, from: from, step: step, to: to)
        default: for index in 0..<count { memcpy(to + index * size, from + index * step, size) }
        }
    }

    @inline(__always)
    private static func copy<Element: BitwiseCopyable>(
        _ count: Int,
        as type: Element.Type,
        from: UnsafeRawPointer,
        step: Int,
        to: UnsafeMutableRawPointer
    ) {
        for index in 0..<count {
            let element = (from + index * step).loadUnaligned(as: type)
            (to + index * MemoryLayout<Element>.size).storeBytes(of: element, as: type)
        }
    }
}
