#if FFmpeg
internal import CFFmpeg
internal import FFmpegBridge
internal import FrameShare

/// A file that libavformat has opened, and the decoder of its video.
final class MediaInput {
    let input: UnsafeMutablePointer<AVFormatContext>
    let context: UnsafeMutablePointer<AVCodecContext>
    let stream: UnsafeMutablePointer<AVStream>
    /// Whether the rate that was asked for is the file's own now.
    let tookRate: Bool
    private let av: UnsafePointer<fs_ffmpeg>

    /// Formats that name other files, which are no video themselves.
    private static let lists: Set<String> = ["hls", "applehttp", "dash", "concat", "sdp", "rtsp", "imf"]
    /// Formats that may hold a single picture.
    private static let pictures: Set<String> = ["image2", "gif", "apng", "webp"]

    /// - Parameters:
    ///   - rate: frames a second of a file that has no times of its own; nil: what libavformat takes for it
    ///   - mostPixels: of a picture; larger ones are not decoded
    init(
        path: String,
        rate: Double?,
        mostPixels: Int64,
        _ av: UnsafePointer<fs_ffmpeg>
    ) throws(VideoFileError) {
        var options: OpaquePointer?
        // A file that names others, by a list or a pattern, reaches no network and matches no names.
        _ = av.pointee.av_dict_set(&options, "protocol_whitelist", "file", 0)
        _ = av.pointee.av_dict_set(&options, "pattern_type", "none", 0)
        if let rate { _ = av.pointee.av_dict_set(&options, "framerate", "\(rate)", 0) }
        defer { av.pointee.av_dict_free(&options) }
        var opened: UnsafeMutablePointer<AVFormatContext>?
        // Else a colon in the name would be taken for a protocol.
        var result = av.pointee.avformat_open_input(&opened, PathText.cString("file:" + path), nil, &options)
        guard result >= 0, let input = opened else { throw .open(path: path, reason: FFmpegFailure(result, av).text) }
        tookRate = rate != nil && av.pointee.av_dict_get(options, "framerate", nil, 0) == nil
        var decoder: UnsafeMutablePointer<AVCodecContext>?
        var isDone = false
        defer {
            if !isDone {
                av.pointee.avcodec_free_context(&decoder)
                av.pointee.avformat_close_input(&opened)
            }
        }
        guard Self.names(of: input).isDisjoint(with: Self.lists) else {
            throw .open(path: path, reason: "it is a list of other files, not a video")
        }
        try Self.check(input, path, mostPixels)
        result = Self.findStreamInfo(input, mostPixels, av)
        try Self.check(input, path, mostPixels)
        guard result >= 0 else { throw .open(path: path, reason: FFmpegFailure(result, av).text) }
        // What was complained of is gone over.
        FFmpegFailure.forgetComplaint()
        let index = av.pointee.av_find_best_stream(input, AVMEDIA_TYPE_VIDEO, -1, -1, nil, 0)
        guard index >= 0, index < input.pointee.nb_streams, let stream = input.pointee.streams[Int(index)],
            let parameters = fs_AVStream_codecpar(stream).pointee,
            let codec = av.pointee.avcodec_find_decoder(parameters.pointee.codec_id)
        else { throw .noVideo(path: path) }
        for other in 0..<Int(input.pointee.nb_streams) where other != Int(index) {
            if let other = input.pointee.streams[other] { fs_AVStream_discard(other).pointee = AVDISCARD_ALL }
        }
        decoder = av.pointee.avcodec_alloc_context3(codec)
        guard let context = decoder else { throw .open(path: path, reason: "out of memory") }
        result = av.pointee.avcodec_parameters_to_context(context, parameters)
        if result >= 0 {
            fs_AVCodecContext_max_pixels(context).pointee = mostPixels
            fs_AVCodecContext_pkt_timebase(context).pointee = fs_AVStream_time_base(stream).pointee
            // Cropped to the pixel at the left, too; and damaged pictures are flagged, not left out.
            fs_AVCodecContext_flags(context).pointee |= AV_CODEC_FLAG_UNALIGNED | AV_CODEC_FLAG_OUTPUT_CORRUPT
            result = av.pointee.avcodec_open2(context, codec, nil)
        }
        guard result >= 0 else { throw .open(path: path, reason: FFmpegFailure(result, av).text) }
        (self.input, self.context, self.stream, self.av) = (input, context, stream, av)
        isDone = true
    }

    /// Refuses sizes that a file's header tells before anything is decoded.
    private static func check(
        _ input: UnsafeMutablePointer<AVFormatContext>,
        _ path: String,
        _ mostPixels: Int64
    ) throws(VideoFileError) {
        for index in 0..<Int(input.pointee.nb_streams) {
            guard let stream = input.pointee.streams[index], let parameters = fs_AVStream_codecpar(stream).pointee,
                parameters.pointee.codec_type == AVMEDIA_TYPE_VIDEO
            else { continue }
            let (width, height) = (
                Int64(fs_AVCodecParameters_width(parameters).pointee),
                Int64(fs_AVCodecParameters_height(parameters).pointee)
            )
            if width > 0, height > 0, width * height > mostPixels {
                throw .tooLarge(path: path, width: Int(width), height: Int(height), most: mostPixels)
            }
        }
    }

    /// Looks into the streams: libavformat decodes a picture of some, and none that is too large.
    private static func findStreamInfo(
        _ input: UnsafeMutablePointer<AVFormatContext>,
        _ mostPixels: Int64,
        _ av: UnsafePointer<fs_ffmpeg>
    ) -> Int32 {
        let count = Int(input.pointee.nb_streams)
        return withUnsafeTemporaryAllocation(of: OpaquePointer?.self, capacity: max(1, count)) { options in
            options.initialize(repeating: nil)
            for index in 0..<count {
                _ = av.pointee.av_dict_set(&options[index], "max_pixels", "\(mostPixels)", 0)
            }
            // Streams that are found later have libavcodec's own limit, 2^28 pixels about.
            let result = av.pointee.avformat_find_stream_info(input, options.baseAddress)
            for index in 0..<count { av.pointee.av_dict_free(&options[index]) }
            return result
        }
    }

    deinit {
        var (input, context): (UnsafeMutablePointer<AVFormatContext>?, UnsafeMutablePointer<AVCodecContext>?)
        (input, context) = (self.input, self.context)
        av.pointee.avcodec_free_context(&context)
        av.pointee.avformat_close_input(&input)
    }

    private static func names(of input: UnsafeMutablePointer<AVFormatContext>) -> Set<String> {
        guard let name = input.pointee.iformat?.pointee.name else { return [] }
        return Set(String(cString: name).split(separator: ",").map(String.init))
    }

    /// Whether it may be a picture rather than a video.
    var mayBeStill: Bool {
        Self.names(of: input).contains { Self.pictures.contains($0) || $0.hasSuffix("_pipe") }
    }

    /// A time of the stream in ns; nil where there is none, or none that can be.
    func nanoseconds(_ time: Int64) -> Int64? {
        let base = fs_AVStream_time_base(stream).pointee
        guard time != fs_av_nopts(), base.num > 0, base.den > 0 else { return nil }
        let scaled = av.pointee.av_rescale_q(time, base, AVRational(num: 1, den: 1_000_000_000))
        return scaled == .min ? nil : scaled
    }

    /// From one picture to the next by the file's average, in ns; nil where the file does not say.
    var interval: Int64? {
        let rate = fs_AVStream_avg_frame_rate(stream).pointee
        guard rate.num > 0, rate.den > 0 else { return nil }
        return max(1, 1_000_000_000 * Int64(rate.den) / Int64(rate.num))
    }

    /// Goes to the beginning; false where the format can't.
    func seekToStart() -> Bool {
        let start = fs_AVStream_start_time(stream).pointee
        let result = av.pointee.av_seek_frame(
            input,
            fs_AVStream_index(stream).pointee,
            start == fs_av_nopts() ? 0 : start,
            AVSEEK_FLAG_BACKWARD
        )
        if result >= 0 { av.pointee.avcodec_flush_buffers(context) }
        return result >= 0
    }
}
#endif
