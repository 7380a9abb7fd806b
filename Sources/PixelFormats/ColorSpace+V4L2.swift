extension ColorSpace {
    /// What a V4L2 driver says of its images in `v4l2_pix_format` (or `_mplane`): the fields `colorspace`, `xfer_func`,
    /// `ycbcr_enc` and `quantization`. Values that have no equal here give `unknown`.
    ///
    /// A default (0) in the last three follows from `colorspace` and the format, as the kernel's `V4L2_MAP_…_DEFAULT`
    /// macros have it. There are two exceptions: raw Bayer images are ``raw`` whatever is said, as in libcamera; and
    /// MJPEG is full range by default, as the JPEG (JFIF) standard demands, though drivers call it sRGB.
    public init(
        v4l2ColorSpace: UInt32,
        transfer: UInt32 = 0,
        encoding: UInt32 = 0,
        quantization: UInt32 = 0,
        format: PixelFormat
    ) {
        let model = format.info?.colorModel
        if case .bayer = model {
            self = .raw
            return
        }
        self.init(
            primaries: Self.primaries(V4L2Space(rawValue: v4l2ColorSpace)),
            transfer: Self.transfer(V4L2Space(rawValue: v4l2ColorSpace), function: transfer),
            encoding: Self.encoding(V4L2Space(rawValue: v4l2ColorSpace), encoding: encoding, model: model),
            range: Self.range(
                V4L2Space(rawValue: v4l2ColorSpace),
                quantization: quantization,
                isFullByDefault: model == .rgb || format == .mjpeg
            )
        )
    }

    /// `enum v4l2_colorspace`.
    private enum V4L2Space: UInt32 {
        case smpte170m = 1
        case smpte240m = 2
        case rec709 = 3
        case system470M = 5
        case system470BG = 6
        case jpeg = 7
        case srgb = 8
        case oprgb = 9
        case bt2020 = 10
        case raw = 11
        case dciP3 = 12
    }

    private static func primaries(_ space: V4L2Space?) -> Primaries {
        switch space {
        case .smpte170m: .smpte170m
        case .rec709, .jpeg, .srgb: .rec709
        case .bt2020: .rec2020
        case .raw: .raw
        case .smpte240m, .system470M, .system470BG, .oprgb, .dciP3, nil: .unknown
        }
    }

    /// `function` is an `enum v4l2_xfer_func`.
    private static func transfer(_ space: V4L2Space?, function: UInt32) -> Transfer {
        switch function {
        case 0: break
        case 1: return .rec709
        case 2: return .srgb
        case 5: return .linear
        default: return .unknown
        }
        return switch space {
        case .smpte170m, .rec709, .system470M, .system470BG, .bt2020: .rec709
        case .jpeg, .srgb: .srgb
        case .raw: .linear
        case .smpte240m, .oprgb, .dciP3, nil: .unknown
        }
    }

    /// `encoding` is an `enum v4l2_ycbcr_encoding`.
    private static func encoding(_ space: V4L2Space?, encoding: UInt32, model: ColorModel?) -> Encoding {
        if model == .rgb { return .none }
        switch encoding {
        case 0: break
        case 1, 3, 5: return .rec601
        case 2, 4: return .rec709
        case 6: return .rec2020
        default: return .unknown
        }
        return switch space {
        case .smpte170m, .system470M, .system470BG, .jpeg, .srgb, .oprgb: .rec601
        case .rec709, .dciP3: .rec709
        case .bt2020: .rec2020
        case .raw: .none
        case .smpte240m, nil: .unknown
        }
    }

    /// `quantization` is an `enum v4l2_quantization`.
    private static func range(_ space: V4L2Space?, quantization: UInt32, isFullByDefault: Bool) -> Range {
        switch quantization {
        case 0: break
        case 1: return .full
        case 2: return .limited
        default: return .unknown
        }
        if isFullByDefault || space == .jpeg || space == .raw { return .full }
        return space == nil ? .unknown : .limited
    }
}
