internal import FrameShare

/// The frames that are inside an encoder, which numbers them from 0 in the order of their pictures.
struct PendingFrames {
    private struct Entry {
        let sequence: UInt64
        let timestamp: FrameTimestamp
        let metadata: [UInt8]
    }

    private var entries: [Entry] = []
    /// The number of the first entry.
    private var first: Int64 = 0
    private var start: Int64 = 0
    private var interval: Int64 = 33_333_333
    private var lastDTS = Int64.min

    /// - Returns: the frame's number
    mutating func add(_ frame: borrowing Frame) -> Int64 {
        let index = first + Int64(entries.count)
        let time = frame.timestamp.nanoseconds
        if index == 0 { start = time }
        if let last = entries.last, time > last.timestamp.nanoseconds { interval = time - last.timestamp.nanoseconds }
        let metadata = frame.metadata
        let bytes = metadata.encodedBytes
        entries.append(
            Entry(
                sequence: frame.sequence,
                timestamp: frame.timestamp,
                metadata: bytes.withUnsafeBytes { Array($0) }
            )
        )
        return index
    }

    /// What belongs to the packet of these numbers. What can't be asked for any more is forgotten.
    mutating func take(pts: Int64, dts: Int64, isKeyframe: Bool) -> (VideoPacket.Info, [UInt8])? {
        guard let entry = entry(pts) else { return nil }
        let presentation = entry.timestamp.nanoseconds
        // Before the first frame there is no time: as far apart as frames are.
        let decoding = self.entry(dts)?.timestamp.nanoseconds ?? start + dts * interval
        lastDTS = max(min(decoding, presentation), lastDTS == .min ? .min : lastDTS + 1)
        let info = VideoPacket.Info(
            sequence: entry.sequence,
            timestamp: entry.timestamp,
            pts: presentation,
            dts: lastDTS,
            isKeyframe: isKeyframe
        )
        // Every later packet is decoded, so shown, after this one is decoded.
        let done = Int(min(max(0, dts - first), Int64(entries.count)))
        entries.removeFirst(done)
        first += Int64(done)
        return (info, entry.metadata)
    }

    private func entry(_ index: Int64) -> Entry? {
        let place = Int(index - first)
        return entries.indices.contains(place) ? entries[place] : nil
    }
}
