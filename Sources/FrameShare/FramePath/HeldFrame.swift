/// A frame that is kept: it can be stored in arrays and dictionaries, and shared by threads and tasks. Its lease ends with the
/// last reference.
///
///     var last: [HeldFrame] = []
///     while let frame = try await camera.next() {
///         last.append(HeldFrame(frame))
///         if last.count > 3 { last.removeFirst() }
///     }
///
/// Each one counts against the subscriber's budget: to keep three, ask for a budget of four.
public final class HeldFrame: Sendable {
    private let frame: Frame

    /// Keeps a frame.
    public init(_ frame: consuming Frame) { self.frame = frame }

    /// Calls `body` with the frame. Any thread may do so, several at a time.
    public func withFrame<R, E: Error>(_ body: (borrowing Frame) throws(E) -> R) throws(E) -> R { try body(frame) }

    /// Counts the channel's published frames from 1.
    public var number: UInt64 { frame.number }
    /// The source's own count.
    public var sequence: UInt64 { frame.sequence }
    /// When it was captured, on the clock that the source uses.
    public var timestamp: FrameTimestamp { frame.timestamp }
}
