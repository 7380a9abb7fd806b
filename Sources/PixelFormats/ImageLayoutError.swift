/// Why an image layout can't be used.
public enum ImageLayoutError: Error, Hashable, Sendable {
    /// Width and height, in pixels, must each be 1 to ``ImageLayout/largestSide``.
    case sizeOutOfRange(width: Int, height: Int)
    /// The format needs another number of planes; `needed` is nil where it isn't known, and 1 to 4 will do.
    case wrongPlaneCount(PixelFormat, found: Int, needed: Int?)
    /// A plane's offset, stride or size, in bytes, is below 0, or its end doesn't fit a number.
    case planeOutOfRange(plane: Int, PlaneLayout)
    /// A row of `rowBytes` bytes of pixels doesn't fit the stride.
    case strideTooSmall(plane: Int, stride: Int, rowBytes: Int)
    /// The rows of the plane, each of one stride, need more bytes than its size.
    case planeTooSmall(plane: Int, size: Int, needed: Int)
    /// The planes' buffer indices aren't 0, 1, … without a gap.
    case bufferIndices([Int])
    /// The buffer is smaller than the planes in it.
    case bufferTooSmall(buffer: Int, size: Int, needed: Int)
    /// A layout for this format can't be computed: it is compressed or unknown.
    case noGeometry(PixelFormat)
    /// A stride alignment must be 1 to ``ImageLayout/largestSide`` bytes.
    case alignmentOutOfRange(Int)
    /// The strides of the further planes don't follow from `bytesPerLine`, which isn't a multiple of `divisor`.
    case strideNotDivisible(bytesPerLine: Int, by: Int)
}

extension ImageLayoutError: CustomStringConvertible {
    /// What is wrong, with the numbers, for the one who made the layout.
    public var description: String {
        switch self {
        case .sizeOutOfRange(let width, let height):
            "image size \(width)x\(height) is out of range: each side must be 1 to \(ImageLayout.largestSide) pixels"
        case .wrongPlaneCount(let format, let found, let needed?):
            "\(format) needs \(needed) plane\(needed == 1 ? "" : "s"), the layout has \(found)"
        case .wrongPlaneCount(let format, let found, nil):
            "an image of unknown format (\(format)) has 1 to \(ImageLayout.mostPlanes) planes, the layout has \(found)"
        case .planeOutOfRange(let plane, let layout):
            "plane \(plane) is impossible: offset \(layout.offset), stride \(layout.stride), size \(layout.size) bytes"
        case .strideTooSmall(let plane, let stride, let rowBytes):
            "plane \(plane) has a stride of \(stride) bytes, a row of its pixels needs \(rowBytes)"
        case .planeTooSmall(let plane, let size, let needed):
            "plane \(plane) has \(size) bytes, its rows need \(needed)"
        case .bufferIndices(let indices):
            "the planes' buffer indices \(indices) must count up from 0 without a gap"
        case .bufferTooSmall(let buffer, let size, let needed):
            "buffer \(buffer) has \(size) bytes, its planes need \(needed)"
        case .noGeometry(let format):
            "\(format) is compressed or unknown, its layout can't be computed: give the most bytes a frame can have"
        case .alignmentOutOfRange(let alignment):
            "stride alignment \(alignment) is out of range: it must be 1 to \(ImageLayout.largestSide) bytes"
        case .strideNotDivisible(let bytesPerLine, let divisor):
            "\(bytesPerLine) bytes per line must be a multiple of \(divisor): other planes' strides are derived from it"
        }
    }
}
