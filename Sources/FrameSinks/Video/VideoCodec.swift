public import PixelFormats

/// What frames are encoded to.
public enum VideoCodec: String, Sendable, Hashable, CaseIterable {
    case h264
    case hevc
    case mjpeg
    /// The kernel's test codec, which only V4L2 devices encode (``V4L2Encoder``).
    case fwht
    /// No encoding: the pixels of each frame, for recordings.
    case raw

    /// The format of a channel of such packets; nil for raw frames, which are no packets.
    public var format: PixelFormat? {
        switch self {
        case .h264: .h264
        case .hevc: .hevc
        case .mjpeg: .mjpeg
        case .fwht: .fwht
        case .raw: nil
        }
    }

    /// What a channel of this format carries; nil where it is not packets.
    public init?(_ format: PixelFormat) {
        switch format {
        case .h264: self = .h264
        case .hevc: self = .hevc
        case .mjpeg: self = .mjpeg
        case .fwht: self = .fwht
        default: return nil
        }
    }

    /// Whether every packet can be decoded without those before it.
    public var isIntra: Bool { self == .mjpeg || self == .raw }

    /// Whether decoders must be given parameter sets first.
    var hasParameterSets: Bool { self == .h264 || self == .hevc }

    /// Those that FFmpeg encodes.
    public static let byFFmpeg: [VideoCodec] = [.h264, .hevc, .mjpeg, .raw]
}

/// What decoders of H.264 must know: the fewer tools, the older they may be.
public enum H264Profile: String, Sendable, Hashable, CaseIterable {
    case baseline
    case main
    case high
}

/// How frames are encoded.
public struct VideoOptions: Sendable, Hashable {
    /// What they are encoded to.
    public var codec = VideoCodec.h264
    /// 1 (smallest files) to 100 (best pictures); nil: 55 for H.264 and HEVC, 90 for MJPEG. Not with a bit rate.
    public var quality: Int?
    /// Bits a second, on average; nil: as many as the quality takes.
    public var bitRate: Int?
    /// The most frames from one keyframe to the next.
    public var keyframeInterval = 60
    /// The most frames in a row that are predicted from later ones, which delays them; 0: none.
    public var bFrames = 0
    /// Every packet comes out as its frame goes in, for live pictures; costs some quality.
    public var lowLatency = false
    /// How much of H.264 its decoders must know; nil: the encoder's choice. For H.264 alone.
    public var profile: H264Profile?
    /// The encoder's trade of time for size, from `ultrafast` to `veryslow` (H.264 and HEVC).
    public var preset = "veryfast"
    /// The frames a second that a bit rate is reckoned with.
    public var framesPerSecond = 30.0
    /// Threads of the encoder; 0: as many as it thinks best.
    public var threads = 0

    public init() {}

    func check() throws(VideoError) {
        if let quality, !(1...100).contains(quality) { throw .badOption("a quality of \(quality): 1 to 100") }
        if let bitRate, !(1000...1_000_000_000).contains(bitRate) {
            throw .badOption("a bit rate of \(bitRate): 1000 to 1000000000 bits a second")
        }
        guard (1...100_000).contains(keyframeInterval) else {
            throw .badOption("a keyframe every \(keyframeInterval) frames: 1 to 100000")
        }
        guard (0...16).contains(bFrames) else { throw .badOption("\(bFrames) B-frames: 0 to 16") }
        guard framesPerSecond > 0, framesPerSecond <= 10_000 else {
            throw .badOption("\(framesPerSecond) frames a second: more than 0, at most 10000")
        }
        guard profile == nil || codec == .h264 else {
            throw .badOption("a profile for \(codec.rawValue): h264 has them")
        }
        guard (0...64).contains(threads) else { throw .badOption("\(threads) threads: 0 to 64") }
        guard Self.presets.contains(preset) else {
            throw .badOption("the preset '\(preset)': one of \(Self.presets.joined(separator: ", "))")
        }
    }

    /// The presets of x264 and x265.
    public static let presets = [
        "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow",
    ]
}
