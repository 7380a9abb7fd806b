public import FrameShare
internal import LibcameraShim
internal import PixelFormats

/// A completed request: a frame of all streams.
public struct LibcameraFrame: Sendable {
    /// The buffers' number. They are the program's until they are queued again.
    public let slot: Int
    /// Nothing is in the buffers: the request was cancelled, as when the camera stops.
    public let isCancelled: Bool
    /// The first stream's count, carried on past 32 bits; gaps are lost frames.
    public let sequence: UInt64
    /// How many frames are known to be missing since the one before.
    public let lost: Int
    /// Whether the camera was without a request when it lost what is missing.
    public let starved: Bool
    /// When the first stream's buffer was filled, to its driver's knowledge. The exposure's begin is in the metadata, as
    /// `SensorTimestamp` (boot-time clock), where the camera tells it.
    public let timestamp: FrameTimestamp
    /// `error` if any stream's data may be damaged; `startup` while the camera's algorithms settle.
    public let flags: FrameFlags
    private let raw: fs_lc_frame
    private let layouts: [ImageLayout]

    init(_ raw: fs_lc_frame, _ count: SequenceCounter.Frame, layouts: [ImageLayout]) {
        self.raw = raw
        self.layouts = layouts
        slot = Int(raw.slot)
        isCancelled = raw.status != 0
        (sequence, lost, starved) = (count.sequence, count.lost, count.starved)
        timestamp = FrameTimestamp(nanoseconds: Int64(clamping: raw.timestamp), clock: .monotonic)
        var flags: FrameFlags = []
        withUnsafeBytes(of: raw.buffer_status) { bytes in
            for status in bytes.bindMemory(to: Int32.self).prefix(layouts.count) {
                // FrameMetadata::Status: success, error, cancelled, startup (since libcamera 0.5).
                if status == 1 { flags.insert(.error) }
                if status == 3 { flags.insert(.startup) }
            }
        }
        self.flags = flags
    }

    /// The bytes of data in a plane of a stream's image, counted from the plane's offset; all of it where the driver does
    /// not say.
    public func bytesUsed(stream: Int, plane: Int) -> Int {
        guard layouts.indices.contains(stream), layouts[stream].planes.indices.contains(plane) else { return 0 }
        let size = layouts[stream].planes[plane].size
        let used = withUnsafeBytes(of: raw.bytes_used) { bytes in
            Int(bytes.bindMemory(to: UInt32.self)[stream * FS_LC_MAX_PLANES + plane])
        }
        return used > 0 ? min(used, size) : size
    }

    /// The frame for a publisher.
    /// - Parameter sequenceBase: is added to the camera's count, which begins anew when it is started
    public func description(sequenceBase: UInt64 = 0) -> FrameDescription {
        var description = FrameDescription(sequence: sequence &+ sequenceBase, timestamp: timestamp, flags: flags)
        for (stream, layout) in layouts.enumerated() {
            for (plane, place) in layout.planes.enumerated() {
                let used = bytesUsed(stream: stream, plane: plane)
                if used < place.size { description.setBytesUsed(used, stream: stream, plane: plane) }
            }
        }
        return description
    }
}
