#if FFmpeg
internal import CFFmpeg
internal import FFmpegBridge
internal import Glibc
internal import PixelFormats

/// Packets into a file, by libavformat.
final class ContainerWriter {
    private let av: UnsafePointer<fs_ffmpeg>
    private let context: UnsafeMutablePointer<AVFormatContext>
    private let stream: UnsafeMutablePointer<AVStream>
    private let packet: UnsafeMutablePointer<AVPacket>
    private let target: MuxerTarget
    /// Whether its header is written and its end is not.
    private var isOpen = false
    /// Decoding times have to grow.
    private var lastDTS = Int64.min
    /// A packet's duration is guessed to be that of the one before: the next one's time says it exactly.
    private var previous: Int64?
    private var interval: Int64

    /// - Parameters:
    ///   - parameters: the parameter sets of H.264 and HEVC, with start codes
    init(_ target: MuxerTarget, _ description: VideoStream, parameters: [UInt8]) throws(VideoError) {
        let av = try FFmpegLibrary.loaded()
        var made: UnsafeMutablePointer<AVFormatContext>?
        let result = av.pointee.avformat_alloc_output_context2(&made, nil, target.muxer, target.address)
        guard result >= 0, let context = made, let stream = av.pointee.avformat_new_stream(context, nil),
            let packet = av.pointee.av_packet_alloc()
        else { throw .codec("no output of the kind '\(target.muxer)' can be made: \(FFmpegFailure(result, av).text)") }
        (self.av, self.context, self.stream, self.packet, self.target) = (av, context, stream, packet, target)
        interval = Int64(1e9 / description.framesPerSecond)
        do throws(VideoError) {
            try describe(description, parameters, isAVI: target.muxer == VideoContainer.avi.rawValue)
            try begin()
        } catch {
            close()
            throw error
        }
    }

    deinit {
        close()
        var packet: UnsafeMutablePointer<AVPacket>? = packet
        av.pointee.av_packet_free(&packet)
        av.pointee.avformat_free_context(context)
    }

    private func describe(_ video: VideoStream, _ parameters: [UInt8], isAVI: Bool) throws(VideoError) {
        guard let codec = stream.pointee.codecpar else { throw .codec("out of memory") }
        codec.pointee.codec_type = AVMEDIA_TYPE_VIDEO
        codec.pointee.codec_id = video.codec.ffmpegID
        codec.pointee.width = Int32(video.width)
        codec.pointee.height = Int32(video.height)
        codec.pointee.format = video.pixelFormat
        codec.pointee.codec_tag = video.tag
        codec.pointee.color_primaries = video.colorSpace.ffmpegPrimaries
        codec.pointee.color_trc = video.colorSpace.ffmpegTransfer
        codec.pointee.color_space = video.colorSpace.ffmpegMatrix
        codec.pointee.color_range = video.colorSpace.range == .full ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG
        if !parameters.isEmpty {
            let padding = Int(AV_INPUT_BUFFER_PADDING_SIZE)
            guard let room = av.pointee.av_malloc(parameters.count + padding) else { throw .codec("out of memory") }
            memset(room, 0, parameters.count + padding)
            room.copyMemory(from: parameters, byteCount: parameters.count)
            codec.pointee.extradata = room.assumingMemoryBound(to: UInt8.self)
            codec.pointee.extradata_size = Int32(parameters.count)
        }
        let rate = Int32((video.framesPerSecond * 1000).rounded())
        stream.pointee.avg_frame_rate = AVRational(num: rate, den: 1000)
        // What the container makes of it stands there once its header is written.
        stream.pointee.time_base = isAVI ? AVRational(num: 1000, den: rate) : AVRational(num: 1, den: 1_000_000)
    }

    private func begin() throws(VideoError) {
        if let interruption = target.interruption { context.pointee.interrupt_callback = interruption.callback }
        if let memory = target.memory {
            context.pointee.pb = try memory.open(av)
            context.pointee.flags |= AVFMT_FLAG_CUSTOM_IO
        } else if let format = context.pointee.oformat, format.pointee.flags & AVFMT_NOFILE == 0 {
            // Others, such as RTSP and HLS, open what they need themselves.
            let result = av.pointee.avio_open2(
                &context.pointee.pb,
                target.address,
                AVIO_FLAG_WRITE,
                &context.pointee.interrupt_callback,
                nil
            )
            guard result >= 0 else { throw failure(result) }
        }
        var options: OpaquePointer?
        for option in target.options { _ = av.pointee.av_dict_set(&options, option.key, option.value, 0) }
        let result = av.pointee.avformat_write_header(context, &options)
        let unknown = av.pointee.av_dict_get(options, "", nil, AV_DICT_IGNORE_SUFFIX).map {
            String(cString: $0.pointee.key)
        }
        av.pointee.av_dict_free(&options)
        guard result >= 0 else { throw failure(result) }
        isOpen = true
        if let unknown { throw .badOption("the option '\(unknown)': '\(target.muxer)' does not know it") }
    }

    /// Writes a packet. Times are in ns from the file's beginning.
    func write(_ bytes: UnsafeRawBufferPointer, pts: Int64, dts: Int64, isKeyframe: Bool) throws(VideoError) {
        if let previous, pts > previous { interval = pts - previous }
        previous = pts
        let nanoseconds = AVRational(num: 1, den: 1_000_000_000)
        let base = stream.pointee.time_base
        packet.pointee.data = UnsafeMutableRawPointer(mutating: bytes.baseAddress)?.assumingMemoryBound(to: UInt8.self)
        packet.pointee.size = Int32(clamping: bytes.count)
        packet.pointee.stream_index = 0
        packet.pointee.flags = isKeyframe ? AV_PKT_FLAG_KEY : 0
        let decoding = av.pointee.av_rescale_q(dts, nanoseconds, base)
        lastDTS = max(decoding, lastDTS == .min ? .min : lastDTS + 1)
        packet.pointee.dts = lastDTS
        packet.pointee.pts = max(av.pointee.av_rescale_q(pts, nanoseconds, base), lastDTS)
        packet.pointee.duration = max(1, av.pointee.av_rescale_q(interval, nanoseconds, base))
        let result = av.pointee.av_write_frame(context, packet)
        // The bytes are the caller's.
        (packet.pointee.data, packet.pointee.size) = (nil, 0)
        if result < 0 { throw failure(result) }
        if let error = context.pointee.pb?.pointee.error, error < 0 { throw failure(error) }
    }

    /// Ends the file: writes what is missing, and closes it.
    func finish() throws(VideoError) {
        guard isOpen else { return }
        isOpen = false
        let result = av.pointee.av_write_trailer(context)
        let closed = closeOutput()
        if result < 0 { throw failure(result) }
        if closed < 0 { throw failure(closed) }
    }

    /// Closes a file that can't be finished.
    func close() {
        // Also after an error: it frees what the header has allocated.
        if isOpen { _ = av.pointee.av_write_trailer(context) }
        isOpen = false
        _ = closeOutput()
    }

    private func closeOutput() -> Int32 {
        if let memory = target.memory {
            memory.close(av, &context.pointee.pb)
            return 0
        }
        guard context.pointee.pb != nil, let format = context.pointee.oformat,
            format.pointee.flags & AVFMT_NOFILE == 0
        else { return 0 }
        return av.pointee.avio_closep(&context.pointee.pb)
    }

    private func failure(_ code: Int32) -> VideoError {
        if code == -ENOSPC || code == -EDQUOT { return .diskFull(path: target.label) }
        return .output(path: target.label, reason: FFmpegFailure(code, av).text)
    }
}
#endif
