#if FFmpeg
internal import FFmpegBridge
internal import FrameShare

/// Sends packets to a network address, by anything that libavformat knows: RTMP, RTSP, SRT, UDP, HLS.
///
/// A connection begins at a keyframe. One that breaks is made again, after a pause that doubles up to the longest; packets
/// meanwhile are counted as lost. Not for several threads at once, but for ``stopper``.
public final class VideoStreamer {
    /// Where and how to send.
    public struct Options: Sendable, Hashable {
        /// The address, such as `rtmp://host/live/door`.
        public var address: String
        /// libavformat's name of the container; nil: what the address asks for.
        public var format: String?
        /// libavformat's options of the container.
        public var formatOptions: [String: String] = [:]
        /// How long connecting, and sending one packet, may take.
        public var timeout: Duration = .seconds(10)
        /// The longest pause before it connects again.
        public var longestPause: Duration = .seconds(10)
        /// Whether a first connection that fails is tried again as later ones are, not an error.
        public var waits = false
        /// Whether local files of others are replaced, where the address is one.
        public var overwrite = false

        public init(address: String) { self.address = address }
    }

    /// How it goes.
    public struct Statistics: Sendable, Equatable {
        /// Packets and their bytes that were handed to the network.
        public var sent = 0
        public var bytes = 0
        /// Packets that came while there was no connection, or before its keyframe.
        public var lost = 0
        /// How often it has connected: with muxers that write files, such as HLS, when the first file was taken; with one
        /// HTTP request for all, when the server has not refused it for 2 s.
        public var connections = 0
        /// Why the connection broke, or could not be made, the last time.
        public var lastFailure: VideoError?
        /// How much of pauses, and of clocks that were set ahead, the stream's time leaves out, in ns.
        public var leftOut: Int64 = 0
        /// Whether there is one now.
        public var isConnected = false

        public init() {}
    }

    public let options: Options
    private var stream: VideoStream
    private let muxer: String
    private let interruption = Interruption()
    private var writer: ContainerWriter?
    private let shown: ShownAddress
    private let files: OwnFiles
    /// A stream is of live pictures: a pause is no part of its time.
    private var line = FrameTimeline(pauses: .closed, longestKept: 1_800_000_000_000)
    private var start: Int64 = 0
    /// Packets that were sent, and are in a file that nobody has taken yet.
    private var untaken = 0
    private var taken = 0
    /// Files that were taken from connections before this one.
    private var takenBefore = 0
    /// Why HLS that has begun can't go on with other frames; nil: it can.
    private var oneKind: String?
    private var needsKeyframe = true
    private var nextTry: Int64 = 0
    private var pause: Int64 = 500_000_000
    private var connectedAt: Int64 = 0
    /// How it has gone so far.
    public private(set) var statistics = Statistics()

    /// Nothing is sent before the first keyframe.
    public init(_ stream: VideoStream, options: Options) throws(VideoError) {
        guard let muxer = options.format ?? Self.muxer(options.address) else {
            throw .unknownAddress(ShownAddress(options.address).description)
        }
        try Self.check(stream, muxer)
        try Self.checkRecovery(options, muxer)
        _ = try FFmpegLibrary.loaded()
        (self.stream, self.options, self.muxer) = (stream, options, muxer)
        shown = ShownAddress(options.address, others: Self.values(options.formatOptions))
        files = OwnFiles(overwrite: options.overwrite)
    }

    private static func check(_ stream: VideoStream, _ muxer: String) throws(VideoError) {
        if muxer == "flv", stream.codec != .h264 { throw .streamCannotCarry(stream.codec) }
    }

    /// A `fifo` that recovers by itself tells no failure, and its end would wait for a server that does not come back.
    private static func checkRecovery(_ options: Options, _ muxer: String) throws(VideoError) {
        guard muxer == "fifo" || muxer == "tee" else { return }
        let said = options.formatOptions.contains { recovers("\($0)=\($1)") }
        guard !said, !(muxer == "tee" && recovers(options.address)) else {
            throw .badOption("attempt_recovery: a stream connects again by itself, and says so")
        }
    }

    /// Whether options, those of a `fifo` in a `tee` among them, have `attempt_recovery` with a value that is not off.
    private static func recovers(_ options: String) -> Bool {
        // How deep it is quoted does not matter.
        let text = options.filter { !$0.isWhitespace && !"'\\".contains($0) }
        return text.ranges(of: "attempt_recovery=").contains { name in
            let value = text[name.upperBound...].prefix { $0.isLetter || $0.isNumber }
            return !["0", "false", "n", "no", "disable", "disabled", "off"].contains(value.lowercased())
        }
    }

    /// What an address of this kind is sent as.
    static func muxer(_ address: String) -> String? {
        guard let end = address.firstRange(of: "://")?.lowerBound else { return nil }
        switch address[..<end] {
        case "rtmp", "rtmps": return "flv"
        case "rtsp": return "rtsp"
        case "srt", "udp", "tcp": return "mpegts"
        case "http", "https":
            return address.prefix { $0 != "?" && $0 != "#" }.hasSuffix(".m3u8") ? "hls" : nil
        default: return nil
        }
    }

    /// Says that packets were lost: those up to the next keyframe can't be decoded.
    public func noteLoss() { if !stream.codec.isIntra { needsKeyframe = true } }

    /// Packets of another size or kind come from now on. MPEG-TS goes on with them. Of other containers the connection is
    /// ended in order, and the next keyframe begins another; HLS goes on in its playlist.
    /// - Throws: for a local file that can't go on, since another connection would begin it anew; for HLS whose segments are
    ///   in one file, or need one `init.mp4`, at a server too
    public func change(to stream: VideoStream) throws(VideoError) {
        try Self.check(stream, muxer)
        // Its header says no size: the packets alone do.
        if muxer == "mpegts", stream.codec == self.stream.codec {
            (self.stream, needsKeyframe) = (stream, true)
            return
        }
        if muxer != "hls", let writer, writer.isLocal {
            throw .output(
                path: shown.description,
                reason: "\(muxer) can't go on when the frames change. --format mpegts can; "
                    + "'frameshare record' begins a next file"
            )
        }
        if let oneKind, writer != nil || takenBefore + taken > 0 {
            throw .output(
                path: shown.description,
                reason: "HLS with \(oneKind) can't go on when the frames change. Without that option it can"
            )
        }
        // What fails here is counted.
        do throws(VideoError) { try finish() } catch {}
        self.stream = stream
        needsKeyframe = true
        // It was our end, not the receiver's: no pause.
        if statistics.lastFailure == nil { nextTry = 0 }
    }

    /// Lets a call that waits for the network end within a second. From any thread.
    public var stopper: @Sendable () -> Void {
        let interruption = interruption
        return { interruption.stop() }
    }

    /// Sends a packet, or counts it as lost. Waits for the network as long as ``Options/timeout`` allows.
    /// - Throws: when the first connection can't be made, unless it is to wait for it. Later, when another connection would
    ///   begin a local file anew, or the one file of HLS's segments.
    public func write(_ packet: borrowing VideoPacket) throws(VideoError) {
        if needsKeyframe || writer == nil {
            guard packet.info.isKeyframe, writer != nil || FrameTimestamp.now().nanoseconds >= nextTry else {
                statistics.lost += 1
                return
            }
            needsKeyframe = false
        }
        let place = line.place(packet.info.dts)
        let sum = statistics.leftOut.addingReportingOverflow(place.leftOut)
        statistics.leftOut = sum.overflow ? .max : sum.partialValue
        let info = packet.info.moved(to: place.time)
        do throws(VideoError) {
            if writer == nil { try connect(packet, info) }
            interruption.allow(options.timeout)
            let bytes = packet.bytes
            let (pts, dts) = (info.pts - start, info.dts - start)
            guard let writer else { return }
            // Before it is written, for one that fails is lost like those that came before it in its file.
            (statistics.sent, untaken) = (statistics.sent + 1, untaken + 1)
            try bytes.withUnsafeBytes { (bytes) throws(VideoError) in
                try writer.write(bytes, pts: pts, dts: dts, step: line.step, isKeyframe: info.isKeyframe)
            }
            statistics.bytes += bytes.byteCount
            noteTaken(writer)
        } catch {
            let isLast = statistics.isConnected && isWrittenOnce
            fail(error)
            if isLast || statistics.connections == 0 && !options.waits { throw error }
        }
    }

    /// Ends the connection in order.
    /// - Throws: when the last that was sent is not taken
    public func finish() throws(VideoError) {
        interruption.allowEnd(.seconds(5))
        defer {
            writer = nil
            statistics.isConnected = false
        }
        guard let writer else { return }
        do throws(VideoError) {
            try writer.finish()
            noteTaken(writer)
            if untaken > 0 { throw .output(path: shown.description, reason: "nobody has taken what was sent last") }
        } catch {
            fail(error)
            throw error
        }
    }

    /// Whether another connection would begin anew what this one has written.
    private var isWrittenOnce: Bool {
        guard let writer else { return false }
        return muxer == "hls" ? writer.hasOneFile : writer.isLocal
    }

    private func connect(_ packet: borrowing VideoPacket, _ info: VideoPacket.Info) throws(VideoError) {
        let parameters = try packet.parameterSets(stream.codec)
        interruption.allow(options.timeout)
        var formatOptions = options.formatOptions.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        formatOptions.append(("flush_packets", "1"))
        takenBefore += taken
        if muxer == "hls", takenBefore > 0 { goOn(with: &formatOptions) }
        let target = MuxerTarget(
            shown,
            address: options.address,
            muxer: muxer,
            options: formatOptions,
            files: files,
            interruption: interruption
        )
        (untaken, taken) = (0, 0)
        let writer = try ContainerWriter(target, stream.told(by: packet), parameters: parameters)
        oneKind =
            writer.hasOneFile ? "hls_flags=single_file" : writer.hasInitFile ? "hls_segment_type=fmp4" : nil
        self.writer = writer
        start = info.pts
    }

    /// A playlist goes on where the connection before ended, and no segment takes the place of an earlier one.
    private func goOn(with options: inout [(String, String)]) {
        let flags = options.last { $0.0 == "hls_flags" }?.1 ?? ""
        guard OwnFiles.path(self.options.address) == nil else {
            // libavformat reads it, and marks the break.
            return options.append(("hls_flags", flags + "+append_list"))
        }
        // A server may not give it back. There are fewer segments than files.
        options.append(("hls_flags", flags + "+discont_start"))
        let first = options.last { $0.0 == "start_number" }.flatMap { Int64($0.1) } ?? 0
        options.append(("start_number", "\(first.addingReportingOverflow(Int64(takenBefore)).partialValue)"))
    }

    private func noteTaken(_ writer: ContainerWriter) {
        if writer.opensLazily ? writer.taken > taken : writer.hasReached { untaken = 0 }
        taken = writer.taken
        guard writer.hasReached, !statistics.isConnected else { return }
        statistics.connections += 1
        statistics.isConnected = true
        connectedAt = FrameTimestamp.now().nanoseconds
    }

    private func fail(_ error: VideoError) {
        // Where there was no connection, this packet alone.
        let lost = max(untaken, writer == nil ? 1 : 0)
        statistics.sent -= untaken
        statistics.lost += lost
        untaken = 0
        statistics.lastFailure = error
        disconnect()
    }

    private func disconnect() {
        // One that breaks at once, as of a receiver that is not there, is not tried ever so often.
        if statistics.isConnected, FrameTimestamp.now().nanoseconds - connectedAt > 10_000_000_000 {
            pause = 500_000_000
        }
        interruption.allow(.zero)
        writer?.close()
        writer = nil
        needsKeyframe = true
        statistics.isConnected = false
        nextTry = FrameTimestamp.now().nanoseconds + pause
        pause = min(pause * 2, options.longestPause.nanosecondsClamped)
    }

    /// The address without what may be secret in it, for messages.
    public static func shown(_ options: Options) -> String { ShownAddress(options.address).description }

    /// Values that may be secret: numbers are none.
    private static func values(_ options: [String: String]) -> [String] {
        options.values.filter { Double($0) == nil && $0.utf8.count > 3 }
    }
}
#endif
