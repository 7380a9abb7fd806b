import PixelFormats

/// The header line of a YUV4MPEG2 stream.
struct Y4MHeader {
    let text: String

    /// - Parameter framesPerSecond: written as a fraction; rates near a whole number or an NTSC rate become that.
    /// - Throws: ``SinkError/unsupportedFormat(_:sink:advice:)`` for formats that y4m has no word for.
    init(_ layout: ImageLayout, framesPerSecond: Double) throws(SinkError) {
        let (numerator, denominator) = Self.fraction(framesPerSecond)
        let range =
            switch layout.colorSpace.range {
            case .full: " XCOLORRANGE=FULL"
            case .limited: " XCOLORRANGE=LIMITED"
            case .unknown: ""
            }
        let color = try Self.colorWord(layout.format)
        text = "YUV4MPEG2 W\(layout.width) H\(layout.height) F\(numerator):\(denominator) Ip A1:1 C\(color)\(range)\n"
    }

    private static func colorWord(_ format: PixelFormat) throws(SinkError) -> String {
        if let samples = YUVSamples(format) {
            switch (samples.chromaWidth, samples.chromaHeight) {
            case (2, 2): return "420jpeg"
            case (2, 1): return "422"
            case (1, 1): return "444"
            default: break
            }
        }
        switch format {
        case .r8: return "mono"
        case .r10: return "mono10"
        case .r12: return "mono12"
        case .r16: return "mono16"
        default: throw .unsupportedFormat(format, sink: "y4m", advice: advice(format))
        }
    }

    private static func advice(_ format: PixelFormat) -> String {
        guard let info = format.info else {
            return "write it raw, or publish the stream as YUV420, YUV422, NV12 or YUYV"
        }
        return switch info.colorModel {
        case .compressed: "write it raw (it is a stream of its own), or publish the stream as YUV420, NV12 or YUYV"
        case .bayer: "write it raw, or publish a processed stream as YUV420, YUV422, NV12 or YUYV"
        case .grey: "write it raw, or publish the stream as R8, R10, R12 or R16"
        case .rgb, .yuv: "write it raw, or publish the stream as YUV420, YUV422, NV12 or YUYV"
        }
    }

    private static func fraction(_ rate: Double) -> (Int, Int) {
        guard rate.isFinite, rate > 0, rate < 1_000_000 else {
            return (0, 0)
        }
        func whole(_ value: Double) -> Int? {
            abs(value - value.rounded()) <= 0.0005 * value ? Int(value.rounded()) : nil
        }
        if let number = whole(rate) {
            return (number, 1)
        }
        if let number = whole(rate * 1.001) {
            return (number * 1000, 1001)
        }
        return (max(1, Int((rate * 1000).rounded())), 1000)
    }
}
