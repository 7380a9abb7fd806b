internal import FrameMemory
internal import LeaseProtocol

// What hangs on the way of a frame. The way names what it needs; the rooms above it provide that.

/// The connection of one subscriber.
protocol SubscriberPeer: AnyObject, Sendable {
    /// Its socket's number, by which the thread that serves connections knows it.
    var number: Int32 { get }
    /// Wakes its event loop: a frame was offered. Not called under a lock.
    func wake()
}

/// What a frame's publisher wants to know of it.
protocol FrameQuestion: AnyObject, Sendable {}

/// Who is told what becomes of the frames that groups share.
protocol GroupHooks: AnyObject, Sendable {
    /// A frame was offered, or its copy in its place. The core's lock is held.
    /// - Returns: whether ``tell(_:)`` is to be called, and whether a deadline is earlier than all before
    func frameWasOffered(
        _ slot: Int,
        _ number: UInt64,
        _ question: (any FrameQuestion)?,
        _ now: Int64,
        _ state: inout PublisherCore.State
    ) -> (hasNews: Bool, deadline: Bool)

    /// The channel ended before the frame was offered to those that its publisher asked. The core's lock is held.
    func refuse(_ question: any FrameQuestion, frame: UInt64, _ error: ChannelError)

    /// Frames were withdrawn before a subscriber took them. The core's lock is held.
    /// - Parameter mayHandOver: whether another member may have them
    func framesWereWithdrawn(from generation: inout Generation, mayHandOver: Bool)

    /// A subscriber is about to be forgotten. What it held is still its own. The core's lock is held.
    func subscriberLeaves(_ id: PublisherCore.SubscriberID, _ state: inout PublisherCore.State)

    /// Tells what was decided under the lock. Not called under a lock.
    func tell(_ core: PublisherCore)
}

/// The slots for copies of one generation, beside those of its pool.
protocol FrameCopies: AnyObject, Sendable {
    /// As ``FramePool/slots``; the first has the number that follows the pool's last.
    var buffers: [[[FrameBuffer]]] { get }
    /// The slots that the source is to keep, by copies.
    var floor: Int { get }
    /// Copies a frame: its record, metadata, and the images of some of its streams.
    ///
    /// Invariant: nobody writes to `slot`, and nobody reads `copy`, until the copy is offered: the lease table keeps both.
    /// - Parameter streams: a bit for each stream that is wanted
    func copy(_ slot: Int, to copy: Int, streams: UInt32, in frames: FrameTable)
}

extension FrameCopies {
    var count: Int { buffers.count }
    var byteCount: Int { buffers.joined().joined().reduce(0) { $0 + $1.size } }
    var protection: WriteProtection { buffers[0][0][0].writeProtection }
}
