internal import FrameShare

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
