internal import FrameShare
internal import PixelFormats

#if FFmpeg
internal import CFFmpeg
internal import FFmpegBridge
#endif

/// Brings pixels to another size and format: by libyuv where it can and is there, else by libswscale. Allocates once.
final class PixelScaler {
    private enum Backend {
        case libyuv(LibYUVScaler)
        #if FFmpeg
        case swscale(SwscaleScaler)
        #endif
    }
    private let backend: Backend

    /// Whether pixels of a format can be scaled as they are.
    static func reads(_ format: PixelFormat) -> Bool {
        #if FFmpeg
        format.ffmpeg != nil && format != .nv16 && format != .nv61
        #else
        LibYUVScaler.reads(format)
        #endif
    }

    /// - Parameter onlySwscale: for tests, which hold one library against the other
    init(
        from source: ImageLayout,
        to target: ImageLayout,
        _ filter: Wish.Filter,
        onlySwscale: Bool = false
    ) throws(ConversionError) {
        if !onlySwscale, let scaler = try LibYUVScaler(from: source, to: target, filter) {
            backend = .libyuv(scaler)
            return
        }
        #if FFmpeg
        backend = .swscale(try SwscaleScaler(from: source, to: target, filter))
        #else
        throw .library(
            "this build has no libswscale, which \(source.format) to \(target.format) needs: build with FFmpeg"
        )
        #endif
    }

    /// What does the work, for those who measure.
    var library: String {
        switch backend {
        case .libyuv: "libyuv"
        #if FFmpeg
        case .swscale: "libswscale"
        #endif
        }
    }

    func scale(_ from: Picture, to: Picture) throws(ConversionError) {
        switch backend {
        case .libyuv(let scaler): scaler.scale(from, to: to)
        #if FFmpeg
        case .swscale(let scaler): try scaler.scale(from, to: to)
        #endif
        }
    }
}

#if FFmpeg
/// libswscale from one layout to another.
private final class SwscaleScaler {
    private let av: UnsafePointer<fs_ffmpeg>
    private let context: OpaquePointer
    private let (swapsSource, swapsTarget): (Bool, Bool)
    private let height: Int32
    /// A copy of the original, where its memory ends with its last pixel.
    private var copy: ScratchPicture?

    init(from source: ImageLayout, to target: ImageLayout, _ filter: Wish.Filter) throws(ConversionError) {
        let av: UnsafePointer<fs_ffmpeg>
        do throws(FFmpegMissing) {
            av = try FFmpegLibrary.functions()
        } catch {
            throw .library(error.reason)
        }
        guard let from = source.format.ffmpeg, let to = target.format.ffmpeg,
            av.pointee.sws_isSupportedInput(from.format) > 0, av.pointee.sws_isSupportedOutput(to.format) > 0
        else { throw .failed("libswscale can't convert \(source.format) to \(target.format)") }
        let isSameSize = (source.width, source.height) == (target.width, target.height)
        let how =
            switch filter {
            case .nearest: SWS_POINT
            case .bilinear: SWS_BILINEAR
            case .area: isSameSize ? SWS_BILINEAR : SWS_AREA
            }
        guard let context = av.pointee.sws_alloc_context() else { throw .failed("out of memory") }
        let isFull = (source.colorSpace.range == .full, target.colorSpace.range == .full)
        // The ranges must be known before the context is set up: it then chooses the functions that copy without a change.
        let settings: [(String, Int64)] = [
            ("srcw", Int64(source.width)), ("srch", Int64(source.height)), ("src_format", Int64(from.format.rawValue)),
            ("dstw", Int64(target.width)), ("dsth", Int64(target.height)), ("dst_format", Int64(to.format.rawValue)),
            ("src_range", isFull.0 ? 1 : 0), ("dst_range", isFull.1 ? 1 : 0),
            ("sws_flags", Int64(how | SWS_ACCURATE_RND)),
        ]
        let isSet = settings.allSatisfy {
            av.pointee.av_opt_set_int(UnsafeMutableRawPointer(context), $0.0, $0.1, 0) >= 0
        }
        guard isSet, av.pointee.sws_init_context(context, nil, nil) >= 0 else {
            av.pointee.sws_freeContext(context)
            throw .failed(
                "libswscale can't bring \(source.width)x\(source.height) of \(source.format) to"
                    + " \(target.width)x\(target.height) of \(target.format)"
            )
        }
        _ = av.pointee.sws_setColorspaceDetails(
            context,
            av.pointee.sws_getCoefficients(source.colorSpace.swscaleMatrix),
            isFull.0 ? 1 : 0,
            av.pointee.sws_getCoefficients(target.colorSpace.swscaleMatrix),
            isFull.1 ? 1 : 0,
            0,
            1 << 16,
            1 << 16
        )
        (self.av, self.context, height) = (av, context, Int32(source.height))
        (swapsSource, swapsTarget) = (from.swapsChroma, to.swapsChroma)
    }

    deinit { av.pointee.sws_freeContext(context) }

    func scale(_ from: Picture, to: Picture) throws(ConversionError) {
        let source = from.hasRoomBehind ? from : try copied(from)
        var (a, b) = (Self.planes(source, swapsSource), Self.planes(to, swapsTarget))
        guard fs_sws_scale_planes(av, context, &a, height, &b) == to.layout.height else {
            throw .failed("libswscale failed")
        }
    }

    private static func planes(_ picture: Picture, _ swaps: Bool) -> fs_planes {
        var planes = fs_planes()
        var places = (0..<4).map { picture.planes[$0] }
        var strides = picture.layout.planes.map { Int32($0.stride) } + [0, 0, 0]
        if swaps, picture.layout.planes.count == 3 {
            places.swapAt(1, 2)
            strides.swapAt(1, 2)
        }
        planes.data = (places[0], places[1], places[2], places[3])
        planes.stride = (strides[0], strides[1], strides[2], strides[3])
        return planes
    }

    private func copied(_ from: Picture) throws(ConversionError) -> Picture {
        if copy == nil {
            copy = try ScratchPicture(from.layout.width, from.layout.height, from.layout.format, from.layout.colorSpace)
        }
        guard let target = copy?.picture, let info = from.layout.format.info else { throw .failed("out of memory") }
        for (index, plane) in info.planes.enumerated() {
            guard let source = from.planes[index], let out = target.planes[index],
                let rows = plane.rows(height: from.layout.height), let bytes = plane.rowBytes(width: from.layout.width)
            else { continue }
            // Invariant: both layouts were validated for this size.
            for row in 0..<rows {
                (out + row * target.layout.planes[index].stride)
                    .update(from: source + row * from.layout.planes[index].stride, count: bytes)
            }
        }
        return target
    }
}
#endif
