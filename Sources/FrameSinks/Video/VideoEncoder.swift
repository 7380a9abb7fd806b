#if FFmpeg
internal import CFFmpeg
internal import FFmpegBridge
public import FrameShare
public import PixelFormats

/// Encodes a channel's frames.
///
/// Where the encoder takes a frame's format it reads the camera's memory itself, and the frame's lease ends when it drops
/// it; else the pixels are converted first. Not for several threads at once.
public final class VideoEncoder {
    /// The layout of the frames.
    public let layout: ImageLayout
    public let options: VideoOptions
    /// What the encoded pictures' colours are.
    public let colorSpace: ColorSpace
    private let av: UnsafePointer<fs_ffmpeg>
    private let context: UnsafeMutablePointer<AVCodecContext>
    private let packet: UnsafeMutablePointer<AVPacket>
    private let format: (format: AVPixelFormat, swapsChroma: Bool)
    private let converter: PictureConverter?
    private var pending = PendingFrames()
    private var isFinished = false
    private var isKeyframeDue = false

    /// - Parameter layout: of the frames' first stream
    public init(layout: ImageLayout, options: VideoOptions) throws(VideoError) {
        try options.check()
        guard !layout.format.isCompressed else { throw .compressedAlready(layout.format) }
        guard let format = layout.format.ffmpeg else { throw .unsupportedFormat(layout.format) }
        let av = try FFmpegLibrary.loaded()
        let library = options.codec.library
        guard let encoder = av.pointee.avcodec_find_encoder_by_name(library) else {
            throw .noEncoder(codec: options.codec, library: library)
        }
        let target = VideoTarget(layout, format.format, swapsChroma: format.swapsChroma, options.codec, encoder, av)
        if options.codec == .h264 || options.codec == .hevc, target.halvesChroma,
            layout.width % 2 != 0 || layout.height % 2 != 0
        {
            throw .oddSize(width: layout.width, height: layout.height, options.codec)
        }
        do throws(FFmpegFailure) {
            converter =
                target.isDirect
                ? nil
                : try PictureConverter(from: layout, format.format, to: target.format, colors: target.colorSpace, av)
        } catch {
            throw .codec(error.text)
        }
        var made = av.pointee.avcodec_alloc_context3(encoder)
        guard let context = made, let packet = av.pointee.av_packet_alloc() else { throw .codec("out of memory") }
        context.pointee.width = Int32(layout.width)
        context.pointee.height = Int32(layout.height)
        fs_AVCodecContext_pix_fmt(context).pointee = target.format
        fs_AVCodecContext_color_primaries(context).pointee = target.colorSpace.ffmpegPrimaries
        fs_AVCodecContext_color_trc(context).pointee = target.colorSpace.ffmpegTransfer
        fs_AVCodecContext_colorspace(context).pointee = target.colorSpace.ffmpegMatrix
        fs_AVCodecContext_color_range(context).pointee =
            target.colorSpace.range == .full ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG
        options.apply(to: context, av)
        let result = av.pointee.avcodec_open2(context, encoder, nil)
        guard result >= 0 else {
            let failure = FFmpegFailure(result, av)
            av.pointee.avcodec_free_context(&made)
            var packet: UnsafeMutablePointer<AVPacket>? = packet
            av.pointee.av_packet_free(&packet)
            throw .codec(failure.text)
        }
        (self.layout, self.options, self.av, self.format) = (layout, options, av, format)
        (self.context, self.packet, colorSpace) = (context, packet, target.colorSpace)
    }

    deinit {
        var context: UnsafeMutablePointer<AVCodecContext>? = context
        av.pointee.avcodec_free_context(&context)
        var packet: UnsafeMutablePointer<AVPacket>? = packet
        av.pointee.av_packet_free(&packet)
    }

    /// Whether the encoder reads the frames' memory itself.
    public var readsFramesInPlace: Bool { converter == nil }

    /// What `AVCodecParameters` need beside the format: the pixels of raw video.
    var pixelFormat: Int32 { fs_AVCodecContext_pix_fmt(context).pointee.rawValue }
    var tag: UInt32 { context.pointee.codec_tag }

    /// Has the next frame encoded without those before it.
    public func forceKeyframe() { isKeyframeDue = true }

    /// Encodes a frame's first image. Packets come as they are done: none, one, or several.
    public func encode(
        _ frame: consuming Frame,
        _ body: (borrowing VideoPacket) throws(VideoError) -> Void
    ) throws(VideoError) {
        if let now = frame.image(at: 0)?.layout, now != layout { throw .layoutChanged(from: layout, to: now) }
        let index = pending.add(frame)
        let picture = try LeasedPicture(frame, format.format, swapsChroma: format.swapsChroma, av)
        let source = try converted(picture)
        source.pointee.pts = index
        source.pointee.pict_type = isKeyframeDue ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE
        isKeyframeDue = false
        let result = av.pointee.avcodec_send_frame(context, source)
        guard result >= 0 else { throw .codec(FFmpegFailure(result, av).text) }
        try receive(body)
    }

    private func converted(_ picture: LeasedPicture) throws(VideoError) -> UnsafeMutablePointer<AVFrame> {
        guard let converter else { return picture.frame }
        do throws(FFmpegFailure) {
            return try converter.convert(picture.frame, hasRoomBehind: picture.hasRoomBehind)
        } catch {
            throw .codec(error.text)
        }
    }

    /// Gets the packets that are still inside. Nothing can be encoded after.
    public func finish(_ body: (borrowing VideoPacket) throws(VideoError) -> Void) throws(VideoError) {
        guard !isFinished else { return }
        isFinished = true
        let result = av.pointee.avcodec_send_frame(context, nil)
        guard result >= 0 else { throw .codec(FFmpegFailure(result, av).text) }
        try receive(body)
    }

    private func receive(_ body: (borrowing VideoPacket) throws(VideoError) -> Void) throws(VideoError) {
        while true {
            let result = av.pointee.avcodec_receive_packet(context, packet)
            if result == fs_averror_again() || result == fs_averror_eof() { return }
            guard result >= 0 else { throw .codec(FFmpegFailure(result, av).text) }
            defer { av.pointee.av_packet_unref(packet) }
            guard let data = packet.pointee.data,
                let (info, metadata) = pending.take(
                    pts: packet.pointee.pts,
                    dts: packet.pointee.dts == fs_av_nopts() ? packet.pointee.pts : packet.pointee.dts,
                    isKeyframe: packet.pointee.flags & AV_PKT_FLAG_KEY != 0
                )
            else { continue }
            // Invariant: the packet's bytes are there until it is unreferenced, after the call.
            let bytes = RawSpan(_unsafeStart: data, byteCount: Int(packet.pointee.size))
            let view = MetadataView(encoded: metadata.span.bytes)
            try body(VideoPacket(bytes: bytes, info: info, metadata: view))
        }
    }
}
#endif
