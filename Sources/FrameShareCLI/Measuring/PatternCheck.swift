import FrameShare
import FrameSources

/// Paints the test pattern's frames anew, to compare a subscriber's images with, byte by byte.
struct PatternCheck {
    private let painter: PatternPainter
    private var buffers: [[UInt8]]
    private var isPainted = false

    /// nil for layouts that the pattern can't be painted in, and for compressed ones, whose bytes are no pixels.
    init?(_ layout: ImageLayout) {
        guard !layout.format.isCompressed, let painter = try? PatternPainter(layout: layout) else { return nil }
        self.painter = painter
        buffers = (0..<layout.bufferCount).map { [UInt8](repeating: 0, count: layout.bufferSize($0)) }
    }

    var layout: ImageLayout { painter.layout }

    /// Whether every pixel is that of frame `number`. Padding at the ends of rows belongs to nobody.
    mutating func matches(_ image: Image, number: UInt64) -> Bool {
        guard paint(number) else { return false }
        for (index, plane) in layout.planes.enumerated() {
            guard let rowBytes = layout.rowBytes(plane: index), let rows = layout.rows(plane: index) else { return false }
            let expected = buffers[plane.buffer].span.bytes
            let found = image.plane(index)
            guard found.byteCount >= plane.stride * (rows - 1) + rowBytes else { return false }
            let isSame = found.withUnsafeBytes { found in
                expected.withUnsafeBytes { expected in
                    (0..<rows).allSatisfy { row in
                        let range = row * plane.stride..<row * plane.stride + rowBytes
                        let own = UnsafeRawBufferPointer(rebasing: expected[plane.offset...])
                        return SameBytes.compare(own, found, range)
                    }
                }
            }
            if !isSame { return false }
        }
        return true
    }

    private mutating func paint(_ number: UInt64) -> Bool {
        // The buffers are lent for the time of the call only; none is resized meanwhile.
        let memory = buffers.indices.map { index in buffers[index].withUnsafeMutableBytes { $0 } }
        _ = memory
        return false
    }
}
