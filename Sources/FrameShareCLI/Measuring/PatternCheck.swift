import FrameShare
import FrameSources
import Glibc

/// Paints the test pattern's frames anew, to compare a subscriber's images with, byte by byte.
final class PatternCheck {
    private let painter: PatternPainter
    private let buffers: [UnsafeMutableRawBufferPointer]
    private var isPainted = false

    /// nil for layouts that the pattern can't be painted in, and for compressed ones, whose bytes are no pixels.
    init?(_ layout: ImageLayout) {
        guard !layout.format.isCompressed, let painter = try? PatternPainter(layout: layout) else { return nil }
        self.painter = painter
        buffers = (0..<layout.bufferCount).map { .allocate(byteCount: layout.bufferSize($0), alignment: 64) }
    }

    deinit {
        for buffer in buffers { buffer.deallocate() }
    }

    var layout: ImageLayout { painter.layout }

    /// Whether every pixel is that of frame `number`. Padding at the ends of rows belongs to nobody.
    func matches(_ image: Image, number: UInt64) -> Bool {
        guard paint(number) else { return false }
        return layout.planes.enumerated().allSatisfy { index, plane in
            guard let rowBytes = layout.rowBytes(plane: index), let rows = layout.rows(plane: index) else {
                return false
            }
            let expected = buffers[plane.buffer].baseAddress.map { $0 + plane.offset }
            return image.plane(index).withUnsafeBytes { found in
                guard let expected, let found = found.baseAddress, plane.size >= plane.stride * (rows - 1) + rowBytes
                else { return false }
                return (0..<rows).allSatisfy { row in
                    memcmp(expected + row * plane.stride, found + row * plane.stride, rowBytes) == 0
                }
            }
        }
    }

    private func paint(_ number: UInt64) -> Bool {
        do throws(PatternError) {
            for (index, buffer) in buffers.enumerated() {
                if isPainted {
                    try painter.paintChanges(frame: number, into: buffer, buffer: index)
                } else {
                    try painter.paint(frame: number, into: buffer, buffer: index)
                }
            }
            isPainted = true
            return true
        } catch {
            return false
        }
    }
}
