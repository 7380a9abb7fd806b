import FrameShare
import FrameSinks
import Glibc

/// Writes images to standard output in the format that `cat` was asked for.
struct FrameWriter: ~Copyable {
    private let format: Cat.Format
    private let rate: Double?
    private var raw: RawWriter
    /// Made with the first image, whose layout it tells in its header.
    private var y4m: Y4MWriter?

    init(format: Cat.Format, rate: Double?) {
        self.format = format
        self.rate = rate
        raw = RawWriter(descriptor: STDOUT_FILENO)
    }

    /// Writes the frame's first image.
    mutating func write(_ frame: borrowing Frame) throws(SinkError) {
        guard let image = frame.image(at: 0) else { return }
        guard format == .y4m else {
            return try raw.write(image)
        }
        if y4m == nil {
            let rate = rate ?? Self.rate(frame) ?? 30
            y4m = try Y4MWriter(descriptor: STDOUT_FILENO, layout: image.layout, framesPerSecond: rate)
        }
        try y4m?.write(image)
    }

    /// What the source says of its rate: libcamera's `FrameDuration`, in microseconds.
    private static func rate(_ frame: borrowing Frame) -> Double? {
        let microseconds: Int64? =
            switch frame.metadata["FrameDuration"] {
            case .int64(let value): value
            case .int32(let value): Int64(value)
            default: nil
            }
        guard let microseconds, microseconds > 0 else { return nil }
        return 1_000_000 / Double(microseconds)
    }
}
