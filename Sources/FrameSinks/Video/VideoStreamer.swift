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

        public init(address: String) { self.address = address }
    }

    /// How it goes.
    public struct Statistics: Sendable, Equatable {
        /// Packets and their bytes that were handed to the network.
        public var sent = 0
        public var bytes = 0
        /// Packets that came while there was no connection, or before its keyframe.
        public var lost = 0
        /// How often it has connected.
        public var connections = 0
        /// Why the connection broke, or could not be made, the last time.
        public var lastFailure: VideoError?
        /// Whether there is one now.
        public var isConnected = false

        public init() {}
    }

    public let options: Options
    private let stream: VideoStream
    private let muxer: String
    private let interruption = Interruption()
    private var writer: ContainerWriter?
    private var start: Int64 = 0
    private var needsKeyframe = true
    private var nextTry: Int64 = 0
    private var pause: Int64 = 500_000_000
    /// How it has gone so far.
    public private(set) var statistics = Statistics()

    /// Nothing is sent before the first keyframe.
    public init(_ stream: VideoStream, options: Options) throws(VideoError) {
        guard let muxer = options.format ?? Self.muxer(options.address) else { throw .unknownAddress(options.address) }
        if muxer == "flv", stream.codec != .h264 { throw .containerCannotHold(container: "RTMP (flv)", stream.codec) }
        _ = try FFmpegLibrary.loaded()
        (self.stream, self.options, self.muxer) = (stream, options, muxer)
    }

    /// What an address of this kind is sent as.
    static func muxer(_ address: String) -> String? {
        guard let end = address.firstRange(of: "://")?.lowerBound else { return nil }
        switch address[..<end] {
        case "rtmp", "rtmps": return "flv"
        case "rtsp": return "rtsp"
        case "srt", "udp", "tcp": return "mpegts"
        case "http", "https": return address.hasSuffix(".m3u8") ? "hls" : nil
        default: return nil
        }
    }

    /// Says that packets were lost: those up to the next keyframe can't be decoded.
    public func noteLoss() { if !stream.codec.isIntra { needsKeyframe = true } }

    /// Lets a call that waits for the network end within a second. From any thread.
    public var stopper: @Sendable () -> Void {
        let interruption = interruption
        return { interruption.allow(.seconds(1)) }
    }

    /// Sends a packet, or counts it as lost. Waits for the network as long as ``Options/timeout`` allows.
    /// - Throws: when the first connection can't be made, unless it is to wait for it.
    public func write(_ packet: borrowing VideoPacket) throws(VideoError) {
        let info = packet.info
        if needsKeyframe || writer == nil {
            guard info.isKeyframe, writer != nil || FrameTimestamp.now().nanoseconds >= nextTry else {
                statistics.lost += 1
                return
            }
            needsKeyframe = false
        }
        do throws(VideoError) {
            if writer == nil { try connect(packet) }
            interruption.allow(options.timeout)
            let bytes = packet.bytes
            let (pts, dts) = (info.pts - start, info.dts - start)
            guard let writer else { return }
            try bytes.withUnsafeBytes { (bytes) throws(VideoError) in
                try writer.write(bytes, pts: pts, dts: dts, isKeyframe: info.isKeyframe)
            }
            statistics.sent += 1
            statistics.bytes += bytes.byteCount
        } catch {
            statistics.lost += 1
            statistics.lastFailure = error
            disconnect()
            if statistics.connections == 0, !options.waits { throw error }
        }
    }

    /// Ends the connection in order.
    public func finish() {
        interruption.allow(.seconds(2))
        try? writer?.finish()
        writer = nil
        statistics.isConnected = false
    }

    private func connect(_ packet: borrowing VideoPacket) throws(VideoError) {
        let parameters = try packet.parameterSets(stream.codec)
        interruption.allow(options.timeout)
        var formatOptions = options.formatOptions.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        formatOptions.append(("flush_packets", "1"))
        let target = MuxerTarget(
            label: Self.withoutSecrets(options.address),
            address: options.address,
            muxer: muxer,
            options: formatOptions,
            interruption: interruption
        )
        writer = try ContainerWriter(target, stream, parameters: parameters)
        start = packet.info.pts
        statistics.connections += 1
        statistics.isConnected = true
        pause = 500_000_000
    }

    private func disconnect() {
        interruption.allow(.zero)
        writer?.close()
        writer = nil
        needsKeyframe = true
        statistics.isConnected = false
        nextTry = FrameTimestamp.now().nanoseconds + pause
        pause = min(pause * 2, options.longestPause.nanosecondsClamped)
    }

    /// The address, for messages.
    public static func shown(_ options: Options) -> String { withoutSecrets(options.address) }

    /// The address without a user's name and password, for messages.
    static func withoutSecrets(_ address: String) -> String {
        guard let start = address.firstRange(of: "://")?.upperBound else { return address }
        let host = address[start...].prefix { $0 != "/" }
        guard let at = host.lastIndex(of: "@") else { return address }
        return String(address[..<start]) + String(address[address.index(after: at)...])
    }
}
#endif
