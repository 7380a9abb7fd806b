#if FFmpeg
internal import CFFmpeg
internal import FFmpegBridge
internal import PixelFormats

/// The format of a channel that shows pictures of a format of FFmpeg's: their own, or the nearest, which loses nothing where
/// that can be.
struct ShownFormat: Equatable {
    let format: PixelFormat
    /// What is lost, in words; nil: nothing.
    let loss: String?

    /// - Parameter isTurned: whether pictures are turned, so that rows become columns
    init(of description: UnsafePointer<AVPixFmtDescriptor>, _ ffmpeg: AVPixelFormat, isTurned: Bool) {
        if let own = PixelFormat(ffmpeg: ffmpeg), !isTurned || PictureShape.canBeTurned(own) {
            (format, loss) = (own, nil)
            return
        }
        let flags = description.pointee.flags
        func has(_ flag: Int32) -> Bool { flags & UInt64(flag) != 0 }
        let depth = max(
            description.pointee.comp.0.depth,
            description.pointee.comp.1.depth,
            description.pointee.comp.2.depth
        )
        let (hasAlpha, isFloat) = (has(AV_PIX_FMT_FLAG_ALPHA), has(AV_PIX_FMT_FLAG_FLOAT))
        var (keepsAlpha, keptDepth) = (false, Int32(8))
        // swscale makes RGB of XYZ, which digital cinema has.
        if has(AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL) || ffmpeg == AV_PIX_FMT_XYZ12LE
            || ffmpeg == AV_PIX_FMT_XYZ12BE
        {
            keptDepth = depth > 8 ? 16 : 8
            keepsAlpha = hasAlpha && depth <= 8
            format = depth > 8 ? .bgr161616 : keepsAlpha ? .abgr8888 : .bgr888
        } else if description.pointee.nb_components < 3 {
            keptDepth = depth > 8 ? 16 : 8
            format = depth > 8 ? .r16 : .r8
        } else {
            format =
                switch (description.pointee.log2_chroma_w, description.pointee.log2_chroma_h) {
                case (0, _): .yuv444
                // Turned, its halves would be of the other direction.
                case (_, 0): isTurned ? .yuv444 : .yuv422
                default: .yuv420
                }
        }
        var losses: [String] = []
        if isFloat || depth > keptDepth {
            losses.append("samples of \(depth)\(isFloat ? " floating-point" : "") bits are shown with \(keptDepth)")
        }
        if hasAlpha, !keepsAlpha { losses.append("transparency is left out") }
        loss =
            losses.isEmpty
            ? nil
            : "\(String(cString: description.pointee.name)) is shown as \(format): \(losses.joined(separator: "; "))"
    }
}
#endif
