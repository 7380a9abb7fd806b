public import FrameMemory
internal import Glibc
public import Logging
public import PixelFormats
internal import Synchronization

/// Offers frames under a channel's name to any number of subscriber processes.
///
/// ```swift
/// let publisher = try Publisher(channel: "camera0", streams: ["main": layout], slots: 8)
/// while running {
///     var slot = try await publisher.nextSlot()
///     slot["main"].withMutableBytes { bytes in draw(&bytes) }
///     try publisher.publish(slot, metadata: ["ExposureTime": 8_000])
/// }
/// ```
///
/// A publisher never waits for a subscriber, unless it says by ``Options/stallLimit`` that its source can wait for those
/// that asked for `everyFrame`. All methods may be called from any thread. The channel ends with ``close()`` or with the last
/// reference; a process that dies leaves nothing behind but a socket file that the next publisher replaces.
public final class Publisher: Sendable {
    /// How a channel is to be offered.
    public struct Options: Sendable {
        /// Where the socket goes; nil: ``ChannelDirectory/standard()``.
        public var directory: ChannelDirectory?
        /// Who may connect.
        public var access = ChannelAccess()
        /// The most bytes of metadata a frame can carry.
        public var metadataCapacity = ChannelLimits.usualMetadataCapacity
        /// Slots that the source itself must always have: the one being filled, or what a driver needs queued.
        public var sourceNeed = 1
        /// The most subscribers at a time, 1 to 120, whoever they are. One more is refused. Monitors do not count.
        public var subscriberLimit = 120
        /// How long the `everyFrame` subscribers of one user, all together, may stall the source in any minute.
        ///
        /// Zero, the default, is for a live source, such as a camera: it waits for nobody. A subscriber without room loses
        /// the frame, which is counted as its own loss (``ChannelStatistics/SubscriberStatus/droppedByBudget``), and keeps
        /// its place. A source that can wait, such as a file, gives each user some time; once that is used up, its
        /// subscribers are served as those of a live source until the minute has passed. Joining again gives no new time.
        /// With nil the source waits for as long as it takes, so each `everyFrame` subscriber can stop it for ever.
        public var stallLimit: Duration? = .zero
        /// How long any subscriber may hold a frame before it is cut off and all its frames are taken back; nil: for as
        /// long as it likes, within its budget. It is never cut off sooner, and at most a quarter of the time later.
        public var leaseLimit: Duration?
        /// Copies for subscribers that lag; nil: everyone is offered the source's slots alone.
        public var lagCopies: LagCopies?
        /// Whether a subscriber that does not fit a reconfiguration, by its streams or its reservation, stays and waits for
        /// one that it fits. Otherwise it is disconnected, and told why.
        public var keepsMisfits = false
        /// What feeds the channel, for `list` and `top`.
        public var sourceName = ""
        /// The channel's socket, where a service manager has made it. ``access`` then says nothing about its mode and group.
        public var passedSocket: PassedSocket?
        /// The memory of a pool that the publisher allocates.
        public var memory: MemoryPreference = .memfd
        /// Whether its process ends when nobody is left: a hidden owner of a source, for `list` and `stop`.
        package var isOwner = false
        /// Where subscribers' comings and goings are told.
        public var logger: Logger?

        public init() {}

        /// An option that is a plain number.
        package struct Number: Sendable {
            /// The name of C's member and of Python's keyword; there 0 is the default.
            package let name: String
            package let path: any WritableKeyPath<Options, Int> & Sendable
        }

        /// Described once: C and Python follow. In C a member at the end of the options, of the same name.
        package static let numbers = [
            Number(name: "metadata_capacity", path: \.metadataCapacity),
            Number(name: "source_need", path: \.sourceNeed),
            Number(name: "subscriber_limit", path: \.subscriberLimit),
        ]
    }

    let host: ChannelHost
    let core: PublisherCore
    let server: ConnectionServer
    let waiters = WaiterThreads(name: "fs-slots")

    /// Offers frames of the publisher's own pool, filled by the CPU.
    /// - Parameters:
    ///   - channel: its name: 1 to 64 letters, digits, `.`, `_` or `-`
    ///   - streams: the images of each frame, by name
    ///   - slots: how many frames the pool holds, 2 to 1024
    public convenience init(
        channel: String,
        streams: KeyValuePairs<String, ImageLayout>,
        slots: Int,
        options: Options = Options()
    ) throws(ChannelError) {
        try self.init(
            channel: channel,
            streams: streams.map { Stream(name: $0.key, layout: $0.value) },
            slots: slots,
            options: options
        )
    }

    /// Offers frames of the publisher's own pool, filled by the CPU.
    public convenience init(
        channel: String,
        streams: [Stream],
        slots: Int,
        options: Options = Options()
    ) throws(ChannelError) {
        try ChannelName.check(channel)
        let pool = try FramePool(streams: streams, slots: slots, memory: options.memory, name: "frameshare:\(channel)")
        try self.init(channel: channel, pool: pool, options: options)
    }

    /// Offers frames of a pool that was made elsewhere: a camera's own buffers, registered once.
    public init(channel: String, pool: FramePool, options: Options = Options()) throws(ChannelError) {
        try ChannelName.check(channel)
        let directory = try ChannelDirectory.resolve(options.directory)
        host = try ChannelHost(channel: channel, pool: pool, options: options)
        core = host.core
        let listening = try ListeningSocket(
            channel: channel,
            directory: directory,
            access: options.access,
            passed: options.passedSocket
        )
        do throws(ChannelError) {
            server = try ConnectionServer(host: host, listening: listening)
        } catch {
            listening.remove()
            throw error
        }
    }

    deinit { close() }

    // MARK: what it is

    /// The channel's name.
    public var channel: String { core.channel }
    /// The streams offered now.
    public var streams: [Stream] { core.state.withLock { $0.generation.pool.streams } }
    /// The slots of the pool offered now, those for copies (``Options/lagCopies``) apart.
    public var slotCount: Int { core.state.withLock { $0.generation.pool.slots.count } }
    /// Counts reconfigurations, from 1.
    public var generation: UInt32 { core.state.withLock { $0.generation.number } }
    /// How the pool's memory was found, where the library allocated it.
    public var allocationReport: AllocationReport? { core.state.withLock { $0.generation.pool.allocationReport } }
    /// The memory that the slots for copies take, in bytes; 0 where there are none.
    public var copyByteCount: Int {
        core.state.withLock { $0.generation.copies?.byteCount ?? 0 }
    }
    /// How the channel is doing.
    public var statistics: ChannelStatistics { host.statistics }

    // MARK: filling slots by the CPU

    /// A free slot to fill; nil when there is none now, or when an `everyFrame` subscriber is to be waited for
    /// (``Options/stallLimit``). A source that can't wait says so by ``countLost(noFreeSlot:)``.
    @section("frameshare_way")
    public func tryNextSlot() throws(ChannelError) -> WritableSlot? {
        guard let taken = try core.tryTakeSlot() else { return nil }
        return WritableSlot(core: core, taken)
    }

    /// A free slot to fill. Waits on the calling thread until there is one.
    /// - Throws: `timedOut`; `closed` once the channel has ended.
    @section("frameshare_way")
    public func nextSlotBlocking(timeout: Duration? = nil) throws(ChannelError) -> WritableSlot {
        if let taken = try core.tryTakeSlot() { return WritableSlot(core: core, taken) }
        let taken = try core.waitForSlots(timeout: timeout, interrupted: { false }) { () throws(ChannelError) in
            try core.tryTakeSlot()
        }
        return WritableSlot(core: core, taken)
    }

    /// A free slot to fill. Waits, on a thread of the publisher's own, until there is one.
    /// - Throws: `timedOut`; `cancelled` when the task is; `closed` once the channel has ended.
    public func nextSlot(timeout: Duration? = nil) async throws(ChannelError) -> WritableSlot {
        if let taken = try core.tryTakeSlot() {
            return WritableSlot(core: core, taken)
        }
        let core = core
        let taken = try await waiters.wait(onCancel: { core.wakeSlotWaiters() }) { interrupted throws(ChannelError) in
            try core.waitForSlots(timeout: timeout, interrupted: interrupted) { () throws(ChannelError) in
                try core.tryTakeSlot()
            }
        }
        return WritableSlot(core: core, taken)
    }

    /// Publishes a filled slot to everyone who may have it. Never waits.
    /// - Returns: the frame's number, counted from 1.
    @section("frameshare_way")
    @discardableResult
    public func publish(
        _ slot: consuming WritableSlot,
        _ description: FrameDescription = FrameDescription(),
        metadata: Metadata = [:]
    ) throws(ChannelError) -> UInt64 {
        let (number, generation) = (slot.slot, slot.generation)
        let size = metadata.isEmpty ? 0 : try MetadataCoding.encode(metadata, into: slot.metadataRoom)
        let published = try core.publish(slot: number, generation: generation, metadataSize: size, description)
        slot.disarm()
        return published
    }

    /// As ``publish(_:_:metadata:)``, with metadata that is encoded already, such as another frame's.
    /// - Parameter first: what stands before it, and so wins where a key stands twice
    @discardableResult
    package func publish(
        _ slot: consuming WritableSlot,
        _ description: FrameDescription,
        first: Metadata = [:],
        encoded: RawSpan
    ) throws(ChannelError) -> UInt64 {
        let room = slot.metadataRoom
        let size = try MetadataCoding.encode(first, into: room)
        let (number, generation) = (slot.slot, slot.generation)
        guard encoded.byteCount <= room.count - size else {
            throw .metadataTooLarge(size: size + encoded.byteCount, capacity: room.count)
        }
        encoded.withUnsafeBytes { bytes in
            UnsafeMutableRawBufferPointer(rebasing: room[size...]).copyMemory(from: bytes)
        }
        let published = try core.publish(
            slot: number,
            generation: generation,
            metadataSize: size + encoded.byteCount,
            description
        )
        slot.disarm()
        return published
    }

    // MARK: a camera's buffers

    /// Hands every free slot to the source, which queues it to its driver. It is the source's until it is published or
    /// given back.
    public func takeFreeSlots<E: Error>(_ body: (Int) throws(E) -> Void) throws(E) {
        let slots = core.takeFreeSlots()
        var failure: E? = nil
        slots.forEach { slot in
            guard failure == nil else { return core.giveBack(slot: slot, generation: nil) }
            do throws(E) {
                try body(slot)
            } catch {
                failure = error
                core.giveBack(slot: slot, generation: nil)
            }
        }
        if let failure { throw failure }
    }

    /// Publishes a slot that the source has filled. Never waits.
    /// - Returns: the frame's number, counted from 1.
    @discardableResult
    public func publish(
        slot: Int,
        _ description: FrameDescription,
        metadata: Metadata = [:]
    ) throws(ChannelError) -> UInt64 {
        try publish(slot: slot, description, metadata: metadata, asking: nil)
    }

    func publish(
        slot: Int,
        _ description: FrameDescription,
        metadata: Metadata,
        asking: (any FrameQuestion)?
    ) throws(ChannelError) -> UInt64 {
        if metadata.isEmpty {
            return try core.publish(slot: slot, generation: nil, metadataSize: 0, description, asking: asking)
        }
        // Before anything is written: a slot that the source does not hold may be under a lease.
        let (held, frames, generation) = core.state.withLock {
            ($0.generation.leases.isAtSource(slot), $0.generation.frames, $0.generation.number)
        }
        guard held else { throw .slotNotAtSource(slot) }
        let size = try MetadataCoding.encode(metadata, into: frames.metadata(slot))
        return try core.publish(
            slot: slot,
            generation: generation,
            metadataSize: size,
            description,
            asking: asking
        )
    }

    /// Takes a slot back from the source, with no frame in it.
    public func giveBack(slot: Int) { core.giveBack(slot: slot, generation: nil) }

    /// Readable (an eventfd: read it to clear it) when a slot may have come free after ``takeFreeSlots(_:)`` left the
    /// source with no more than ``Options/sourceNeed``. The publisher's own: don't close it.
    public var freeSlotDescriptor: Int32 { core.freeSlotEvent.number }

    /// Waits until every `everyFrame` subscriber can take one more frame, or its user has no time left
    /// (``Options/stallLimit``): the back-pressure of a source that fills buffers of its own. Returns at once where nobody
    /// asked for every frame, and always where the source is live.
    public func waitForRoom(timeout: Duration? = nil) throws(ChannelError) {
        try core.waitForSlots(timeout: timeout, interrupted: { false }) {
            () throws(ChannelError) -> Void? in
            try core.hasRoomForOne() ? () : nil
        }
    }

    /// The slots of a generation, the present or an earlier one, whose frames subscribers still hold or are offered. A
    /// source that fills the buffers of an earlier generation again must leave these alone. Any thread.
    public func heldSlots(ofGeneration number: UInt32) -> [Int] {
        core.heldSlots(ofGeneration: number)
    }

    // MARK: subscribers

    /// Waits on the calling thread until so many subscribers are there, members of groups among them. Whatever is published
    /// after it returns is offered to them.
    /// - Parameters:
    ///   - count: how many, 1 to 120, the most that a channel has
    ///   - timeout: nil: for as long as it takes
    /// - Throws: `timedOut`; `closed` once the channel has ended; `badSubscriberCount`
    public func waitForSubscribersBlocking(_ count: Int = 1, timeout: Duration? = nil) throws(ChannelError) {
        try core.waitForSubscribers(count, timeout: timeout, interrupted: { false })
    }

    /// Waits, on a thread of the publisher's own, until so many subscribers are there.
    /// - Throws: as ``waitForSubscribersBlocking(_:timeout:)``; `cancelled` when the task is
    public func waitForSubscribers(_ count: Int = 1, timeout: Duration? = nil) async throws(ChannelError) {
        let core = core
        try await waiters.wait(onCancel: { core.wakeSlotWaiters() }) { interrupted throws(ChannelError) in
            try core.waitForSubscribers(count, timeout: timeout, interrupted: interrupted)
        }
    }

    // MARK: losses

    /// Counts frames that the source lost by itself, such as a gap in a driver's sequence.
    public func countLost(source count: UInt64) {
        core.page.lostBySource.pointee.wrappingAdd(count, ordering: .relaxed)
    }

    /// Counts frames that were lost since no slot was free.
    public func countLost(noFreeSlot count: UInt64) {
        core.page.lostNoFreeSlot.pointee.wrappingAdd(count, ordering: .relaxed)
    }

    // MARK: packets

    /// Whether a reader of this channel of packets waits for a keyframe (``Subscriber/requestKeyframe()``), and the encoder is to
    /// make one now. True once for all that have asked, and at most every half second.
    public func takeKeyframeRequest() -> Bool { core.keyframeWishes.take() }

    // MARK: trouble

    /// Says what is amiss with the source while the channel goes on, such as a camera that gives no frames; empty: nothing
    /// is. Monitors are told (``ChannelStatistics/sourceTrouble``), and so are subscribers (``Subscriber/sourceTrouble``).
    /// Returns at once. From any thread.
    public func setSourceTrouble(_ text: String) { host.setTrouble(text) }

    /// Counts errors of the source that it went on after (``ChannelStatistics/sourceErrors``).
    public func countSourceErrors(_ count: UInt64) {
        host.sourceHealth.withLock { $0.errors &+= count }
    }

    // MARK: reconfiguring and ending

    /// Publishes from another pool from now on: the next generation. What subscribers hold of the old one stays valid
    /// until they release it. A subscriber whose streams or reservation no longer fit is disconnected and told why, or waits
    /// (``Options/keepsMisfits``). Slots that the source holds are void: they can't be published any more.
    public func reconfigure(pool: FramePool) throws(ChannelError) { try host.reconfigure(pool) }

    /// Publishes from a newly allocated pool from now on.
    public func reconfigure(streams: [Stream], slots: Int) throws(ChannelError) {
        try host.reconfigure(
            try FramePool(
                streams: streams,
                slots: slots,
                memory: host.options.memory,
                name: "frameshare:\(channel)"
            )
        )
    }

    /// Sets the most bytes of metadata that a frame can carry from the next reconfiguration on: in place of
    /// ``Options/metadataCapacity``, 0 to 16 MiB.
    public func setMetadataCapacity(_ bytes: Int) throws(ChannelError) { try core.set(metadataCapacity: bytes) }

    /// Ends the channel as ``close()`` does.
    /// - Parameter revoking: whether frames that are still held or queued are revoked before this returns: for a source whose
    ///   buffers will be written to again. Otherwise their memory stays as it is.
    public func close(revoking: Bool) {
        finish(.closed)
        if revoking { core.revokeAll() }
    }

    /// Ends the channel: subscribers get what is queued for them and then nil. Returns when the socket is gone.
    public func close() { finish(.closed) }

    /// Ends the channel since its source has failed: subscribers get `ChannelError.sourceFailed` with the reason.
    public func fail(_ reason: String) { finish(.sourceFailed(reason)) }

    private func finish(_ end: Message.End) {
        _ = host.end(end)
        server.stop()
        waiters.close()
    }
}

extension Publisher {
    /// Offers the controls of the channel's source to monitors in other processes: `frameshare control`,
    /// ``ChannelMonitor/controls(timeout:)``. Who may set them says ``ChannelAccess/control``.
    ///
    /// The source is not kept: it usually owns the publisher. May be called again, from any thread.
    /// - Parameter source: nil: no controls from now on
    public func offerControls(of source: (any ControllableSource)?) throws(ChannelError) {
        try host.controls.offer(source)
    }
}
