#if FFmpeg
internal import CFFmpeg
internal import FFmpegBridge
internal import FrameShare
internal import Glibc
internal import PixelFormats

/// Pictures out of a file, by libavformat and libavcodec.
final class VideoDecoder {
    /// A decoded picture: the decoder's, until the next.
    struct Picture {
        fileprivate let frame: UnsafeMutablePointer<AVFrame>
        /// ns from the first picture.
        let pts: Int64
        /// ns to the next, about.
        let interval: Int64
    }

    let layout: ImageLayout
    private let path: String
    private let av: UnsafePointer<fs_ffmpeg>
    private var input: UnsafeMutablePointer<AVFormatContext>?
    private var context: UnsafeMutablePointer<AVCodecContext>?
    private var packet: UnsafeMutablePointer<AVPacket>?
    private var frame: UnsafeMutablePointer<AVFrame>?
    private let stream: UnsafeMutablePointer<AVStream>
    private let converter: PictureConverter?
    private var hasEnded = false
    private var firstPTS: Int64?
    private var lastPTS: Int64?
    private var interval: Int64

    init(path: String) throws(VideoFileError) {
        self.path = path
        do throws(FFmpegMissing) {
            av = try FFmpegLibrary.functions()
        } catch {
            throw .notInstalled(error.reason)
        }
        let av = av
        var input: UnsafeMutablePointer<AVFormatContext>?
        // Else a colon in the name would be taken for a protocol.
        var result = av.pointee.avformat_open_input(&input, PathText.cString("file:" + path), nil, nil)
        guard result >= 0, let input else { throw .open(path: path, reason: FFmpegFailure(result, av).text) }
        var context: UnsafeMutablePointer<AVCodecContext>?
        var isDone = false
        defer {
            if !isDone {
                var input: UnsafeMutablePointer<AVFormatContext>? = input
                av.pointee.avcodec_free_context(&context)
                av.pointee.avformat_close_input(&input)
            }
        }
        result = av.pointee.avformat_find_stream_info(input, nil)
        guard result >= 0 else { throw .open(path: path, reason: FFmpegFailure(result, av).text) }
        let index = av.pointee.av_find_best_stream(input, AVMEDIA_TYPE_VIDEO, -1, -1, nil, 0)
        guard index >= 0, let stream = input.pointee.streams[Int(index)], let parameters = stream.pointee.codecpar
        else {
            throw .noVideo(path: path)
        }
        guard let codec = av.pointee.avcodec_find_decoder(parameters.pointee.codec_id) else {
            throw .noVideo(path: path)
        }
        context = av.pointee.avcodec_alloc_context3(codec)
        guard let context, let packet = av.pointee.av_packet_alloc(), let frame = av.pointee.av_frame_alloc() else {
            throw .open(path: path, reason: "out of memory")
        }
        result = av.pointee.avcodec_parameters_to_context(context, parameters)
        if result >= 0 { result = av.pointee.avcodec_open2(context, codec, nil) }
        guard result >= 0 else { throw .open(path: path, reason: FFmpegFailure(result, av).text) }
        let own = AVPixelFormat(rawValue: parameters.pointee.format)
        let known = PixelFormat(ffmpeg: own)
        var colors = ColorSpace(ffmpeg: context)
        // Those with a J are full range by their name.
        if [AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUVJ444P].contains(own) { colors.range = .full }
        do throws(ImageLayoutError) {
            layout = try .computed(
                width: Int(parameters.pointee.width),
                height: Int(parameters.pointee.height),
                format: known ?? .yuv420,
                colorSpace: colors
            )
        } catch {
            throw .open(path: path, reason: "\(error)")
        }
        do throws(FFmpegFailure) {
            converter =
                known != nil
                ? nil
                : try PictureConverter(from: layout, own, to: AV_PIX_FMT_YUV420P, colors: colors, av)
        } catch {
            throw .open(path: path, reason: error.text)
        }
        let rate = stream.pointee.avg_frame_rate
        interval = rate.num > 0 ? 1_000_000_000 * Int64(rate.den) / Int64(rate.num) : 33_333_333
        (self.input, self.context, self.packet, self.frame, self.stream) = (input, context, packet, frame, stream)
        isDone = true
    }

    deinit {
        av.pointee.av_frame_free(&frame)
        av.pointee.av_packet_free(&packet)
        av.pointee.avcodec_free_context(&context)
        av.pointee.avformat_close_input(&input)
    }

    /// The next picture in the order of showing; nil at the end.
    func next() throws(VideoFileError) -> Picture? {
        while true {
            let result = av.pointee.avcodec_receive_frame(context, frame)
            if result >= 0, let frame { return picture(frame) }
            if result == fs_averror_eof() { return nil }
            guard result == fs_averror_again() else { throw failure(result) }
            try feed()
        }
    }

    private func feed() throws(VideoFileError) {
        guard !hasEnded, let packet else { return }
        while true {
            let result = av.pointee.av_read_frame(input, packet)
            if result == fs_averror_eof() {
                hasEnded = true
                _ = av.pointee.avcodec_send_packet(context, nil)
                return
            }
            guard result >= 0 else { throw failure(result) }
            defer { av.pointee.av_packet_unref(packet) }
            guard packet.pointee.stream_index == stream.pointee.index else { continue }
            let sent = av.pointee.avcodec_send_packet(context, packet)
            guard sent >= 0 else { throw failure(sent) }
            return
        }
    }

    private func picture(_ frame: UnsafeMutablePointer<AVFrame>) -> Picture {
        let nanoseconds = AVRational(num: 1, den: 1_000_000_000)
        let stamp = frame.pointee.best_effort_timestamp
        let time =
            stamp == fs_av_nopts()
            ? (lastPTS ?? 0) + interval : av.pointee.av_rescale_q(stamp, stream.pointee.time_base, nanoseconds)
        if firstPTS == nil { firstPTS = time }
        if let lastPTS, time > lastPTS { interval = time - lastPTS }
        lastPTS = time
        return Picture(frame: frame, pts: time - (firstPTS ?? 0), interval: interval)
    }

    /// Begins at the beginning again.
    func rewind() throws(VideoFileError) {
        let result = av.pointee.av_seek_frame(input, stream.pointee.index, 0, AVSEEK_FLAG_BACKWARD)
        guard result >= 0 else { throw failure(result) }
        av.pointee.avcodec_flush_buffers(context)
        (hasEnded, firstPTS, lastPTS) = (false, nil, nil)
    }

    /// Copies a picture's pixels into the slot's image.
    func copy(_ picture: Picture, into slot: borrowing WritableSlot) throws(VideoFileError) {
        var source = picture.frame
        if let converter {
            do throws(FFmpegFailure) {
                source = try converter.convert(picture.frame)
            } catch {
                throw .decode(path: path, reason: error.text)
            }
        }
        // A file may change its size on the way; a channel's frames have one.
        guard Int(source.pointee.width) == layout.width, Int(source.pointee.height) == layout.height else {
            throw .sizeChanged(path: path)
        }
        let planes = Planes(source)
        _ = slot.image(at: 0)?.withUnsafeMutableBytes { room in
            for (index, plane) in layout.planes.enumerated() {
                guard let from = planes.data(index), let to = room.baseAddress else { continue }
                let (rowBytes, stride) = (layout.rowBytes(plane: index) ?? 0, planes.stride(index))
                for row in 0..<(layout.rows(plane: index) ?? 0) {
                    memcpy(to + plane.offset + row * plane.stride, from + row * stride, rowBytes)
                }
            }
        }
    }

    private struct Planes {
        let frame: UnsafeMutablePointer<AVFrame>
        init(_ frame: UnsafeMutablePointer<AVFrame>) { self.frame = frame }

        func data(_ plane: Int) -> UnsafeMutablePointer<UInt8>? {
            switch plane {
            case 0: frame.pointee.data.0
            case 1: frame.pointee.data.1
            default: frame.pointee.data.2
            }
        }

        func stride(_ plane: Int) -> Int {
            switch plane {
            case 0: Int(frame.pointee.linesize.0)
            case 1: Int(frame.pointee.linesize.1)
            default: Int(frame.pointee.linesize.2)
            }
        }
    }

    private func failure(_ code: Int32) -> VideoFileError {
        .decode(path: path, reason: FFmpegFailure(code, av).text)
    }
}
#endif
