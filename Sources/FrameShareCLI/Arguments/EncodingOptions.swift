import ArgumentParser
import FrameCommand
import FrameJSON
import FrameSinks

/// How frames are to be encoded.
struct EncodingOptions: ParsableArguments {
    @Option(
        help: .init("1 (smallest) to 100 (best). Left out: 55, for mjpeg 90.", valueName: "quality"),
        transform: CountArgument.parse
    )
    var quality: Int?

    @Option(
        help: .init("Bits a second, such as 4M, in place of a quality.", valueName: "rate"),
        transform: BitRateArgument.parse
    )
    var bitRate: Int?

    @Option(
        help: .init("The most frames from one keyframe to the next. Left out: 60.", valueName: "count"),
        transform: CountArgument.parse
    )
    var keyframeInterval = 60

    @Option(help: .init("The most frames in a row that wait for later ones. Left out: 0.", valueName: "count"))
    var bFrames = 0

    @Flag(
        inversion: .prefixedNo,
        help: "Let each packet out as its frame goes in. Left out: so, but for files, and with --b-frames."
    )
    var lowLatency: Bool?

    @Option(help: .init("Of x264 and x265: ultrafast to veryslow. Left out: veryfast.", valueName: "preset"))
    var preset = "veryfast"

    @Option(
        help: .init("Of h264: baseline, main or high. Left out: the encoder's choice.", valueName: "profile"),
        transform: ProfileArgument.parse
    )
    var profile: H264Profile?

    @Option(
        help: .init(
            "At most so many frames a second, evenly. A bit rate is reckoned with it. Left out: all.",
            valueName: "fps"
        ),
        transform: WantedRateArgument.parse
    )
    var rate: Double?

    func validate() throws {
        guard quality == nil || bitRate == nil else { throw ValidationError("give --quality or --bit-rate, not both") }
    }

    /// - Parameters:
    ///   - frameRate: what the source says
    ///   - isLive: whether somebody looks while it is encoded
    func options(_ codec: VideoCodec, frameRate: Double?, isLive: Bool) -> VideoOptions {
        var options = VideoOptions()
        options.codec = codec
        options.quality = quality
        options.bitRate = bitRate
        options.keyframeInterval = keyframeInterval
        options.bFrames = bFrames
        options.lowLatency = lowLatency ?? (isLive && bFrames == 0)
        options.preset = preset
        options.profile = profile
        options.framesPerSecond = rate ?? frameRate ?? 30
        return options
    }
}

/// What H.264's decoders must know.
enum ProfileArgument {
    static func parse(_ text: String) throws -> H264Profile {
        guard let profile = H264Profile(rawValue: text.lowercased()) else {
            throw ValidationError("give \(H264Profile.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return profile
    }
}

/// Bits a second: `4M`, `500k`, `2500000`.
enum BitRateArgument {
    static func parse(_ text: String) throws -> Int {
        let units: [(ending: String, bits: Double)] = [("k", 1e3), ("K", 1e3), ("M", 1e6), ("G", 1e9), ("", 1)]
        for unit in units where text.hasSuffix(unit.ending) {
            guard let value = DecimalText.number(text.dropLast(unit.ending.count)) else { continue }
            guard value * unit.bits >= 1, value * unit.bits < 1e12 else { break }
            return Int(value * unit.bits)
        }
        throw ValidationError("give bits a second, such as 500k or 4M")
    }
}

/// What to encode to.
enum CodecArgument {
    static func parse(_ text: String) throws -> VideoCodec {
        guard let codec = VideoCodec(rawValue: text.lowercased()), VideoCodec.byFFmpeg.contains(codec) else {
            throw ValidationError("give \(VideoCodec.byFFmpeg.map(\.rawValue).joined(separator: ", "))")
        }
        return codec
    }
}
