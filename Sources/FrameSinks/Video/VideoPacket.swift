public import FrameShare

/// An encoded frame: what encoders make, and recorders and streamers take. It can't outlive what its bytes lie in.
public struct VideoPacket: ~Escapable {
    /// The numbers of a packet, which may be kept.
    public struct Info: Sendable, Hashable {
        /// The frame's, from its source.
        public var sequence: UInt64
        /// When the frame was captured.
        public var timestamp: FrameTimestamp
        /// When it is to be shown and decoded: ns on the clock of capture.
        public var pts: Int64
        public var dts: Int64
        /// Whether decoding can begin here.
        public var isKeyframe: Bool

        public init(sequence: UInt64, timestamp: FrameTimestamp, pts: Int64, dts: Int64, isKeyframe: Bool) {
            self.sequence = sequence
            self.timestamp = timestamp
            self.pts = pts
            self.dts = dts
            self.isKeyframe = isKeyframe
        }
    }

    /// The encoded data. H.264 and HEVC have start codes, and parameter sets before each keyframe.
    public let bytes: RawSpan
    public let info: Info
    /// The frame's metadata.
    public let metadata: MetadataView

    @_lifetime(copy bytes, copy metadata)
    init(bytes: RawSpan, info: Info, metadata: consuming MetadataView) {
        self.bytes = bytes
        self.info = info
        self.metadata = metadata
    }
}

extension VideoPacket {
    /// The keys of a packet's metadata in its channel, beside those of its frame.
    public enum Key {
        /// `pts` of ``Info``, an int64.
        public static let pts = "VideoPTS"
        /// `dts` of ``Info``, an int64.
        public static let dts = "VideoDTS"
        /// Of keyframes: the parameter sets of the stream with start codes, bytes.
        public static let parameters = "VideoParameters"
        /// Counts the packets of a ``PacketChannel``, an int64; its gaps are packets that are missing.
        public static let number = "VideoNumber"

        static let all: Set<String> = [pts, dts, parameters, number]
    }

    /// What a channel of packets has in a frame.
    /// - Parameter codec: of the frame's first image
    @_lifetime(borrow frame)
    public init(_ frame: borrowing Frame, _ codec: VideoCodec) throws(VideoError) {
        guard let image = frame.image(at: 0) else { throw .channel(.noStreams) }
        let plane = image.plane(0)
        let used = plane.extracting(0..<min(image.bytesUsed(plane: 0), plane.byteCount))
        let metadata = frame.metadata
        let pts = metadata[Key.pts]?.integer ?? frame.timestamp.nanoseconds
        let isKeyframe =
            codec.isIntra || frame.flags.contains(.keyframe)
            // Not every camera marks them.
            || used.withUnsafeBytes { !AnnexB.parameterSets($0, codec).isEmpty }
        let info = Info(
            sequence: frame.sequence,
            timestamp: frame.timestamp,
            pts: pts,
            dts: metadata[Key.dts]?.integer ?? pts,
            isKeyframe: isKeyframe
        )
        let made = VideoPacket(bytes: used, info: info, metadata: metadata)
        self = _overrideLifetime(made, borrowing: frame)
    }
}

extension VideoPacket {
    /// What a decoder must be told first; nothing for a codec that has no parameter sets.
    func parameterSets(_ codec: VideoCodec) throws(VideoError) -> [UInt8] {
        guard codec.hasParameterSets else { return [] }
        let bytes = bytes
        let sets = bytes.withUnsafeBytes { AnnexB.parameterSets($0, codec) }
        if !sets.isEmpty { return sets }
        guard case .bytes(let told)? = metadata[Key.parameters], !told.isEmpty else { throw .noParameterSets }
        return told
    }
}

/// Tells where packets are missing from a channel of them, so that what follows can't be decoded up to the next keyframe.
///
/// Frames that the camera lost, or that came too fast for the encoder, leave no such gap: they never were packets. A
/// camera that gives packets itself does not tell the one from the other, and there every loss is taken for a gap, and so is every
/// new connection.
public struct PacketContinuity: Sendable {
    private var last: Int64?
    private var hasLeftOut = false

    public init() {}

    /// Whether packets are missing between the last frame that was asked about and this one.
    public mutating func hasGap(before frame: borrowing Frame) -> Bool {
        let number = frame.metadata[VideoPacket.Key.number]?.integer
        defer { (last, hasLeftOut) = (number, false) }
        if hasLeftOut { return true }
        guard let number else { return frame.lost.total > 0 || !frame.lost.isKnown }
        guard let last else { return false }
        return number != last &+ 1
    }

    /// The reader leaves out a packet by itself, such as a damaged one: that is a gap before the next.
    public mutating func leftOut() { hasLeftOut = true }
}

/// A packet that outlives what it came in.
struct KeptPacket {
    let bytes: [UInt8]
    let metadata: [UInt8]
    let info: VideoPacket.Info

    /// - Parameter info: in the place of the packet's own
    init(_ packet: borrowing VideoPacket, info: VideoPacket.Info) {
        let (bytes, metadata) = (packet.bytes, packet.metadata)
        let encoded = metadata.encodedBytes
        self.bytes = bytes.withUnsafeBytes { Array($0) }
        self.metadata = encoded.withUnsafeBytes { Array($0) }
        self.info = info
    }

    func withPacket(_ body: (borrowing VideoPacket) throws(VideoError) -> Void) throws(VideoError) {
        // Invariant: `self` holds the bytes during the call.
        let metadata = MetadataView(encoded: metadata.span.bytes)
        try body(VideoPacket(bytes: bytes.span.bytes, info: info, metadata: metadata))
    }
}

extension VideoPacket.Info {
    /// How long after its decoding the packet is shown, in ns; 0 where the times can't be meant.
    var delay: Int64 {
        let (delay, overflow) = pts.subtractingReportingOverflow(dts)
        return overflow || delay < 0 || delay > 3_600_000_000_000 ? 0 : delay
    }

    /// The packet at another place in time.
    func moved(to dts: Int64) -> VideoPacket.Info {
        var info = self
        (info.dts, info.pts) = (dts, dts.addingReportingOverflow(delay).overflow ? dts : dts + delay)
        return info
    }
}
