public import FrameShare

/// Tells where packets are missing from a channel of them, so that what follows can't be decoded up to the next keyframe.
///
/// Frames that the camera lost, or that came too fast for the encoder, leave no such gap: they never were packets. A
/// camera that gives packets itself does not tell the one from the other, and there every loss is taken for a gap.
public struct PacketContinuity: Sendable {
    private var last: Int64?
    private var hasLeftOut = false

    public init() {}

    /// Whether packets are missing between the last frame that was asked about and this one.
    public mutating func hasGap(before frame: borrowing Frame) -> Bool {
        let number = frame.metadata[VideoPacket.Key.number]?.integer
        defer { (last, hasLeftOut) = (number, false) }
        if hasLeftOut { return true }
        guard let number else { return frame.lost.total > 0 }
        guard let last else { return false }
        return number != last &+ 1
    }

    /// The reader leaves out a packet by itself, such as a damaged one: that is a gap before the next.
    public mutating func leftOut() { hasLeftOut = true }
}
