#if FFmpeg
internal import CFFmpeg
internal import FFmpegBridge
internal import PixelFormats

/// Decodes H.264 and HEVC packets, each to its picture at once.
final class PacketReader {
    private let av: UnsafePointer<fs_ffmpeg>
    private let context: UnsafeMutablePointer<AVCodecContext>
    private let packet: UnsafeMutablePointer<AVPacket>
    private let frame: UnsafeMutablePointer<AVFrame>
    /// Room for a packet, with the zeros behind it that decoders read.
    private var room: [UInt8] = []

    init(_ format: PixelFormat) throws(ConversionError) {
        do throws(FFmpegMissing) {
            av = try FFmpegLibrary.functions()
        } catch {
            throw .library(error.reason)
        }
        let codec = format == .hevc ? AV_CODEC_ID_HEVC : AV_CODEC_ID_H264
        guard let decoder = av.pointee.avcodec_find_decoder(codec) else {
            throw .library("libavcodec has no decoder for \(format)")
        }
        var made = av.pointee.avcodec_alloc_context3(decoder)
        var (packet, frame) = (av.pointee.av_packet_alloc(), av.pointee.av_frame_alloc())
        guard let context = made, let ownPacket = packet, let ownFrame = frame else {
            av.pointee.avcodec_free_context(&made)
            av.pointee.av_packet_free(&packet)
            av.pointee.av_frame_free(&frame)
            throw .failed("out of memory")
        }
        // One picture for each packet: no thread keeps one back.
        fs_AVCodecContext_thread_count(context).pointee = 1
        fs_AVCodecContext_flags(context).pointee |= AV_CODEC_FLAG_LOW_DELAY
        fs_AVCodecContext_max_pixels(context).pointee = 1 << 28
        let result = av.pointee.avcodec_open2(context, decoder, nil)
        guard result >= 0 else {
            let failure = FFmpegFailure(result, av)
            av.pointee.avcodec_free_context(&made)
            av.pointee.av_packet_free(&packet)
            av.pointee.av_frame_free(&frame)
            throw .failed(failure.text)
        }
        (self.context, self.packet, self.frame) = (context, ownPacket, ownFrame)
    }

    deinit {
        var (context, packet, frame):
            (UnsafeMutablePointer<AVCodecContext>?, UnsafeMutablePointer<AVPacket>?, UnsafeMutablePointer<AVFrame>?) =
                (context, packet, frame)
        av.pointee.avcodec_free_context(&context)
        av.pointee.av_packet_free(&packet)
        av.pointee.av_frame_free(&frame)
    }

    /// What came before is not followed by what comes: the next packet must be a keyframe.
    func forget() { av.pointee.avcodec_flush_buffers(context) }

    /// - Returns: the decoder's own picture until the next call; nil where the packet gave none
    func decode(_ data: UnsafeRawBufferPointer) throws(ConversionError) -> Picture? {
        room.removeAll(keepingCapacity: true)
        room.append(contentsOf: data)
        room.append(contentsOf: repeatElement(0, count: Int(AV_INPUT_BUFFER_PADDING_SIZE)))
        let (size, packet, context, av) = (Int32(data.count), packet, context, av)
        let sent = room.withUnsafeMutableBufferPointer { bytes in
            // Invariant: the decoder copies what it keeps, since the packet's data is no buffer of its own.
            packet.pointee.data = bytes.baseAddress
            packet.pointee.size = size
            let result = av.pointee.avcodec_send_packet(context, packet)
            packet.pointee.data = nil
            packet.pointee.size = 0
            return result
        }
        guard sent >= 0 || sent == fs_averror_again() else { throw .damaged(FFmpegFailure(sent, av).text) }
        let result = av.pointee.avcodec_receive_frame(context, frame)
        if result == fs_averror_again() { return nil }
        guard result >= 0 else { throw .damaged(FFmpegFailure(result, av).text) }
        guard let format = PixelFormat(ffmpeg: AVPixelFormat(rawValue: frame.pointee.format)) else {
            throw .failed("the decoder gives pixels of a format that has no equal here")
        }
        var colors = ColorSpace(ffmpeg: frame)
        if colors.range == .unknown { colors.range = .limited }
        if colors.encoding == .unknown { colors.encoding = .rec601 }
        let (width, height) = (Int(frame.pointee.width), Int(frame.pointee.height))
        guard let info = format.info else { throw .unknown(format) }
        let strides = [frame.pointee.linesize.0, frame.pointee.linesize.1, frame.pointee.linesize.2].map(Int.init)
        let planes = info.planes.indices.map { index in
            PlaneLayout(
                offset: 0,
                stride: strides[index],
                size: strides[index] * (info.planes[index].rows(height: height) ?? 0)
            )
        }
        var picture = Picture(
            ImageLayout(width: width, height: height, format: format, colorSpace: colors, planes: planes)
        )
        (picture.planes[0], picture.planes[1], picture.planes[2]) = (
            frame.pointee.data.0, frame.pointee.data.1, frame.pointee.data.2
        )
        return picture
    }
}
#endif
