#if FFmpeg
package import CFFmpeg
package import PixelFormats

extension PixelFormat {
    /// What FFmpeg calls the format, and whether U and V, as planes or in pairs, have to change places for that.
    package var ffmpeg: (format: AVPixelFormat, swapsChroma: Bool)? {
        if let format = Self.ffmpegFormats[self] { return (format, false) }
        let planar: [PixelFormat: AVPixelFormat] = [
            .yvu420: AV_PIX_FMT_YUV420P, .yvu422: AV_PIX_FMT_YUV422P, .yvu444: AV_PIX_FMT_YUV444P,
            .nv61: AV_PIX_FMT_NV16,
        ]
        return planar[self].map { ($0, true) }
    }

    /// The format that FFmpeg calls so; nil for one that has no equal here.
    package init?(ffmpeg format: AVPixelFormat) {
        let known: PixelFormat? =
            switch format {
            // The same in memory: the J says that the range is full.
            case AV_PIX_FMT_YUVJ420P: .yuv420
            case AV_PIX_FMT_YUVJ422P: .yuv422
            case AV_PIX_FMT_YUVJ444P: .yuv444
            default: Self.ffmpegFormats.first { $0.value == format }?.key
            }
        guard let known else { return nil }
        self = known
    }

    /// With the numbers that the loaded libraries have for them.
    private static let ffmpegFormats = headerFormats.mapValues { fs_pixel_format($0) }

    private static let headerFormats: [PixelFormat: AVPixelFormat] = [
        .yuv420: AV_PIX_FMT_YUV420P, .yuv422: AV_PIX_FMT_YUV422P, .yuv444: AV_PIX_FMT_YUV444P,
        .nv12: AV_PIX_FMT_NV12, .nv21: AV_PIX_FMT_NV21, .nv16: AV_PIX_FMT_NV16,
        .nv24: AV_PIX_FMT_NV24, .nv42: AV_PIX_FMT_NV42,
        .yuyv: AV_PIX_FMT_YUYV422, .uyvy: AV_PIX_FMT_UYVY422, .yvyu: AV_PIX_FMT_YVYU422,
        .rgb888: AV_PIX_FMT_BGR24, .bgr888: AV_PIX_FMT_RGB24,
        .xrgb8888: AV_PIX_FMT_BGR0, .xbgr8888: AV_PIX_FMT_RGB0,
        .rgbx8888: AV_PIX_FMT_0BGR, .bgrx8888: AV_PIX_FMT_0RGB,
        .argb8888: AV_PIX_FMT_BGRA, .abgr8888: AV_PIX_FMT_RGBA,
        .rgba8888: AV_PIX_FMT_ABGR, .bgra8888: AV_PIX_FMT_ARGB,
        .rgb565: AV_PIX_FMT_RGB565LE, .rgb565BigEndian: AV_PIX_FMT_RGB565BE,
        .rgb161616: AV_PIX_FMT_BGR48LE, .bgr161616: AV_PIX_FMT_RGB48LE,
        .r8: AV_PIX_FMT_GRAY8, .r10: AV_PIX_FMT_GRAY10LE, .r12: AV_PIX_FMT_GRAY12LE, .r16: AV_PIX_FMT_GRAY16LE,
    ]
}

extension ColorSpace {
    /// As H.264's and HEVC's headers number them, and containers.
    package var ffmpegPrimaries: AVColorPrimaries {
        switch primaries {
        case .smpte170m: AVCOL_PRI_SMPTE170M
        case .rec709: AVCOL_PRI_BT709
        case .rec2020: AVCOL_PRI_BT2020
        case .raw, .unknown: AVCOL_PRI_UNSPECIFIED
        }
    }

    package var ffmpegTransfer: AVColorTransferCharacteristic {
        switch transfer {
        case .linear: AVCOL_TRC_LINEAR
        case .srgb: AVCOL_TRC_IEC61966_2_1
        case .rec709: AVCOL_TRC_BT709
        case .unknown: AVCOL_TRC_UNSPECIFIED
        }
    }

    package var ffmpegMatrix: AVColorSpace {
        switch encoding {
        case .none, .unknown: AVCOL_SPC_UNSPECIFIED
        case .rec601: AVCOL_SPC_SMPTE170M
        case .rec709: AVCOL_SPC_BT709
        case .rec2020: AVCOL_SPC_BT2020_NCL
        }
    }

    /// What a decoder says of a picture.
    package init(ffmpeg frame: UnsafePointer<AVFrame>) {
        var colors = ColorSpace.unknown
        switch fs_AVFrame_color_primaries(frame).pointee {
        case AVCOL_PRI_SMPTE170M: colors.primaries = .smpte170m
        case AVCOL_PRI_BT709: colors.primaries = .rec709
        case AVCOL_PRI_BT2020: colors.primaries = .rec2020
        default: break
        }
        switch fs_AVFrame_color_trc(frame).pointee {
        case AVCOL_TRC_LINEAR: colors.transfer = .linear
        case AVCOL_TRC_IEC61966_2_1: colors.transfer = .srgb
        case AVCOL_TRC_BT709, AVCOL_TRC_SMPTE170M: colors.transfer = .rec709
        default: break
        }
        switch fs_AVFrame_colorspace(frame).pointee {
        case AVCOL_SPC_RGB: colors.encoding = .none
        case AVCOL_SPC_SMPTE170M, AVCOL_SPC_BT470BG: colors.encoding = .rec601
        case AVCOL_SPC_BT709: colors.encoding = .rec709
        case AVCOL_SPC_BT2020_NCL: colors.encoding = .rec2020
        default: break
        }
        switch fs_AVFrame_color_range(frame).pointee {
        case AVCOL_RANGE_JPEG: colors.range = .full
        case AVCOL_RANGE_MPEG: colors.range = .limited
        default: break
        }
        self = colors
    }

    /// Whether swscale takes luma and colour difference of both for the same.
    package func hasSameMatrix(as other: ColorSpace) -> Bool { swscaleMatrix == other.swscaleMatrix }

    /// swscale's number of the matrix: `SWS_CS_…`. Rec. 601 where nothing is known.
    package var swscaleMatrix: Int32 {
        switch encoding {
        case .none, .unknown, .rec601: SWS_CS_ITU601
        case .rec709: SWS_CS_ITU709
        case .rec2020: SWS_CS_BT2020
        }
    }
}
#endif
