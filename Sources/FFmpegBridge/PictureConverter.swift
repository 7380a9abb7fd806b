#if FFmpeg
package import CFFmpeg
package import PixelFormats

/// Brings pictures into a format that an encoder takes, by swscale. Allocates once.
package final class PictureConverter {
    private let av: UnsafePointer<fs_ffmpeg>
    private let context: OpaquePointer
    /// Where the converted picture comes.
    private let picture: UnsafeMutablePointer<AVFrame>
    /// A copy of the original, where swscale may not read the original's own memory.
    private var copy: UnsafeMutablePointer<AVFrame>?
    private let height: Int32

    package init(
        from layout: ImageLayout,
        _ format: AVPixelFormat,
        to target: AVPixelFormat,
        colors: ColorSpace,
        _ av: UnsafePointer<fs_ffmpeg>
    ) throws(FFmpegFailure) {
        let (width, height) = (Int32(layout.width), Int32(layout.height))
        guard
            let context = av.pointee.sws_getContext(
                width,
                height,
                format,
                width,
                height,
                target,
                SWS_BILINEAR | SWS_ACCURATE_RND,
                nil,
                nil,
                nil
            )
        else { throw FFmpegFailure(text: "swscale can't convert \(layout.format)") }
        // Out of memory here leaks what was made: the process is at its end.
        guard let picture = Self.allocate(width, height, target, av) else { throw FFmpegFailure(text: "out of memory") }
        let isRGB = layout.format.info?.colorModel == .rgb
        _ = av.pointee.sws_setColorspaceDetails(
            context,
            av.pointee.sws_getCoefficients(layout.colorSpace.swscaleMatrix),
            isRGB || layout.colorSpace.range == .full ? 1 : 0,
            av.pointee.sws_getCoefficients(colors.swscaleMatrix),
            colors.range == .full ? 1 : 0,
            0,
            1 << 16,
            1 << 16
        )
        self.av = av
        self.context = context
        self.picture = picture
        self.height = height
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
        // An encoder may still hold the picture before.
        guard av.pointee.av_frame_make_writable(picture) >= 0 else { throw FFmpegFailure(text: "out of memory") }
        let source = hasRoomBehind ? original : try copied(original)
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
}
#endif
