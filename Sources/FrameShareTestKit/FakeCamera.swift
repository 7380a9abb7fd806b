public import FrameShare
internal import Synchronization

/// A camera for tests: a real channel in a private folder, which publishes when it is told to.
///
/// ```swift
/// @Test("the detector finds what the camera shows")
/// func detects() async throws {
///     let camera = try FakeCamera()
///     let detector = Detector(try camera.subscribe())
///     try await camera.send(.bytes(["main": somePicture]), metadata: ["ExposureTime": 8_000])
///     try await camera.send()
///     camera.drop(2)                      // the source loses two frames
///     try await camera.send()
///     camera.fail("it was unplugged")     // or end()
///     #expect(await detector.findings.count == 3)
/// }
/// ```
///
/// Code under test that takes a channel's name and folder is given ``channel`` and ``directory``; a program of its own
/// `FRAMESHARE_DIR=` the folder's path. Timestamps are made up and the same in each run: frame n is captured n frame
/// intervals after ``Options/firstTimestamp``, lost ones counted. Any thread or task may call; sends are in the order of
/// the calls only if they are made one after the other.
///
/// The channel ends, and its folder goes, with ``end()``, ``fail(_:)`` or the last reference.
public final class FakeCamera: Sendable {
    /// What the camera is like.
    public struct Options: Sendable {
        /// How many frames its pool holds.
        public var slots = 4
        /// The time between two frames, as their timestamps tell it.
        public var frameInterval: Duration = .nanoseconds(33_333_333)
        /// When the first frame is captured.
        public var firstTimestamp = FrameTimestamp(nanoseconds: 1_000_000_000, clock: .boottime)
        /// How everything else of the channel is to be; the folder set here is not used. Here whoever asks for every frame is
        /// waited for (`stallLimit` is nil), as a busy test machine would have it: ``FakeCamera/send(_:flags:metadata:timeout:)``
        /// times out. With `.zero` it is as live as a real camera, and such a subscriber loses frames.
        public var publishing = Publisher.Options()

        public init() {
            publishing.sourceName = "fake camera"
            publishing.stallLimit = nil
        }
    }

    /// What was sent of a frame.
    public struct SentFrame: Sendable, Hashable {
        /// The channel's count, from 1.
        public let number: UInt64
        /// The source's own count, from 0; its gaps are the frames of ``FakeCamera/drop(_:)``.
        public let sequence: UInt64
        public let timestamp: FrameTimestamp
    }

    /// The channel's name: one that no other fake camera of this machine has now.
    public let channel: String
    /// The private folder with the channel's socket.
    public var directory: ChannelDirectory { folder.directory }
    /// The publisher behind it, for what this type does not offer.
    public let publisher: Publisher

    private let folder: PrivateFolder
    private let options: Options
    private let nextSequence = Mutex<UInt64>(0)

    /// Opens a channel with one stream, `main`, of 64x48 pixels in YUV420.
    public convenience init(options: Options = Options()) throws(ChannelError) {
        let layout: ImageLayout
        do throws(ImageLayoutError) {
            layout = try .computed(width: 64, height: 48, format: .yuv420)
        } catch {
            throw .layout(stream: "main", error)
        }
        try self.init(streams: ["main": layout], options: options)
    }

    /// Opens a channel with these streams.
    /// - Throws: as `Publisher.init`; `directory` where no private folder could be made
    public init(streams: KeyValuePairs<String, ImageLayout>, options: Options = Options()) throws(ChannelError) {
        folder = try PrivateFolder()
        channel = "fake-" + folder.uniquePart
        var publishing = options.publishing
        publishing.directory = folder.directory
        self.options = options
        publisher = try Publisher(channel: channel, streams: streams, slots: options.slots, options: publishing)
    }

    deinit { publisher.close() }

    // MARK: subscribing

    /// A subscriber to this camera.
    /// - Parameters:
    ///   - streams: the streams wanted; empty: all
    ///   - options: all but the folder, which is this camera's
    public func subscribe(
        _ streams: [String] = [],
        policy: Policy = .latest,
        options: Subscriber.Options = .init()
    ) throws(ChannelError) -> Subscriber {
        var options = options
        options.directory = directory
        return try Subscriber(channel: channel, streams: streams, policy: policy, options: options)
    }

    /// A monitor of this camera's channel.
    public func monitor() throws(ChannelError) -> ChannelMonitor {
        try ChannelMonitor(channel: channel, directory: directory)
    }

    // MARK: sending

    /// Publishes a frame; waits for a free slot, and for room where a subscriber asked for every frame.
    /// - Throws: `timedOut` when no slot came free, which means that frames are held and not released
    @discardableResult
    public func send(
        _ content: FakeImage = .pattern,
        flags: FrameFlags = [],
        metadata: Metadata = [:],
        timeout: Duration = .seconds(60)
    ) async throws(ChannelError) -> SentFrame {
        let slot = try await publisher.nextSlot(timeout: timeout)
        return try publish(slot, content, flags, metadata)
    }

    /// Publishes a frame as a camera does that can't wait: without a free slot the frame is lost, counted as such
    /// (`FrameLoss.noFreeSlot`), and nil is returned.
    @discardableResult
    public func sendOrLose(
        _ content: FakeImage = .pattern,
        flags: FrameFlags = [],
        metadata: Metadata = [:]
    ) throws(ChannelError) -> SentFrame? {
        guard let slot = try publisher.tryNextSlot() else {
            nextSequence.withLock { $0 += 1 }
            publisher.countLost(noFreeSlot: 1)
            return nil
        }
        return try publish(slot, content, flags, metadata)
    }

    private func publish(
        _ slot: consuming WritableSlot,
        _ content: FakeImage,
        _ flags: FrameFlags,
        _ metadata: Metadata
    ) throws(ChannelError) -> SentFrame {
        let sequence = nextSequence.withLock { next in
            defer { next += 1 }
            return next
        }
        let timestamp = timestamp(of: sequence)
        var description = FrameDescription(sequence: sequence, timestamp: timestamp, flags: flags)
        content.write(into: slot, sequence: sequence, &description)
        let number = try publisher.publish(slot, description, metadata: metadata)
        return SentFrame(number: number, sequence: sequence, timestamp: timestamp)
    }

    private func timestamp(of sequence: UInt64) -> FrameTimestamp {
        let (seconds, attoseconds) = options.frameInterval.components
        let interval = seconds &* 1_000_000_000 &+ attoseconds / 1_000_000_000
        var timestamp = options.firstTimestamp
        timestamp.nanoseconds &+= interval &* Int64(truncatingIfNeeded: sequence)
        return timestamp
    }

    // MARK: what goes wrong with cameras

    /// The source loses frames: the sequence jumps, and subscribers see `FrameLoss.source`.
    public func drop(_ count: Int = 1) {
        guard count > 0 else { return }
        nextSequence.withLock { $0 &+= UInt64(count) }
        publisher.countLost(source: UInt64(count))
    }

    /// Goes over to other streams or another pool: the next generation. The sequence goes on.
    /// - Parameter slots: nil: as many as now
    public func reconfigure(
        streams: KeyValuePairs<String, ImageLayout>,
        slots: Int? = nil
    ) throws(ChannelError) {
        try publisher.reconfigure(
            streams: streams.map { Stream(name: $0.key, layout: $0.value) },
            slots: slots ?? publisher.slotCount
        )
    }

    /// The source fails: subscribers get what is queued, and then `ChannelError.sourceFailed`.
    public func fail(_ reason: String) { publisher.fail(reason) }

    /// The channel ends in order: subscribers get what is queued, and then nil.
    public func end() { publisher.close() }

    // MARK: looking

    /// How the channel is doing.
    public var statistics: ChannelStatistics { publisher.statistics }

    /// Waits until what ``statistics`` says satisfies a condition: that a subscriber has come, or that its slots are free.
    /// - Throws: `timedOut`; `cancelled` when the task is
    @discardableResult
    public func wait(
        timeout: Duration = .seconds(60),
        until condition: (ChannelStatistics) -> Bool
    ) async throws(ChannelError) -> ChannelStatistics {
        let patience = Patience(timeout)
        while true {
            let statistics = statistics
            if condition(statistics) { return statistics }
            try await patience.pause()
        }
    }
}
