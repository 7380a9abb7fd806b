import FrameShare
import FrameSinks
import Glibc

/// Writes images to standard output in the format that `cat` was asked for.
struct FrameWriter: ~Copyable {
    private let format: Cat.Format
    private let rate: Double
    private var raw: RawWriter
    /// Made with the first image, whose layout it tells in its header.
    private var y4m: Y4MWriter?

    init(format: Cat.Format, rate: Double) {
        self.format = format
        self.rate = rate
        raw = RawWriter(descriptor: STDOUT_FILENO)
    }

    mutating func write(_ image: Image) throws(SinkError) {
        guard format == .y4m else {
            return try raw.write(image)
        }
        if y4m == nil {
            y4m = try Y4MWriter(descriptor: STDOUT_FILENO, layout: image.layout, framesPerSecond: rate)
        }
        try y4m?.write(image)
    }
}
