internal import CLinuxMedia
public import FrameShare
internal import PixelFormats

/// A filled buffer, as the driver describes it.
public struct V4L2Frame: Sendable {
    /// The buffer's number. It is the program's until it is queued again.
    public let buffer: Int

    /// The driver's count of frames since streaming began, carried on past 32 bits. It grows with each frame; gaps are lost
    /// frames. Where a driver gives frames in the wrong order (uvcvideo does, now and then), they are counted as they come.
    public let sequence: UInt64

    /// How many frames are known to be missing since the one before. With uvcvideo a gap is known two frames later.
    public let lost: Int

    /// Whether the driver was without a buffer when it lost what is missing: that was then not the camera's fault.
    public let starved: Bool

    /// When the frame was captured, to the driver's knowledge; nil if it doesn't say. The clock is unknown unless the
    /// driver says that it is the monotonic one, and the time is not one that is still to come.
    public let timestamp: FrameTimestamp?

    /// `FrameFlags.error` if the driver says that the data may be damaged, `FrameFlags.keyframe`. A publisher adds the first
    /// where the bytes are too few for the image.
    public let flags: FrameFlags

    /// Which field of an interlaced picture it is, or how both lie in it.
    public let field: V4L2Field

    private let planes: Int
    private let used: InlineArray<4, UInt32>
    private let isPartial: Bool

    /// The bytes of data in a plane of the image, counted from the plane's offset.
    public func bytesUsed(plane: Int) -> Int {
        plane >= 0 && plane < planes ? Int(used[plane]) : 0
    }

    /// - Parameter tellsLength: whether the driver has ever said how many bytes a buffer holds, by V4L2's plane
    init(_ flat: fs_v4l2_buffer, layout: ImageLayout, count: SequenceCounter.Frame, tellsLength: [Bool]) {
        buffer = Int(flat.index)
        sequence = count.sequence
        lost = count.lost
        starved = count.starved
        let isMonotonic = flat.flags & UInt32(V4L2_BUF_FLAG_TIMESTAMP_MASK) == UInt32(V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC)
        // Some drivers say so of another clock. Real time is decades ahead.
        let isPast = flat.timestamp_ns <= FrameTimestamp.now().nanoseconds &+ 1_000_000_000
        let clock: FrameClock = isMonotonic && isPast ? .monotonic : .unknown
        timestamp = flat.timestamp_ns > 0 ? FrameTimestamp(nanoseconds: flat.timestamp_ns, clock: clock) : nil
        var flags: FrameFlags = []
        if flat.flags & UInt32(V4L2_BUF_FLAG_ERROR) != 0 { flags.insert(.error) }
        if flat.flags & UInt32(V4L2_BUF_FLAG_KEYFRAME) != 0 { flags.insert(.keyframe) }
        self.flags = flags
        field = V4L2Field(rawValue: flat.field) ?? .unknown
        // V4L2 counts a buffer's bytes; several planes may share it.
        var used = InlineArray<4, UInt32>(repeating: 0)
        var isPartial = false
        planes = min(layout.planes.count, 4)
        for index in 0..<planes {
            let plane = layout.planes[index]
            if tellsLength.indices.contains(plane.buffer), tellsLength[plane.buffer] {
                let bytes = Int(element(flat.bytesused, plane.buffer)) - plane.offset
                used[index] = UInt32(clamping: min(max(0, bytes), plane.size))
            } else {
                used[index] = UInt32(clamping: plane.size)
            }
            if Int(used[index]) != plane.size { isPartial = true }
        }
        self.used = used
        self.isPartial = isPartial
    }

    /// The frame for a publisher.
    ///
    /// - Parameters:
    ///   - stream: the place of the camera's stream in the channel
    ///   - sequenceBase: is added to the driver's count, which begins at 0 each time that streaming begins
    public func description(stream: Int = 0, sequenceBase: UInt64 = 0) -> FrameDescription {
        var description = FrameDescription(sequence: sequence &+ sequenceBase, timestamp: timestamp, flags: flags)
        if isPartial {
            for plane in 0..<planes {
                description.setBytesUsed(Int(used[plane]), stream: stream, plane: plane)
            }
        }
        return description
    }
}
