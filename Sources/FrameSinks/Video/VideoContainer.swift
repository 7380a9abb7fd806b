internal import FrameShare

/// The kinds of files that recordings are written to.
public enum VideoContainer: String, Sendable, Hashable, CaseIterable {
    /// In fragments of a second: what is cut off in mid-recording plays up to its last fragment.
    case mp4
    case matroska
    case mpegTS = "mpegts"
    case avi
    /// FFmpeg's own, for raw video of any format.
    case nut

    /// What a file of this name is to be; nil for an unknown ending.
    public init?(path: String) {
        guard let dot = path.lastIndex(of: ".") else { return nil }
        switch path[path.index(after: dot)...].lowercased() {
        case "mp4", "m4v": self = .mp4
        case "mkv": self = .matroska
        case "ts", "m2ts", "mts": self = .mpegTS
        case "avi": self = .avi
        case "nut": self = .nut
        default: return nil
        }
    }

    /// Whether players expect such video in it.
    public func canHold(_ codec: VideoCodec) -> Bool {
        switch self {
        case .nut: codec != .fwht
        case .matroska, .mp4: codec != .raw && codec != .fwht
        case .mpegTS: codec == .h264 || codec == .hevc
        case .avi: codec == .h264 || codec == .mjpeg
        }
    }

    /// The longest pause that it can tell, in ns; what is longer is left out of the file's time.
    /// - Parameter framesPerSecond: of AVI, which has no other times
    func longestPause(framesPerSecond: Double) -> Int64 {
        switch self {
        case .mp4, .matroska, .nut: FrameTimeline.longestPause
        // Its times have 33 bits: 26.5 hours.
        case .mpegTS: 25 * 3_600_000_000_000
        // Each frame that is missing is an empty chunk of some 32 bytes: 100 MB in all.
        case .avi: Int64(min(3_000_000 / max(framesPerSecond, 0.001) * 1e9, Double(FrameTimeline.longestPause)))
        }
    }

    /// libavformat's options.
    var options: [(key: String, value: String)] {
        // Each packet goes to the file at once: what the program had written survives it.
        let flush = (key: "flush_packets", value: "1")
        switch self {
        case .mp4:
            return [
                flush, ("movflags", "+frag_keyframe+empty_moov+default_base_moof"), ("frag_duration", "1000000"),
                ("video_track_timescale", "1000000"),
            ]
        case .matroska: return [flush, ("cluster_time_limit", "1000")]
        case .mpegTS, .avi, .nut: return [flush]
        }
    }
}
