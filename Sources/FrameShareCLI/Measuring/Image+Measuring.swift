import FrameShare
import FrameSources

extension Image {
    /// Bytes that hold data, over all planes.
    var usedByteCount: Int { layout.planes.indices.reduce(0) { $0 + bytesUsed(plane: $1) } }

    var checksum: UInt64 {
        var sum = PixelChecksum()
        for index in layout.planes.indices {
            plane(index).extracting(first: bytesUsed(plane: index)).withUnsafeBytes { sum.add($0) }
        }
        return sum.value
    }

    /// The number drawn by the test pattern; nil: none can be read.
    var patternNumber: UInt64? { PatternReader.frameNumber(in: layout, bytes) }
}
