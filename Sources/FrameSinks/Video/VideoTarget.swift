#if FFmpeg
internal import CFFmpeg
internal import FFmpegBridge
internal import PixelFormats

/// What an encoder is given for frames of a layout.
struct VideoTarget {
    let format: AVPixelFormat
    let colorSpace: ColorSpace
    /// Whether frames go to the encoder as they are.
    let isDirect: Bool
    let halvesChroma: Bool

    init(
        _ layout: ImageLayout,
        _ own: AVPixelFormat,
        swapsChroma: Bool,
        _ codec: VideoCodec,
        _ encoder: UnsafePointer<AVCodec>,
        _ av: UnsafePointer<fs_ffmpeg>
    ) {
        var colors = layout.colorSpace
        if layout.format.info?.colorModel != .rgb {
            // What a source leaves unsaid is taken as snapshots do.
            if colors.encoding == .unknown { colors.encoding = .rec601 }
            if colors.range == .unknown { colors.range = layout.format.info?.colorModel == .grey ? .full : .limited }
        }
        // Planes change places by their addresses, pairs can't.
        let isSwappedPairs = swapsChroma && own == AV_PIX_FMT_NV16
        let own = isSwappedPairs ? AV_PIX_FMT_YUV422P : own
        var isTaken = Self.formats(encoder).contains(own)
        switch codec {
        case .raw:
            (format, colorSpace, isDirect, halvesChroma) = (own, colors, !isSwappedPairs, false)
            return
        case .mjpeg:
            // A JPEG image is full-range Rec. 601, whatever the camera's colours are.
            isTaken = isTaken && colors.range == .full && colors.encoding == .rec601
            format = isTaken ? own : AV_PIX_FMT_YUVJ420P
            colorSpace = isTaken ? colors : .sycc
        case .h264, .hevc, .fwht:
            format = isTaken ? own : AV_PIX_FMT_YUV420P
            colorSpace = isTaken ? colors : layout.format.info?.colorModel == .rgb ? .rec709 : colors
        }
        isDirect = isTaken && !isSwappedPairs
        let description = av.pointee.av_pix_fmt_desc_get(format)
        halvesChroma = description.map { $0.pointee.log2_chroma_w > 0 || $0.pointee.log2_chroma_h > 0 } ?? true
    }

    /// Those that the encoder takes; none where it takes all.
    private static func formats(_ encoder: UnsafePointer<AVCodec>) -> [AVPixelFormat] {
        guard var next = encoder.pointee.pix_fmts else { return [] }
        var result: [AVPixelFormat] = []
        while next.pointee != AV_PIX_FMT_NONE {
            result.append(next.pointee)
            next += 1
        }
        return result
    }
}

extension VideoCodec {
    /// The encoder's name in FFmpeg.
    var library: String {
        switch self {
        case .h264: "libx264"
        case .hevc: "libx265"
        case .mjpeg: "mjpeg"
        case .fwht: "fwht"
        case .raw: "rawvideo"
        }
    }

    var ffmpegID: AVCodecID {
        switch self {
        case .h264: AV_CODEC_ID_H264
        case .hevc: AV_CODEC_ID_HEVC
        case .mjpeg: AV_CODEC_ID_MJPEG
        case .fwht: AV_CODEC_ID_NONE
        case .raw: AV_CODEC_ID_RAWVIDEO
        }
    }
}

extension VideoOptions {
    func apply(to context: UnsafeMutablePointer<AVCodecContext>, _ av: UnsafePointer<fs_ffmpeg>) {
        // Pictures are numbered, and get their time back as packets: so it stays exact, whatever the encoder counts in.
        // The options were checked: at most 10000 a second.
        let rate = max(1, Int32((framesPerSecond * 1000).rounded()))
        fs_AVCodecContext_time_base(context).pointee = AVRational(num: 1000, den: rate)
        fs_AVCodecContext_framerate(context).pointee = AVRational(num: rate, den: 1000)
        fs_AVCodecContext_gop_size(context).pointee = codec.isIntra ? 1 : Int32(keyframeInterval)
        fs_AVCodecContext_max_b_frames(context).pointee = codec.isIntra ? 0 : Int32(bFrames)
        fs_AVCodecContext_thread_count(context).pointee = Int32(threads)
        if let bitRate { context.pointee.bit_rate = Int64(bitRate) }
        guard let own = context.pointee.priv_data else { return }
        switch codec {
        case .h264, .hevc:
            _ = av.pointee.av_opt_set(own, "preset", preset, 0)
            if lowLatency { _ = av.pointee.av_opt_set(own, "tune", "zerolatency", 0) }
            if bitRate == nil {
                let crf = (51 * (1 - Double(quality ?? 55) / 100)).rounded()
                _ = av.pointee.av_opt_set(own, "crf", "\(Int(crf))", 0)
            }
            if let profile { _ = av.pointee.av_opt_set(own, "profile", profile.rawValue, 0) }
            _ = av.pointee.av_opt_set(own, "forced-idr", "1", 0)
            if codec == .hevc {
                _ = av.pointee.av_opt_set(own, "x265-params", "log-level=none:open-gop=0:repeat-headers=1", 0)
            }
        case .mjpeg:
            guard bitRate == nil else { break }
            // qscale runs from 2, the best, to 31.
            let scale = 2 + Int32((Double(100 - (quality ?? 90)) * 29 / 99).rounded())
            fs_AVCodecContext_flags(context).pointee |= AV_CODEC_FLAG_QSCALE
            fs_AVCodecContext_global_quality(context).pointee = FF_QP2LAMBDA * scale
            // Frames are encoded one after the other: threads would each hold one.
            fs_AVCodecContext_thread_count(context).pointee = 1
        case .fwht, .raw: break
        }
    }
}
#endif
