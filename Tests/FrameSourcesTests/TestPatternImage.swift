import FrameSources
import PixelFormats

/// An image in memory of its own, all its buffers filled with a byte that no test paints by chance.
struct TestPatternImage {
    static let filler: UInt8 = 0xA5

    let layout: ImageLayout
    var buffers: [[UInt8]]

    init(_ layout: ImageLayout) {
        self.layout = layout
        buffers = (0..<layout.bufferCount).map { [UInt8](repeating: Self.filler, count: layout.bufferSize($0)) }
    }

    mutating func paint(_ painter: PatternPainter, frame: UInt64, changesOnly: Bool = false) throws {
        for index in buffers.indices {
            try buffers[index].withUnsafeMutableBytes { bytes in
                if changesOnly {
                    _ = try painter.paintChanges(frame: frame, into: bytes, buffer: index)
                } else {
                    _ = try painter.paint(frame: frame, into: bytes, buffer: index)
                }
            }
        }
    }

    var number: UInt64? {
        Self.number(in: layout, buffers[0][...])
    }

    static func number(in layout: ImageLayout, _ bytes: ArraySlice<UInt8>) -> UInt64? {
        bytes.withUnsafeBytes { PatternReader.frameNumber(in: layout, $0) }
    }

    /// A byte of a row of a plane.
    func byte(plane: Int, row: Int, _ offset: Int) -> UInt8 {
        let place = layout.planes[plane]
        return buffers[place.buffer][place.offset + row * place.stride + offset]
    }

    func bytes(plane: Int, row: Int, _ offset: Int, count: Int) -> [UInt8] {
        (offset..<offset + count).map { byte(plane: plane, row: row, $0) }
    }
}

extension PatternPainter {
    /// A painted frame in memory of its own.
    func image(frame: UInt64) throws -> TestPatternImage {
        var image = TestPatternImage(layout)
        try image.paint(self, frame: frame)
        return image
    }
}
