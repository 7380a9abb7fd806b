internal import FrameShare

/// The frames that are inside an encoder, which numbers them from 0 in the order of their pictures.
struct PendingFrames {
    private struct Entry {
        let sequence: UInt64
        let timestamp: FrameTimestamp
        /// On the line of the frames' times, which begins at the first one's.
        let time: Int64
        let metadata: [UInt8]
    }

    private var entries: [Entry] = []
    /// The number of the first entry.
    private var first: Int64 = 0
    private var start: Int64 = 0
    private var line = FrameTimeline(pauses: .kept)
    private var lastDTS = Int64.min
    private var lastTime = Int64.min
    private static let farthest = Int64.max / 4
    private static let longestDelay: Int64 = 3_600_000_000_000

    /// The time of the frame that came last.
    var latestTime: Int64 { entries.last?.time ?? start }

    /// - Returns: the frame's number
    mutating func add(_ frame: borrowing Frame) -> Int64 {
        let index = first + Int64(entries.count)
        // Far enough from the ends for every later time; no camera's clock comes near them.
        if index == 0 { start = min(max(frame.timestamp.nanoseconds, -Self.farthest), Self.farthest) }
        let place = start + min(line.place(frame.timestamp.nanoseconds).time, Self.farthest)
        // Equal stamps: a decoding time may not be later than what is shown then.
        let time = max(place, lastTime == .min ? .min : lastTime + 1)
        lastTime = time
        let metadata = frame.metadata
        let bytes = metadata.encodedBytes
        entries.append(
            Entry(
                sequence: frame.sequence,
                timestamp: frame.timestamp,
                time: time,
                metadata: bytes.withUnsafeBytes { Array($0) }
            )
        )
        return index
    }

    /// What belongs to the packet of these numbers. What can't be asked for any more is forgotten.
    mutating func take(pts: Int64, dts: Int64, isKeyframe: Bool) -> (VideoPacket.Info, [UInt8])? {
        guard let entry = entry(pts) else { return nil }
        let presentation = entry.time
        // Before the first frame there is no time: as far apart as frames are.
        let decoding = self.entry(dts)?.time ?? start &+ max(dts, -64) &* min(line.step, Self.longestDelay)
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
