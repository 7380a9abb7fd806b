#if FFmpeg
package import CFFmpeg
package import PixelFormats

/// Brings pictures into a format that an encoder or a channel takes, by swscale. Allocates once.
package final class PictureConverter {
    private let av: UnsafePointer<fs_ffmpeg>
    private let context: OpaquePointer
    /// Where the converted picture comes.
    private let picture: UnsafeMutablePointer<AVFrame>
    /// A copy of the original, where swscale may not read the original's own memory.
    private var copy: UnsafeMutablePointer<AVFrame>?
    private let width: Int32
    private let height: Int32
    private let format: AVPixelFormat
    /// Pictures have U and V in pairs that swscale can't read: they are first copied to planes.
    private let pairs: Pairs?

    /// How chroma lies in pairs.
    private struct Pairs {
        /// V comes first.
        let isSwapped: Bool
    }

    /// For frames of a layout.
    package convenience init(
        from layout: ImageLayout,
        _ format: AVPixelFormat,
        to target: AVPixelFormat,
        colors: ColorSpace,
        _ av: UnsafePointer<fs_ffmpeg>
    ) throws(FFmpegFailure) {
        try self.init(
            width: layout.width,
            height: layout.height,
            from: (format, layout.colorSpace),
            to: (target, colors),
            swapsPairs: layout.format == .nv61,
            av
        )
    }

    /// For pictures of any size and format that FFmpeg may name. swscale asserts that formats exist and sizes are above 0:
    /// both are checked here.
    /// - Parameter swapsPairs: whether V comes before U, where the format has them in pairs
    package init(
        width: Int,
        height: Int,
        from source: (format: AVPixelFormat, colors: ColorSpace),
        to target: (format: AVPixelFormat, colors: ColorSpace),
        swapsPairs: Bool = false,
        _ av: UnsafePointer<fs_ffmpeg>
    ) throws(FFmpegFailure) {
        let hasPairs =
            source.format == AV_PIX_FMT_NV16
            && (swapsPairs || av.pointee.sws_isSupportedInput(AV_PIX_FMT_NV16) <= 0)
        let readable = hasPairs ? AV_PIX_FMT_YUV422P : source.format
        guard let from = av.pointee.av_pix_fmt_desc_get(readable),
            let to = av.pointee.av_pix_fmt_desc_get(target.format),
            av.pointee.sws_isSupportedInput(readable) > 0, av.pointee.sws_isSupportedOutput(target.format) > 0
        else {
            throw FFmpegFailure(
                text: "swscale can't convert \(Self.name(source.format, av)) to \(Self.name(target.format, av))"
            )
        }
        let sides = 1...ImageLayout.largestSide
        guard sides.contains(width), sides.contains(height) else {
            throw FFmpegFailure(text: "a picture of \(width)x\(height) can't be converted")
        }
        let isFull = (Self.isFull(source.colors, from), Self.isFull(target.colors, to))
        guard let context = av.pointee.sws_alloc_context() else { throw FFmpegFailure(text: "out of memory") }
        // The ranges must be known before the context is set up: it then chooses the functions that copy without a change.
        let settings: [(String, Int64)] = [
            ("srcw", Int64(width)), ("srch", Int64(height)), ("src_format", Int64(readable.rawValue)),
            ("dstw", Int64(width)), ("dsth", Int64(height)), ("dst_format", Int64(target.format.rawValue)),
            ("src_range", isFull.0 ? 1 : 0), ("dst_range", isFull.1 ? 1 : 0),
            ("sws_flags", Int64(SWS_BILINEAR | SWS_ACCURATE_RND)),
        ]
        let isSet = settings.allSatisfy {
            av.pointee.av_opt_set_int(UnsafeMutableRawPointer(context), $0.0, $0.1, 0) >= 0
        }
        guard isSet, av.pointee.sws_init_context(context, nil, nil) >= 0 else {
            av.pointee.sws_freeContext(context)
            throw FFmpegFailure(
                text: "swscale can't convert \(Self.name(source.format, av)) to \(Self.name(target.format, av))"
            )
        }
        guard let picture = Self.allocate(Int32(width), Int32(height), target.format, av) else {
            av.pointee.sws_freeContext(context)
            throw FFmpegFailure(text: "out of memory")
        }
        _ = av.pointee.sws_setColorspaceDetails(
            context,
            av.pointee.sws_getCoefficients(source.colors.swscaleMatrix),
            isFull.0 ? 1 : 0,
            av.pointee.sws_getCoefficients(target.colors.swscaleMatrix),
            isFull.1 ? 1 : 0,
            0,
            1 << 16,
            1 << 16
        )
        self.av = av
        self.context = context
        self.picture = picture
        self.width = Int32(width)
        self.height = Int32(height)
        format = source.format
        pairs = hasPairs ? Pairs(isSwapped: swapsPairs) : nil
    }

    private static func isFull(_ colors: ColorSpace, _ description: UnsafePointer<AVPixFmtDescriptor>) -> Bool {
        description.pointee.flags & UInt64(AV_PIX_FMT_FLAG_RGB) != 0 || colors.range == .full
    }

    private static func name(_ format: AVPixelFormat, _ av: UnsafePointer<fs_ffmpeg>) -> String {
        av.pointee.av_pix_fmt_desc_get(format).map { String(cString: $0.pointee.name) }
            ?? "a pixel format without a name"
    }

    deinit {
        av.pointee.sws_freeContext(context)
        var frames: [UnsafeMutablePointer<AVFrame>?] = [picture, copy]
        for index in frames.indices { av.pointee.av_frame_free(&frames[index]) }
    }

    private static func allocate(
        _ width: Int32,
        _ height: Int32,
        _ format: AVPixelFormat,
        _ av: UnsafePointer<fs_ffmpeg>
    ) -> UnsafeMutablePointer<AVFrame>? {
        guard let frame = av.pointee.av_frame_alloc() else { return nil }
        (frame.pointee.width, frame.pointee.height, frame.pointee.format) = (width, height, format.rawValue)
        if av.pointee.av_frame_get_buffer(frame, 0) < 0 {
            var failed: UnsafeMutablePointer<AVFrame>? = frame
            av.pointee.av_frame_free(&failed)
            return nil
        }
        return frame
    }

    /// - Parameters:
    ///   - hasRoomBehind: whether some bytes behind the last pixel may be read
    /// - Returns: the converter's own picture, which stays the encoder's until it has dropped it
    package func convert(
        _ original: UnsafeMutablePointer<AVFrame>,
        hasRoomBehind: Bool = true
    ) throws(FFmpegFailure) -> UnsafeMutablePointer<AVFrame> {
        guard original.pointee.width == width, original.pointee.height == height,
            original.pointee.format == format.rawValue
        else { throw FFmpegFailure(text: "the picture is not of the size and format that the converter was made for") }
        // An encoder may still hold the picture before.
        guard av.pointee.av_frame_make_writable(picture) >= 0 else { throw FFmpegFailure(text: "out of memory") }
        let source =
            if let pairs {
                try planar(original, pairs)
            } else {
                hasRoomBehind ? original : try copied(original)
            }
        let done = fs_sws_scale(av, context, source, picture)
        guard done == height else { throw FFmpegFailure(text: "swscale failed") }
        return picture
    }

    /// swscale reads some bytes behind the last pixel, where a frame's memory may end.
    private func copied(_ frame: UnsafeMutablePointer<AVFrame>) throws(FFmpegFailure) -> UnsafeMutablePointer<AVFrame> {
        if copy == nil {
            copy = Self.allocate(
                frame.pointee.width,
                frame.pointee.height,
                AVPixelFormat(rawValue: frame.pointee.format),
                av
            )
        }
        guard let copy, av.pointee.av_frame_copy(copy, frame) >= 0 else { throw FFmpegFailure(text: "out of memory") }
        return copy
    }

    /// A copy with a plane for each of U and V.
    private func planar(
        _ frame: UnsafeMutablePointer<AVFrame>,
        _ pairs: Pairs
    ) throws(FFmpegFailure) -> UnsafeMutablePointer<AVFrame> {
        if copy == nil { copy = Self.allocate(width, height, AV_PIX_FMT_YUV422P, av) }
        guard let copy, let luma = frame.pointee.data.0, let chroma = frame.pointee.data.1,
            let y = copy.pointee.data.0, let first = pairs.isSwapped ? copy.pointee.data.2 : copy.pointee.data.1,
            let second = pairs.isSwapped ? copy.pointee.data.1 : copy.pointee.data.2
        else { throw FFmpegFailure(text: "out of memory") }
        let (width, columns) = (Int(width), Int(width + 1) / 2)
        let (from, to) = (frame.pointee.linesize, copy.pointee.linesize)
        // Invariant: both frames have `height` rows of `width` luma bytes, and of as many pairs as `columns`, at the strides
        // that they tell.
        for row in 0..<Int(height) {
            (y + row * Int(to.0)).update(from: luma + row * Int(from.0), count: width)
            let source = chroma + row * Int(from.1)
            let (one, other) = (first + row * Int(to.1), second + row * Int(to.2))
            for column in 0..<columns {
                one[column] = source[2 * column]
                other[column] = source[2 * column + 1]
            }
        }
        return copy
    }
}
#endif
