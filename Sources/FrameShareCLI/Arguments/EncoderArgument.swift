import ArgumentParser
import FrameSinks

/// Who is to encode, and to what: `h264`, `v4l2:h264`, `v4l2:fwht:/dev/video5`.
struct EncoderArgument {
    enum Encoder {
        case ffmpeg
        /// A V4L2 device; nil: the first that fits.
        case v4l2(path: String?)
    }

    var codec: VideoCodec
    var encoder = Encoder.ffmpeg

    static func parse(_ text: String) throws -> EncoderArgument {
        guard text.hasPrefix("v4l2:") else { return EncoderArgument(codec: try CodecArgument.parse(text)) }
        let parts = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        let codecs = VideoCodec.allCases.filter { $0 != .raw }
        guard let codec = VideoCodec(rawValue: parts[1].lowercased()), codecs.contains(codec) else {
            throw ValidationError("after v4l2: give \(codecs.map(\.rawValue).joined(separator: ", "))")
        }
        guard parts.count < 3 || parts[2].hasPrefix("/") else {
            throw ValidationError("after v4l2:\(codec.rawValue): give a device such as /dev/video11, or nothing")
        }
        return EncoderArgument(codec: codec, encoder: .v4l2(path: parts.count < 3 ? nil : String(parts[2])))
    }
}
