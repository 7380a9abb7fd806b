internal import Synchronization

/// Takes the lag that a slow reader would put on a camera: copies what is wanted of a channel's frames into a pool of its
/// own in ordinary memory, gives the camera's frame back at once, and publishes the copy as another channel.
///
/// ```swift
/// let stage = try CopyStage(of: "camera0")
/// print(stage.plan.byteCount)
/// let copies = try stage.open(as: "camera0-copy")
/// try stage.run(on: copies)
/// ```
///
/// A copy has the sequence number, timestamp, flags and metadata of its original. The stage never waits for its readers:
/// when the pool is full the newest frame is not copied and is counted as lost for want of a free slot. An `everyFrame` reader
/// without room loses the copy alone. It works in any process, also the publisher's own.
public final class CopyStage: Sendable {
    /// What to copy.
    public struct Options: Sendable {
        /// The streams wanted; empty: all.
        public var streams: [String] = []
        /// The rectangle wanted of a stream, by its name; all of the others.
        public var crops: [String: Crop] = [:]
        /// Copy one frame in so many.
        public var every = 1
        /// Copy at most so many frames a second, by their timestamps; nil: any number.
        public var maximumRate: Double?
        /// The frames that the pool holds.
        public var capacity = CopyCapacity.slots(32)
        /// How frames are subscribed to. They are held for the time of one copy.
        public var policy: Policy = .queue(2)
        /// How to subscribe, but for the above.
        public var subscriber = Subscriber.Options()
        /// How the copies are offered. `stallLimit` and `metadataCapacity` are the stage's to set.
        public var publisher = Publisher.Options()

        public init() {}
    }

    /// What the stage has done.
    public struct Statistics: Sendable, Hashable {
        /// Frames copied and published.
        public var copied: UInt64 = 0
        /// Frames passed over, as every nth or a rate was asked for.
        public var skipped: UInt64 = 0
        /// Frames that did not come to the stage.
        public var lost = FrameLoss()
        /// Frames that came and had no free slot in the pool.
        public var noRoom: UInt64 = 0
        /// Frames that the channel's publisher took back while they were copied.
        public var revoked: UInt64 = 0
        /// The bytes of images copied, and the time that took, in ns.
        public var bytes: UInt64 = 0
        public var copyingTime: Int64 = 0
    }

    /// The channel that is copied.
    public let channel: String
    /// What is copied, and the memory that the pool will take.
    public let plan: CopyPlan
    private let options: Options
    private let subscriber: Subscriber
    private let isStopped = Atomic(false)
    private let tally = Mutex(Statistics())

    /// Subscribes to a channel. Nothing is allocated or copied yet.
    public init(of channel: String, options: Options = Options()) throws(CopyError) {
        self.channel = channel
        self.options = options
        do throws(ChannelError) {
            var subscriberOptions = options.subscriber
            if subscriberOptions.name == nil { subscriberOptions.name = "copy" }
            // It passes them on with their flag: its own subscribers say whether they want them.
            subscriberOptions.startupFrames = true
            subscriber = try Subscriber(
                channel: channel,
                streams: options.streams,
                policy: options.policy,
                options: subscriberOptions
            )
        } catch {
            throw .channel(error)
        }
        plan = try CopyPlan(
            streams: subscriber.streams,
            crops: options.crops,
            capacity: options.capacity,
            metadataCapacity: subscriber.metadataCapacity
        )
    }

    /// Who publishes the originals.
    public var source: Subscriber.PublisherInfo { subscriber.publisher }

    /// What it has done so far.
    public var statistics: Statistics { tally.withLock { $0 } }

    /// Takes the pool's memory and offers the channel of the copies.
    public func open(as name: String) throws(CopyError) -> Publisher {
        var publishing = options.publisher
        publishing.metadataCapacity = plan.metadataCapacity
        // The stage stands for a camera: it waits for nobody.
        publishing.stallLimit = .zero
        if publishing.sourceName.isEmpty { publishing.sourceName = "copy of \(channel)" }
        do throws(ChannelError) {
            return try Publisher(channel: name, streams: plan.streams, slots: plan.slots, options: publishing)
        } catch {
            throw .channel(error)
        }
    }

    /// Copies until the channel ends or ``stop()`` is called, on the calling thread; then the copies' channel ends the
    /// same way. What readers have queued stays theirs.
    /// - Parameter publisher: from ``open(as:)``
    public func run(on publisher: Publisher) throws(CopyError) {
        guard publisher.streams == plan.streams else { throw .otherStreams }
        do throws(CopyError) {
            try follow(publisher)
            publisher.close()
        } catch {
            if case .channel(.sourceFailed(let reason)) = error {
                publisher.fail(reason)
            } else {
                publisher.fail("\(error)")
            }
            throw error
        }
    }

    /// Copies on a thread of its own, as ``run(on:)`` does.
    /// - Parameter onEnd: called on that thread when it ends, with what ended it if that was not in order
    public func start(
        on publisher: Publisher,
        onEnd: @escaping @Sendable (CopyError?) -> Void = { _ in }
    ) throws(CopyError) {
        do throws(ChannelError) {
            try BackgroundThread.start(name: "fs-copy") { [self] in
                do throws(CopyError) {
                    try run(on: publisher)
                    onEnd(nil)
                } catch {
                    onEnd(error)
                }
            }
        } catch {
            throw .channel(error)
        }
    }

    /// Ends ``run(on:)``. From any thread.
    public func stop() {
        isStopped.store(true, ordering: .releasing)
        subscriber.interrupt()
    }

    private func follow(_ publisher: Publisher) throws(CopyError) {
        var copier = FrameCopier(plan: plan, options: options)
        defer { subscriber.close() }
        while !isStopped.load(ordering: .acquiring) {
            do throws(CopyError) {
                guard let frame = try nextFrame() else { return }
                let outcome = try copier.copy(frame, to: publisher)
                tally.withLock { outcome.add(to: &$0) }
            } catch .channel(.timedOut) {
                continue
            } catch .channel(.cancelled) {
                continue
            }
        }
    }

    private func nextFrame() throws(CopyError) -> Frame? {
        do throws(ChannelError) {
            // Not for ever: a stop that came just before this wait is seen after it.
            return try subscriber.nextBlocking(timeout: .milliseconds(250))
        } catch {
            throw .channel(error)
        }
    }
}
