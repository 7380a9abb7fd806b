import FrameSinks
import FrameSources
import PixelFormats

/// An image in one array of bytes.
struct PatternImage {
    var layout: ImageLayout
    var bytes: [UInt8]

    /// A frame of the test pattern. Padding behind the rows is filled with a byte that must never come out.
    init(
        _ format: PixelFormat,
        _ width: Int = 320,
        _ height: Int = 240,
        colorSpace: ColorSpace = .unknown,
        strideAlignment: Int = 1,
        frame: UInt64 = 0x1234_5678_9ABC
    ) throws {
        layout = try .computed(
            width: width,
            height: height,
            format: format,
            strideAlignment: strideAlignment,
            colorSpace: colorSpace
        )
        bytes = [UInt8](repeating: 0xA5, count: layout.bufferSize(0))
        let painter = try PatternPainter(layout: layout)
        _ = try bytes.withUnsafeMutableBytes { try painter.paint(frame: frame, into: $0) }
    }

    init(layout: ImageLayout, bytes: [UInt8]) {
        self.layout = layout
        self.bytes = bytes
    }

    /// The rows of all planes without padding.
    var tight: [UInt8] {
        var result: [UInt8] = []
        for (index, plane) in layout.planes.enumerated() {
            for row in 0..<(layout.rows(plane: index) ?? 0) {
                let start = plane.offset + row * plane.stride
                result += bytes[start..<start + (layout.rowBytes(plane: index) ?? 0)]
            }
        }
        return result
    }

    func snapshot(_ snapshot: Snapshot, bytesUsed: Int? = nil) throws -> [UInt8] {
        try snapshot.encode(layout, bytes.span.bytes, bytesUsed: bytesUsed)
    }
}

/// Pixels of red, green and blue.
struct RGBPicture {
    let width: Int
    let height: Int
    let bytes: [UInt8]

    subscript(x: Int, y: Int) -> [Int] {
        let start = 3 * (y * width + x)
        return bytes[start..<start + 3].map(Int.init)
    }

    /// The middle of each of the pattern's bars, above the moving box and below the number.
    var bars: [[Int]] {
        (0..<8).map { self[width * (2 * $0 + 1) / 16, height * 2 / 3] }
    }

    /// The number drawn in it.
    var number: UInt64? {
        get throws {
            let layout = try ImageLayout.computed(width: width, height: height, format: .bgr888)
            return bytes.withUnsafeBytes { PatternReader.frameNumber(in: layout, $0) }
        }
    }

    static let bars: [[Int]] = [
        [191, 191, 191], [191, 191, 0], [0, 191, 191], [0, 191, 0], [191, 0, 191], [191, 0, 0], [0, 0, 191], [0, 0, 0],
    ]

    /// The largest difference of any component of the bars from what they should be.
    func barError(_ expected: [[Int]] = bars) -> Int {
        zip(bars.joined(), expected.joined()).map { abs($0 - $1) }.max() ?? .max
    }
}
