internal import CLinuxMedia

/// A frame that this process holds: one image for each stream it subscribed to, and metadata, in the memory the camera
/// wrote. The lease ends with the value; bytes borrowed from it can't outlive it.
///
/// It may be handed to another thread or task, and stays valid when the channel is reconfigured or ends.
public struct Frame: ~Copyable, Sendable {
    let received: ReceivedGeneration
    /// Which of its generation's slots it lies in: ``Subscriber/pool``.
    public let slot: Int
    /// The source's own count; its gaps are frames that the source lost.
    public let sequence: UInt64
    /// Counts the channel's published frames from 1.
    public let number: UInt64
    /// When it was captured, on the clock that the source uses.
    public let timestamp: FrameTimestamp
    /// When it was published, on the monotonic clock.
    public let publishTimestamp: FrameTimestamp
    /// What was lost since the frame before it, as this subscriber saw it. Of the first frame after a reconnection that is unknown:
    /// see ``FrameLoss/isKnown``.
    public let lost: FrameLoss
    public let flags: FrameFlags

    init(received: ReceivedGeneration, slot: Int, record: FrameRecord, lost: FrameLoss) {
        self.received = received
        self.slot = slot
        sequence = record.sequence
        number = record.number
        timestamp = record.timestamp
        publishTimestamp = record.publishTimestamp
        flags = record.flags
        self.lost = lost
    }

    /// Makes it of the record in shared memory.
    @inline(__always)
    init(
        received: ReceivedGeneration,
        slot: Int,
        record: UnsafePointer<fs_frame_record>,
        lost: FrameLoss,
        marks: FrameFlags
    ) {
        self.received = received
        self.slot = slot
        sequence = record.pointee.sequence
        number = record.pointee.number
        timestamp = FrameTimestamp(
            nanoseconds: record.pointee.timestamp,
            clock: FrameClock(record: record.pointee.clock)
        )
        publishTimestamp = FrameTimestamp(nanoseconds: record.pointee.publish_timestamp)
        flags = FrameFlags(rawValue: record.pointee.flags).union(marks)
        self.lost = lost
    }

    deinit { received.release(slot) }

    /// Ends the lease now. The end of the value's scope does the same, and so does the end of a function that takes the frame as a
    /// `consuming` parameter. The compiler refuses this call where images or metadata of the frame were read before it in the same
    /// function ("noncopyable 'frame' cannot be consumed").
    public consuming func release() {}

    /// Whether the publisher has taken the frame back before its lease ended: it was held for longer than the publisher
    /// allows (``Publisher/Options/leaseLimit``), or this subscriber was cut off. The bytes stay readable but may be those
    /// of another frame. Look after reading: while this is false, what was read is what was published.
    public var isRevoked: Bool { received.isRevoked }

    /// The generation that it belongs to.
    public var generation: UInt32 { received.offer.generation }

    /// The streams that were subscribed to, in the channel's order.
    public var streams: [Stream] { received.offer.streams.map(\.stream) }

    /// How many ``streams`` there are.
    public var streamCount: Int { received.offer.streams.count }

    /// Whether its data may be damaged: the publisher says so (``FrameFlags/error``), or one of the images that were
    /// subscribed to can't be whole (``Image/damage``).
    ///
    /// Recorders, encoders and pictures leave such frames out. Bytes behind ``Image/bytesUsed(plane:)`` are of an earlier
    /// frame.
    public var isDamaged: Bool {
        if flags.contains(.error) { return true }
        for index in 0..<streamCount {
            if let image = image(at: index), image.damage != nil { return true }
        }
        return false
    }

    /// Whether an image holds less than its layout needs.
    package var isShort: Bool {
        for index in 0..<streamCount {
            if let image = image(at: index), image.shortage != nil { return true }
        }
        return false
    }

    /// The image of a stream. Traps for a name that was not subscribed to: see ``image(_:)``.
    public subscript(stream: String) -> Image {
        @_lifetime(borrow self)
        get {
            guard let index = received.streamIndex(stream) else {
                preconditionFailure("this subscription has no stream '\(stream)'")
            }
            return Image(received: received, slot: slot, stream: index)
        }
    }

    /// The image of a stream; nil when it was not subscribed to.
    @_lifetime(borrow self)
    public func image(_ stream: String) -> Image? {
        guard let index = received.streamIndex(stream) else { return nil }
        return Image(received: received, slot: slot, stream: index)
    }

    /// The image at a place among ``streams``; nil beyond the last.
    @_lifetime(borrow self)
    public func image(at index: Int) -> Image? {
        guard received.offer.streams.indices.contains(index) else { return nil }
        return Image(received: received, slot: slot, stream: index)
    }
}

/// The numbers of a frame, copied out of the frame table.
struct FrameRecord: Sendable {
    let sequence: UInt64
    let number: UInt64
    let timestamp: FrameTimestamp
    let publishTimestamp: FrameTimestamp
    let lostBySource: UInt64
    let lostNoFreeSlot: UInt64
    var flags: FrameFlags

    init(_ record: UnsafePointer<fs_frame_record>) {
        sequence = record.pointee.sequence
        number = record.pointee.number
        timestamp = FrameTimestamp(
            nanoseconds: record.pointee.timestamp,
            clock: FrameClock(record: record.pointee.clock)
        )
        publishTimestamp = FrameTimestamp(nanoseconds: record.pointee.publish_timestamp)
        lostBySource = record.pointee.lost_source
        lostNoFreeSlot = record.pointee.lost_no_slot
        flags = FrameFlags(rawValue: record.pointee.flags)
    }
}

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
    /// What was lost since the frame before it.
    public var lost: FrameLoss { frame.lost }
    /// What is particular about it.
    public var flags: FrameFlags { frame.flags }
}
