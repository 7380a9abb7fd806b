public import FrameShare
public import PixelFormats

/// Why the pattern can't be painted or published.
public enum PatternError: Error, Equatable, Sendable {
    /// No pixels of this format can be made here.
    case unsupportedFormat(PixelFormat)
    /// MJPEG, in a build without libjpeg-turbo.
    case needsJPEGCompressor
    /// Below 16x16 the pattern has no room.
    case tooSmall(width: Int, height: Int)
    /// The layout contradicts itself.
    case layout(ImageLayoutError)
    /// Memory that ends before the plane does, or for MJPEG before the JPEG image.
    case tooFewBytes(plane: Int, needed: Int, given: Int)
    /// libjpeg-turbo refused, in its own words.
    case compressor(String)
    /// A rate that is negative or no number.
    case badRate(Double)
    /// The CPU can't write to the memory of a stream's image.
    case notWritable(stream: String)
    /// The channel can't be published to any more.
    case channel(ChannelError)
}

extension PatternError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unsupportedFormat(let format):
            """
            the test pattern can't be painted as \(format.name); it can be as \
            \(PatternPainter.supportedFormats.map(\.name).joined(separator: ", "))
            """
        case .needsJPEGCompressor:
            "MJPEG needs libjpeg-turbo: build with --traits Snapshot (package libturbojpeg0-dev), or choose another format"
        case .tooSmall(let width, let height):
            "\(width)x\(height) is too small for the test pattern: it needs at least 16x16"
        case .layout(let error):
            "the image layout is wrong: \(error)"
        case .tooFewBytes(let plane, let needed, let given):
            "plane \(plane) needs \(needed) bytes and has \(given)"
        case .compressor(let message):
            "libjpeg-turbo failed: \(message)"
        case .badRate(let rate):
            "\(rate) is no frame rate: give frames per second, or 0 for as fast as possible"
        case .notWritable(let stream):
            "the memory of stream '\(stream)' can't be written by the CPU; choose another kind of memory"
        case .channel(let error):
            error.description
        }
    }
}
