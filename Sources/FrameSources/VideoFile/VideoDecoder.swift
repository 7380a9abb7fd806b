#if FFmpeg
internal import CFFmpeg
internal import FFmpegBridge
internal import PixelFormats

/// Pictures out of a file, by libavformat and libavcodec. What can't be read or decoded is gone over and counted.
final class VideoDecoder {
    /// A decoded picture: the decoder's, until the next.
    struct Picture {
        let frame: UnsafeMutablePointer<AVFrame>
        let shape: PictureShape
        /// In ns, by the file's own clock; nil: the file has no new time for it.
        let time: Int64?
        /// The decoder says that pixels are damaged.
        let isDamaged: Bool
        /// Pictures before it that could not be decoded.
        var lostBefore: Int
    }

    /// What was wrong last, in FFmpeg's words.
    private(set) var complaint: String?
    let av: UnsafePointer<fs_ffmpeg>
    private let path: String
    private let rate: Double?
    private let mostPixels: Int64
    private var media: MediaInput
    private let packet: UnsafeMutablePointer<AVPacket>
    private let frame: UnsafeMutablePointer<AVFrame>
    /// Decoded, and not yet asked for.
    private var pending: Picture?
    private var hasEnded = false
    private var packetIsDamaged = false
    private var lost = 0
    /// Errors in a row that came of no packet.
    private var emptyFailures = 0
    /// The first picture's time in the first pass, in units of the stream.
    private var firstStamp: Int64?
    private var lastStamp: Int64?

    /// More errors in a row of reading, or of emptying the decoder, end the file.
    private static let mostEmptyFailures = 64

    /// - Parameter rate: frames a second of a file that has no times of its own
    init(path: String, rate: Double?, mostPixels: Int64) throws(VideoFileError) {
        do throws(FFmpegMissing) {
            av = try FFmpegLibrary.functions()
        } catch {
            throw .notInstalled(error.reason)
        }
        (self.path, self.rate, self.mostPixels) = (path, rate, mostPixels)
        media = try MediaInput(path: path, rate: rate, mostPixels: mostPixels, av)
        var (packet, frame) = (av.pointee.av_packet_alloc(), av.pointee.av_frame_alloc())
        guard let ownPacket = packet, let ownFrame = frame else {
            av.pointee.av_packet_free(&packet)
            av.pointee.av_frame_free(&frame)
            throw .open(path: path, reason: "out of memory")
        }
        (self.packet, self.frame) = (ownPacket, ownFrame)
    }

    deinit {
        var (packet, frame): (UnsafeMutablePointer<AVPacket>?, UnsafeMutablePointer<AVFrame>?) = (packet, frame)
        av.pointee.av_frame_free(&frame)
        av.pointee.av_packet_free(&packet)
    }

    /// From one picture to the next by the file's average, in ns; nil where the file does not say.
    var interval: Int64? { media.interval }
    /// Of the file's first picture, in ns; nil where the file does not say.
    var startTime: Int64? { media.nanoseconds(fs_AVStream_start_time(media.stream).pointee) }
    /// Whether the rate that was asked for is the file's own now.
    var tookRate: Bool { media.tookRate }
    /// Whether the file may be a picture rather than a video.
    var mayBeStill: Bool { media.mayBeStill }

    /// The picture that ``next(stopped:)`` gives next.
    func peek() throws(VideoFileError) -> Picture? {
        if pending == nil { pending = try next { false } }
        return pending
    }

    /// The next picture in the order of showing; nil at the end, or when it was stopped.
    func next(stopped: () -> Bool) throws(VideoFileError) -> Picture? {
        if let pending {
            self.pending = nil
            return pending
        }
        while !stopped() {
            let result = av.pointee.avcodec_receive_frame(media.context, frame)
            if result >= 0 {
                emptyFailures = 0
                do throws(FFmpegFailure) {
                    return try picture()
                } catch {
                    damaged(error.text)
                    continue
                }
            }
            if result == fs_averror_eof() { return nil }
            if result == fs_averror_again() {
                guard !hasEnded else { return nil }
                try feed(stopped)
                continue
            }
            try failed(result)
            // A decoder that is empty has no packet left that would end its errors.
            if hasEnded {
                emptyFailures += 1
                if emptyFailures > Self.mostEmptyFailures { return nil }
            } else {
                try feed(stopped)
            }
        }
        return nil
    }

    /// Gives the decoder the next packet of the video, or the end.
    private func feed(_ stopped: () -> Bool) throws(VideoFileError) {
        var failures = 0
        while !stopped() {
            let result = av.pointee.av_read_frame(media.input, packet)
            if result >= 0 {
                failures = 0
                defer { av.pointee.av_packet_unref(packet) }
                guard packet.pointee.stream_index == fs_AVStream_index(media.stream).pointee else { continue }
                if packet.pointee.flags & AV_PKT_FLAG_CORRUPT != 0 { packetIsDamaged = true }
                let sent = av.pointee.avcodec_send_packet(media.context, packet)
                if sent < 0 { try failed(sent) }
                return
            }
            if result != fs_averror_eof() {
                complaint = FFmpegFailure(result, av).text
                if result == fs_averror_nomem() { throw .decode(path: path, reason: complaint ?? "") }
                failures += 1
                if failures <= Self.mostEmptyFailures { continue }
            }
            hasEnded = true
            _ = av.pointee.avcodec_send_packet(media.context, nil)
            return
        }
    }

    private func failed(_ code: Int32) throws(VideoFileError) {
        let text = FFmpegFailure(code, av).text
        // The machine's want, not the file's.
        if code == fs_averror_nomem() { throw .decode(path: path, reason: text) }
        damaged(text)
    }

    private func damaged(_ text: String) {
        complaint = text
        lost += 1
    }

    /// How many pictures could not be decoded since the last one that was.
    func takeLost() -> Int {
        defer { lost = 0 }
        return lost
    }

    private func picture() throws(FFmpegFailure) -> Picture {
        let shape = try PictureShape(frame, of: media.input, media.stream, av)
        let stamp = fs_AVFrame_best_effort_timestamp(frame).pointee
        if firstStamp == nil { firstStamp = stamp }
        // A stamp that comes twice says nothing new.
        let time = stamp == lastStamp ? nil : media.nanoseconds(stamp)
        lastStamp = stamp
        defer { (lost, packetIsDamaged) = (0, false) }
        return Picture(
            frame: frame,
            shape: shape,
            time: time,
            isDamaged: packetIsDamaged || fs_AVFrame_flags(frame).pointee & AV_FRAME_FLAG_CORRUPT != 0
                || fs_AVFrame_decode_error_flags(frame).pointee != 0,
            lostBefore: lost
        )
    }

    /// A reference to a picture, which outlives it: for a file of a single one.
    func kept(_ picture: Picture) throws(VideoFileError) -> KeptPicture {
        guard let kept = KeptPicture(picture, av) else { throw .decode(path: path, reason: "out of memory") }
        return kept
    }

    /// Begins at the beginning again.
    func rewind() throws(VideoFileError) {
        if media.seekToStart() {
            forget()
            // Some formats say that they seek, and come to another picture.
            if try peek() != nil, fs_AVFrame_best_effort_timestamp(frame).pointee == firstStamp { return }
        }
        media = try MediaInput(path: path, rate: rate, mostPixels: mostPixels, av)
        forget()
    }

    private func forget() {
        (pending, hasEnded, lastStamp, lost, packetIsDamaged, emptyFailures) = (nil, false, nil, 0, false, 0)
    }
}

/// A picture that stays when the decoder goes on.
final class KeptPicture {
    let picture: VideoDecoder.Picture
    private let av: UnsafePointer<fs_ffmpeg>

    init?(_ picture: VideoDecoder.Picture, _ av: UnsafePointer<fs_ffmpeg>) {
        var frame = av.pointee.av_frame_alloc()
        guard let own = frame, av.pointee.av_frame_ref(own, picture.frame) >= 0 else {
            av.pointee.av_frame_free(&frame)
            return nil
        }
        self.av = av
        self.picture = VideoDecoder.Picture(
            frame: own,
            shape: picture.shape,
            time: nil,
            isDamaged: picture.isDamaged,
            lostBefore: 0
        )
    }

    deinit {
        var frame: UnsafeMutablePointer<AVFrame>? = picture.frame
        av.pointee.av_frame_free(&frame)
    }
}
#endif
