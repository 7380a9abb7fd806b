public import FrameShare
public import PixelFormats

/// What can go wrong with encoding, recording and sending video.
public enum VideoError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The package was built without its trait `FFmpeg`.
    case notInThisBuild
    /// FFmpeg's libraries can't be loaded, in the dynamic linker's words.
    case notInstalled(String)
    /// FFmpeg was built without this encoder.
    case noEncoder(codec: VideoCodec, library: String)
    case badOption(String)
    /// Chroma is stored for pairs of pixels, so the size has to be even.
    case oddSize(width: Int, height: Int, VideoCodec)
    case unsupportedFormat(PixelFormat)
    /// The frames are compressed already.
    case compressedAlready(PixelFormat)
    /// The size or format of the frames has changed.
    case layoutChanged(from: ImageLayout, to: ImageLayout)
    /// The CPU can't read the memory of the frames.
    case notReadable(stream: String)
    /// FFmpeg refused, in its words.
    case codec(String)
    /// The name of a file says no known container.
    case unknownContainer(String)
    /// The container has no place for such video.
    case containerCannotHold(container: String, VideoCodec)
    /// RTMP has no place for such video.
    case streamCannotCarry(VideoCodec)
    /// An address that does not say what to send there.
    case unknownAddress(String)
    /// A file or address can't be opened or written, with the reason in words.
    case output(path: String, reason: String)
    /// No space is left where the file is.
    /// - Parameter isPlayable: whether what was written before can be played
    case diskFull(path: String, isPlayable: Bool)
    case fileExists(String)
    /// The packets have no parameter sets, so nothing can be made of them.
    case noParameterSets
    case channel(ChannelError)
    /// A V4L2 encoder.
    case device(V4L2EncoderError)

    public var description: String {
        switch self {
        case .notInThisBuild:
            "video needs a build with --traits FFmpeg (packages libavformat-dev and libswscale-dev); 'make build' sees to it"
        case .notInstalled(let reason):
            "FFmpeg's libraries can't be loaded: \(reason). Install libavformat59 and libswscale6"
        case .noEncoder(let codec, let library):
            "this machine's FFmpeg can't encode \(codec.rawValue): it was built without \(library)"
        case .badOption(let text): "not possible: \(text)"
        case .oddSize(let width, let height, let codec):
            "\(codec.rawValue) needs an even width and height, the frames have \(width)x\(height); "
                + (min(width, height) < 2
                    ? "use --codec mjpeg, which takes any size"
                    : "cut them with 'frameshare relay --crop \(width & ~1)x\(height & ~1)+0+0'")
        case .unsupportedFormat(let format):
            "frames of format \(format) can't be encoded; publish YUV420, NV12, YUYV, RGB888 or GREY"
        case .compressedAlready(let format):
            "the frames are \(format) already: record them as they are"
        case .layoutChanged(let from, let to):
            "the frames changed from \(from) to \(to); start anew"
        case .notReadable(let stream): "the CPU can't read stream '\(stream)': its memory can't be mapped"
        case .codec(let text): "FFmpeg: \(text)"
        case .unknownContainer(let name):
            "'\(name)' does not end in a known container's name: use .mp4, .mkv, .ts, .avi or .nut"
        case .containerCannotHold(let container, let codec):
            "\(container) can't hold \(codec.rawValue)"
                + (codec == .fwht ? "; no container can" : "; use \(codec == .raw ? ".nut" : ".mkv")")
        case .streamCannotCarry(let codec):
            "RTMP can't carry \(codec.rawValue): leave --codec out, or say --codec h264 for a channel of frames; "
                + "of a channel of \(codec.rawValue) packets, send the frames that it was made of"
        case .unknownAddress(let address):
            "'\(address)' does not say what to send there: use rtmp://, rtsp://, srt://, udp://, tcp:// or "
                + "http://….m3u8, or say --format"
        case .output(let path, let reason): "\(path): \(reason)"
        case .diskFull(let path, let isPlayable):
            "\(path): the disk is full; "
                + (isPlayable ? "what was written so far can be played" : "nothing that can be played was written")
        case .fileExists(let path): "\(path) is there already; choose another name, or --overwrite"
        case .noParameterSets:
            "the channel's keyframes come without parameter sets (SPS, PPS); let its encoder repeat them in every keyframe"
        case .channel(let error): "\(error)"
        case .device(let error): "\(error)"
        }
    }
}
