#if FFmpeg
internal import CFFmpeg
internal import FFmpegBridge
internal import FrameShare
internal import Glibc
internal import PixelFormats

/// Packets into a file, by libavformat.
final class ContainerWriter {
    private let av: UnsafePointer<fs_ffmpeg>
    private var context: UnsafeMutablePointer<AVFormatContext>
    private var stream: UnsafeMutablePointer<AVStream>
    private let description: VideoStream
    private let parameters: [UInt8]
    /// What an MP4's first muxer has added to all times, so that none is negative; a later one is given it.
    private var shift: Int64?
    private var firstDTS: Int64 = 0
    private let packet: UnsafeMutablePointer<AVPacket>
    private let target: MuxerTarget
    /// Whether its header is written and its end is not.
    private var isOpen = false
    /// What the muxer opens itself.
    private var outputs: InnerOutputs?
    /// What an HTTP server says to all that is sent it in one request.
    private var answer: ServerAnswer?
    /// The local file that is this writer's own: made, or emptied, by it.
    private var ownFile: String?
    private var hasFailed = false
    /// Where the header ended, and how far the output went with the last packet that was written well.
    private var places: (header: Int64, good: Int64) = (0, 0)
    /// The decoding time of the packet before, in ns.
    private var previous: Int64?
    /// Decoding times have to grow.
    private var lastDTS = Int64.min
    /// Whether two packets may have one decoding time.
    private var takesEqualTimes: Bool {
        context.pointee.oformat.map { $0.pointee.flags & AVFMT_TS_NONSTRICT != 0 } ?? false
    }

    /// - Parameters:
    ///   - parameters: the parameter sets of H.264 and HEVC, with start codes
    init(_ target: MuxerTarget, _ description: VideoStream, parameters: [UInt8]) throws(VideoError) {
        let av = try FFmpegLibrary.loaded()
        guard let packet = av.pointee.av_packet_alloc() else { throw .codec("out of memory") }
        do throws(VideoError) {
            (context, stream) = try Self.make(target, av)
        } catch {
            var packet: UnsafeMutablePointer<AVPacket>? = packet
            av.pointee.av_packet_free(&packet)
            throw error
        }
        (self.av, self.packet, self.target) = (av, packet, target)
        (self.description, self.parameters) = (description, parameters)
        do throws(VideoError) {
            try describe(stream)
            try begin()
        } catch {
            close()
            removeOwnFile { _ in true }
            throw error
        }
    }

    deinit {
        close()
        var packet: UnsafeMutablePointer<AVPacket>? = packet
        av.pointee.av_packet_free(&packet)
        av.pointee.avformat_free_context(context)
    }

    private static func make(
        _ target: MuxerTarget,
        _ av: UnsafePointer<fs_ffmpeg>
    ) throws(VideoError) -> (UnsafeMutablePointer<AVFormatContext>, UnsafeMutablePointer<AVStream>) {
        var made: UnsafeMutablePointer<AVFormatContext>?
        let result = av.pointee.avformat_alloc_output_context2(
            &made,
            nil,
            target.muxer,
            PathText.cString(target.address)
        )
        guard result >= 0, let context = made else {
            let reason = target.shown.redacting(FFmpegFailure(result, av).text)
            throw .codec("no output of the kind '\(target.muxer)' can be made: \(reason)")
        }
        guard let stream = av.pointee.avformat_new_stream(context, nil) else {
            av.pointee.avformat_free_context(context)
            throw .codec("out of memory")
        }
        return (context, stream)
    }

    private func describe(_ stream: UnsafeMutablePointer<AVStream>) throws(VideoError) {
        let (video, isAVI) = (description, target.muxer == VideoContainer.avi.rawValue)
        guard let codec = fs_AVStream_codecpar(stream).pointee else { throw .codec("out of memory") }
        codec.pointee.codec_type = AVMEDIA_TYPE_VIDEO
        codec.pointee.codec_id = video.codec.ffmpegID
        fs_AVCodecParameters_width(codec).pointee = Int32(video.width)
        fs_AVCodecParameters_height(codec).pointee = Int32(video.height)
        fs_AVCodecParameters_format(codec).pointee = video.pixelFormat
        codec.pointee.codec_tag = video.tag
        fs_AVCodecParameters_color_primaries(codec).pointee = video.colorSpace.ffmpegPrimaries
        fs_AVCodecParameters_color_trc(codec).pointee = video.colorSpace.ffmpegTransfer
        fs_AVCodecParameters_color_space(codec).pointee = video.colorSpace.ffmpegMatrix
        fs_AVCodecParameters_color_range(codec).pointee =
            video.colorSpace.range == .full ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG
        if !parameters.isEmpty {
            let padding = Int(AV_INPUT_BUFFER_PADDING_SIZE)
            guard let room = av.pointee.av_malloc(parameters.count + padding) else { throw .codec("out of memory") }
            memset(room, 0, parameters.count + padding)
            room.copyMemory(from: parameters, byteCount: parameters.count)
            codec.pointee.extradata = room.assumingMemoryBound(to: UInt8.self)
            codec.pointee.extradata_size = Int32(parameters.count)
        }
        if let aspect = video.pixelAspect {
            fs_AVCodecParameters_sample_aspect_ratio(codec).pointee = AVRational(num: aspect.width, den: aspect.height)
            fs_AVStream_sample_aspect_ratio(stream).pointee = fs_AVCodecParameters_sample_aspect_ratio(codec).pointee
        }
        let rate = video.framesPerThousandSeconds
        fs_AVStream_avg_frame_rate(stream).pointee = AVRational(num: rate, den: 1000)
        // What the container makes of it stands there once its header is written.
        fs_AVStream_time_base(stream).pointee =
            isAVI ? AVRational(num: 1000, den: rate) : AVRational(num: 1, den: 1_000_000)
    }

    private func begin() throws(VideoError) {
        if let interruption = target.interruption {
            fs_AVFormatContext_interrupt_callback(context).pointee = interruption.callback
        }
        if let memory = target.memory {
            context.pointee.pb = try memory.open(av)
            fs_AVFormatContext_flags(context).pointee |= AVFMT_FLAG_CUSTOM_IO
        } else if let format = context.pointee.oformat, format.pointee.flags & AVFMT_NOFILE == 0 {
            // Others, such as RTSP and HLS, open what they need themselves.
            var options: OpaquePointer?
            defer { av.pointee.av_dict_free(&options) }
            // Else nobody hears that there is no receiver; `?connect=0` in the address has it so.
            if target.address.hasPrefix("udp:") { _ = av.pointee.av_dict_set(&options, "connect", "1", 0) }
            let open = { [av, context, target] in
                av.pointee.avio_open2(
                    &context.pointee.pb,
                    PathText.cString(target.address),
                    AVIO_FLAG_WRITE,
                    fs_AVFormatContext_interrupt_callback(context),
                    &options
                )
            }
            let result: Int32
            if ServerAnswer.isHTTP(target.address) {
                (result, answer) = ServerAnswer.opening(target.address, open)
            } else {
                result = target.files.opening(target.address, open)
            }
            guard result >= 0 else { throw failure(result) }
            ownFile = OwnFiles.path(target.address)
        }
        if target.memory == nil {
            outputs = InnerOutputs(
                context,
                // A connection that is used again can't be one that is gathered here.
                gathers: !target.options.contains { $0.key == "http_persistent" && $0.value != "0" },
                files: target.files,
                av
            )
        }
        var options: OpaquePointer?
        for option in target.options { _ = av.pointee.av_dict_set(&options, option.key, option.value, 0) }
        let result = av.pointee.avformat_write_header(context, &options)
        let unknown = av.pointee.av_dict_get(options, "", nil, AV_DICT_IGNORE_SUFFIX).map {
            String(cString: $0.pointee.key)
        }
        av.pointee.av_dict_free(&options)
        if result < 0, let refusal = answer?.look() { throw self.refusal(refusal) }
        guard result >= 0 else { throw failure(result) }
        isOpen = true
        places = (place, place)
        if let unknown { throw .badOption("the option '\(unknown)': '\(target.muxer)' does not know it") }
    }

    /// Writes a packet. Times are in ns from the file's beginning.
    /// - Parameter step: the usual time from one packet to the next
    func write(
        _ bytes: UnsafeRawBufferPointer,
        pts: Int64,
        dts: Int64,
        step: Int64,
        isKeyframe: Bool
    ) throws(VideoError) {
        // Not all players know the Huffman tables that cameras leave out of MJPEG.
        if fs_AVStream_codecpar(stream).pointee?.pointee.codec_id == AV_CODEC_ID_MJPEG,
            let complete = StandardHuffmanTables.adding(to: bytes)
        {
            return try complete.span.bytes.withUnsafeBytes { (bytes) throws(VideoError) in
                try writeComplete(bytes, pts: pts, dts: dts, step: step, isKeyframe: isKeyframe)
            }
        }
        try writeComplete(bytes, pts: pts, dts: dts, step: step, isKeyframe: isKeyframe)
    }

    private func writeComplete(
        _ bytes: UnsafeRawBufferPointer,
        pts: Int64,
        dts: Int64,
        step: Int64,
        isKeyframe: Bool
    ) throws(VideoError) {
        let nanoseconds = AVRational(num: 1, den: 1_000_000_000)
        let base = fs_AVStream_time_base(stream).pointee
        let decoding = av.pointee.av_rescale_q(dts, nanoseconds, base)
        if lastDTS == .min {
            (lastDTS, firstDTS) = (decoding, decoding)
        } else {
            try bridge(from: lastDTS, to: decoding)
            lastDTS = max(decoding, lastDTS + (takesEqualTimes ? 0 : 1))
        }
        packet.pointee.data = UnsafeMutableRawPointer(mutating: bytes.baseAddress)?.assumingMemoryBound(to: UInt8.self)
        packet.pointee.size = Int32(clamping: bytes.count)
        packet.pointee.stream_index = 0
        packet.pointee.flags = isKeyframe ? AV_PKT_FLAG_KEY : 0
        packet.pointee.dts = lastDTS + (shift ?? 0)
        packet.pointee.pts = max(av.pointee.av_rescale_q(pts, nanoseconds, base), lastDTS) + (shift ?? 0)
        // As far as the last one was from the one before, which is exact on the whole; after a break the usual step.
        let gap = previous.map { dts - $0 } ?? step
        previous = dts
        let shown = gap >= 0 && gap / 2 <= step ? gap : step
        packet.pointee.duration = min(max(1, av.pointee.av_rescale_q(shown, nanoseconds, base)), Self.longestGap)
        let result = av.pointee.av_write_frame(context, packet)
        // The bytes are the caller's.
        (packet.pointee.data, packet.pointee.size) = (nil, 0)
        try check(result)
        places.good = place
    }

    /// Whether anything has been written that somebody took: muxers that open files themselves may have none yet.
    var hasReached: Bool {
        if opensLazily { return taken > 0 }
        if opensBeside { return outputs?.isReached ?? false }
        return answer?.isTaken ?? true
    }
    /// How many files of such a muxer were taken.
    var taken: Int { outputs?.taken ?? 0 }
    /// Whether the muxer sends what it was given in files of its own.
    var opensLazily: Bool { Self.isOfFiles(innerMuxer ?? target.muxer) }
    /// Whether what the muxer opens itself is known: RTSP's connections are not.
    private var opensBeside: Bool {
        switch target.muxer {
        case "tee": outputs.map { $0.taken > 0 || $0.isOpen } ?? false
        case "fifo": innerMuxer != "rtsp" && innerMuxer != "sap"
        default: false
        }
    }
    /// Whether something goes to local files, which another writer would begin anew, or to a pipe that is open already, whose
    /// reader would find another header in the middle.
    var isLocal: Bool {
        if target.address.hasPrefix("pipe:") { return true }
        if opensLazily { return OwnFiles.path(target.address) != nil }
        return ownFile.map(NewFile.isRegular) ?? false || outputs?.hasLocalFile ?? false
    }
    /// Whether all of HLS's segments are in one file, which another writer would begin anew: `hls_flags=single_file`.
    var hasOneFile: Bool { target.muxer == "hls" && number("hls_flags") & 1 != 0 }
    /// Whether all of HLS's segments need one file of parameter sets, which another writer replaces: `hls_segment_type=fmp4`.
    var hasInitFile: Bool { target.muxer == "hls" && number("hls_segment_type") == 1 }
    /// What `fifo` hands packets to.
    private var innerMuxer: String? {
        target.muxer == "fifo" ? target.options.last { $0.key == "fifo_format" }?.value : nil
    }

    /// An option as the muxer has understood it.
    private func number(_ option: String) -> Int64 {
        guard let own = context.pointee.priv_data else { return 0 }
        var value: Int64 = 0
        _ = av.pointee.av_opt_get_int(own, option, 0, &value)
        return value
    }

    /// Whether a muxer makes files of its own, each of which is whole at some time.
    static func isOfFiles(_ muxer: String) -> Bool {
        ["dash", "hls", "segment", "smoothstreaming", "stream_segment", "ssegment", "webm_chunk"].contains(muxer)
    }

    /// How far the output has gone.
    private var place: Int64 {
        guard let output = context.pointee.pb else { return 0 }
        return output.pointee.pos + Int64(output.pointee.buf_ptr - output.pointee.buffer)
    }

    private func check(_ result: Int32) throws(VideoError) {
        outputs?.look()
        if let failure = outputs?.failure { throw self.failure(failure.reason, of: failure.name) }
        if let refusal = answer?.look() { throw self.refusal(refusal) }
        if result < 0 { throw failure(result) }
        if let error = context.pointee.pb?.pointee.error, error < 0 { throw failure(error) }
    }

    /// MP4 tells the time between two packets of a fragment in 31 bits.
    private static let longestGap: Int64 = 1 << 30
    /// AVI fills gaps with empty chunks; libavformat makes up to 60000 of them at a time.
    private static let longestFill: Int64 = 50_000

    /// Gets over a gap that the container's muxer takes for an error.
    private func bridge(from last: Int64, to next: Int64) throws(VideoError) {
        switch VideoContainer(rawValue: target.muxer) {
        case .mp4 where next - last > Self.longestGap: try beginAgain()
        case .avi:
            var at = last
            var nothing: UInt8 = 0
            while next - at > Self.longestFill {
                at += Self.longestFill
                let result = withUnsafeMutablePointer(to: &nothing) { nothing in
                    (packet.pointee.data, packet.pointee.size) = (nothing, 0)
                    (packet.pointee.stream_index, packet.pointee.flags, packet.pointee.duration) = (0, 0, 1)
                    (packet.pointee.pts, packet.pointee.dts) = (at, at)
                    defer { packet.pointee.data = nil }
                    return av.pointee.av_write_frame(context, packet)
                }
                try check(result)
            }
            lastDTS = at
        default: break
        }
    }

    /// Goes on in the same MP4 with another muxer, whose first fragment tells its own time, in 64 bits.
    private func beginAgain() throws(VideoError) {
        guard let own = context.pointee.priv_data else { return }
        var fragments: Int64 = 0
        _ = av.pointee.av_opt_get_int(own, "fragment_index", 0, &fragments)
        // The table at a file's end would tell of some fragments only.
        _ = av.pointee.av_opt_set(own, "movflags", "+skip_trailer", 0)
        isOpen = false
        try check(av.pointee.av_write_trailer(context))
        let (context, stream) = try Self.make(target, av)
        // Its header is that of the file, and stands there already.
        let header = MuxedBytes()
        do throws(VideoError) {
            try describe(stream)
            context.pointee.pb = try header.open(av)
            fs_AVFormatContext_flags(context).pointee |= AVFMT_FLAG_CUSTOM_IO
            fs_AVFormatContext_avoid_negative_ts(context).pointee = 0
            var options: OpaquePointer?
            defer { av.pointee.av_dict_free(&options) }
            for option in target.options { _ = av.pointee.av_dict_set(&options, option.key, option.value, 0) }
            let flags = target.options.first { $0.key == "movflags" }?.value ?? ""
            _ = av.pointee.av_dict_set(&options, "movflags", flags + "+frag_discont+skip_trailer", 0)
            _ = av.pointee.av_dict_set(&options, "fragment_index", "\(min(fragments + 2, Int64(Int32.max)))", 0)
            let result = av.pointee.avformat_write_header(context, &options)
            guard result >= 0 else { throw failure(result) }
        } catch {
            header.close(av, &context.pointee.pb)
            av.pointee.avformat_free_context(context)
            throw error
        }
        header.close(av, &context.pointee.pb)
        (context.pointee.pb, self.context.pointee.pb) = (self.context.pointee.pb, nil)
        av.pointee.avformat_free_context(self.context)
        (self.context, self.stream) = (context, stream)
        isOpen = true
        shift = shift ?? -firstDTS
    }

    /// Ends the file: writes what is missing, and closes it.
    func finish() throws(VideoError) {
        guard isOpen else { return }
        isOpen = false
        let result = av.pointee.av_write_trailer(context)
        let written = context.pointee.pb?.pointee.error ?? 0
        var refused = answer?.look()
        if result >= 0, written >= 0, refused == nil { refused = answer?.end(atMost: Self.answerTime) }
        let end = closeOutput()
        let closed = answer?.hasEnded == true ? 0 : end
        do throws(VideoError) {
            if let failure = outputs?.failure { throw self.failure(failure.reason, of: failure.name) }
            if let refused { throw refusal(refused) }
            for result in [result, written, closed] where result < 0 { throw failure(result) }
            if let answer, !answer.hasEnded, let late = answer.wait(atMost: Self.answerTime) { throw refusal(late) }
        } catch {
            removeOwnFile(where: isWorthless)
            throw error
        }
        answer = nil
    }

    /// How long a server may take to answer when all is sent.
    static let answerTime = Duration.seconds(5)

    /// Closes a file that can't be finished.
    func close() {
        // Also after an error: it frees what the header has allocated.
        if isOpen { _ = av.pointee.av_write_trailer(context) }
        isOpen = false
        _ = closeOutput()
        answer = nil
        if hasFailed { removeOwnFile(where: isWorthless) }
    }

    /// Whether a file of so many bytes has nothing but its header, if that.
    private func isWorthless(_ size: Int64) -> Bool { size <= places.header }

    /// Removes a file that failed. A pipe or a device stays.
    private func removeOwnFile(where isRemoved: (Int64) -> Bool) {
        guard let name = ownFile.map(PathText.cString) else { return }
        var status = stat()
        guard lstat(name, &status) == 0, status.st_mode & S_IFMT == S_IFREG, isRemoved(Int64(status.st_size)) else {
            return
        }
        unlink(name)
        ownFile = nil
    }

    /// Whether what was written so far can be played: what is on the disk, not what waits to be written.
    private var isPlayable: Bool {
        if let outputs, opensLazily { return outputs.taken > 0 }
        var status = stat()
        guard let ownFile, stat(PathText.cString(ownFile), &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            return places.good > places.header
        }
        return min(places.good, Int64(status.st_size)) > places.header
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

    private func failure(_ code: Int32) -> VideoError { failure(FFmpegFailure(code, av)) }

    private func refusal(_ refusal: ServerAnswer.Refusal) -> VideoError {
        hasFailed = true
        return .output(path: target.shown.description, reason: target.shown.redacting(refusal.text))
    }

    /// - Parameter name: of the file that failed, where the muxer has made several
    private func failure(_ failure: FFmpegFailure, of name: String? = nil) -> VideoError {
        hasFailed = true
        let label = name.map { OwnFiles.path($0) ?? ShownAddress($0).description } ?? target.shown.description
        switch failure.code {
        case -ENOSPC, -EDQUOT: return .diskFull(path: label, isPlayable: isPlayable)
        case -EEXIST: return .fileExists(label)
        case OwnFiles.nobodyReads: return .output(path: label, reason: "nobody reads this pipe")
        case fs_averror_exit():
            return .output(path: label, reason: target.interruption?.reason ?? "it was told to end")
        default: return .output(path: label, reason: target.shown.redacting(failure.text))
        }
    }
}
#endif
