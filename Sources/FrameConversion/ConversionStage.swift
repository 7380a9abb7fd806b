public import FrameShare
internal import FrameSinks
internal import LeaseProtocol
internal import PixelFormats
internal import Synchronization

/// Fulfils one wish for all who have it: converts a channel's frames, and publishes them as a derived channel.
///
/// ```swift
/// let stage = try ConversionStage(of: "camera0", Wish(width: 640, height: 360, format: .rgbBytes, rate: 10))
/// let converted = try stage.open(as: "camera0-small")
/// try stage.run(on: converted)
/// ```
///
/// A converted frame has the sequence number, time, flags and metadata of its original, and where its pixels lie in that
/// (``FrameShare/OriginalPlace``). The stage keeps one frame at most. What comes while it converts is lost to it, which is
/// counted as lost by the derived channel's source.
public final class ConversionStage: Sendable {
    public struct Options: Sendable {
        /// The stream wanted; nil: the channel's only or first one.
        public var stream: String?
        /// The frames that its own pool holds.
        public var slots = 6
        /// How to subscribe. The policy, the budget and the rate are the stage's.
        public var subscriber = Subscriber.Options()
        /// How the derived channel is offered. `stallLimit` and `metadataCapacity` are the stage's.
        public var publisher = Publisher.Options()
        /// It ends once the derived channel has had no subscriber for so long; nil: it goes on.
        public var linger: Duration?

        public init() {}
    }

    public struct Statistics: Sendable, Hashable {
        /// Frames converted and published.
        public var converted: UInt64 = 0
        /// Frames that did not come to the stage. Those of its policy came while it was converting.
        public var lost = FrameLoss()
        /// Frames that came and had no free slot in its pool.
        public var noRoom: UInt64 = 0
        /// Frames whose data is damaged, or that refer to a packet that is missing.
        public var damaged: UInt64 = 0
        /// The time that converting took, in ns.
        public var convertingTime: Int64 = 0
        /// Of the last damaged frame.
        public var complaint = ""
    }

    public let channel: String
    public let wish: Wish
    /// What is done with the frames that come now.
    public var plan: ConversionPlan { state.withLock { $0.plan } }
    private let options: Options
    private let stream: String
    private let subscriber: Subscriber
    private let isStopped = Atomic(false)

    private struct State {
        var plan: ConversionPlan
        var statistics = Statistics()
    }
    private let state: Mutex<State>

    /// Subscribes to a channel. Nothing is converted yet.
    public init(of channel: String, _ wish: Wish, options: Options = Options()) throws(ConversionError) {
        do throws(WishError) { try wish.check() } catch { throw .wish(error) }
        (self.channel, self.wish, self.options) = (channel, wish, options)
        let isPackets: Bool
        do throws(ChannelError) {
            var subscription = options.subscriber
            if subscription.name == nil { subscription.name = "convert" }
            let status = try ChannelMonitor(channel: channel, directory: subscription.directory).snapshot()
            let names = status.streams.map(\.stream.name)
            if let wanted = options.stream, !names.contains(wanted) {
                throw ChannelError.unknownStream(name: wanted, offered: names)
            }
            guard let found = status.streams.first(where: { $0.stream.name == options.stream ?? names.first }) else {
                throw ChannelError.noStreams
            }
            stream = found.stream.name
            // Each packet needs the one before: none is passed over, and many may wait.
            isPackets = [PixelFormat.h264, .hevc].contains(found.stream.layout.format)
            if !isPackets { subscription.atMost = wish.rate }
            subscriber = try Subscriber(
                channel: channel,
                streams: [stream],
                policy: isPackets ? .queue(max(1, min(status.slots / 2, 32))) : .latest,
                options: subscription
            )
        } catch {
            throw .channel(error)
        }
        // Decoding begins at one.
        if isPackets { subscriber.requestKeyframe() }
        guard let layout = subscriber.streams.first?.layout else { throw .channel(.noStreams) }
        state = Mutex(State(plan: try ConversionPlan(of: layout, wish)))
    }

    public var statistics: Statistics { state.withLock { $0.statistics } }

    /// Offers the derived channel.
    public func open(as name: String) throws(ConversionError) -> Publisher {
        var publishing = options.publisher
        publishing.metadataCapacity = min(subscriber.metadataCapacity + 256, 16 << 20)
        publishing.stallLimit = .zero
        if publishing.sourceName.isEmpty { publishing.sourceName = "\(wish) of \(channel)" }
        do throws(ChannelError) {
            return try Publisher(
                channel: name,
                streams: [Stream(name: stream, layout: plan.output)],
                slots: options.slots,
                options: publishing
            )
        } catch {
            throw .channel(error)
        }
    }

    /// Converts until the channel ends, ``stop()`` is called, or nobody has subscribed for the linger; then the derived channel
    /// ends the same way.
    public func run(on publisher: Publisher) throws(ConversionError) {
        defer { subscriber.close() }
        do throws(ConversionError) {
            try follow(publisher)
            publisher.close()
        } catch {
            publisher.fail("the converter of '\(channel)' has ended: \(error)")
            throw error
        }
    }

    /// Ends ``run(on:)``. From any thread.
    public func stop() {
        isStopped.store(true, ordering: .releasing)
        subscriber.interrupt()
    }

    private func follow(_ publisher: Publisher) throws(ConversionError) {
        var converter: FrameConverter?
        var layout: ImageLayout?
        // Of packets, the frames that are converted: the publisher has thinned all others.
        var thinning =
            isPackets ? wish.rate.flatMap { Thinning.interval(ofRate: $0) }.map { Thinning(interval: $0) } : nil
        var idle = IdleTime(options.linger)
        var continuity = PacketContinuity()
        while !isStopped.load(ordering: .acquiring) {
            if idle.isOver(publisher) { return }
            let taken: Frame?
            do throws(ChannelError) {
                taken = try subscriber.nextBlocking(timeout: .milliseconds(250))
            } catch {
                if error.isTimeout || error == .cancelled { continue }
                throw .channel(error)
            }
            guard let frame = taken else { return }
            let lost = frame.lost
            state.withLock { state in
                state.statistics.lost.source &+= lost.source
                state.statistics.lost.noFreeSlot &+= lost.noFreeSlot
                state.statistics.lost.policy &+= lost.policy
            }
            if lost.total > 0 { publisher.countLost(source: lost.total) }
            guard let now = frame.image(at: 0)?.layout else { continue }
            if now != layout {
                let made = try FrameConverter(of: now, wish)
                if let before = layout.map({ _ in plan.output }), before != made.plan.output {
                    try reconfigure(publisher, made.plan.output)
                }
                state.withLock { $0.plan = made.plan }
                (converter, layout) = (made, now)
                continuity = PacketContinuity()
            }
            guard let converter else { continue }
            if now.format == .h264 || now.format == .hevc, continuity.hasGap(before: frame) {
                converter.noteGap()
                subscriber.requestKeyframe()
            }
            try convert(frame, converter, publisher, &thinning)
        }
    }

    private var isPackets: Bool {
        let format = subscriber.streams.first?.layout.format
        return format == .h264 || format == .hevc
    }

    private func reconfigure(_ publisher: Publisher, _ output: ImageLayout) throws(ConversionError) {
        do throws(ChannelError) {
            try publisher.reconfigure(streams: [Stream(name: stream, layout: output)], slots: options.slots)
        } catch {
            throw .channel(error)
        }
    }

    /// - Returns: whether there is a picture, and why not
    private static func fill(
        _ slot: borrowing WritableSlot,
        _ frame: borrowing Frame,
        _ converter: FrameConverter
    ) -> (Bool, ConversionError?) {
        guard let room = slot.image(at: 0), let image = frame.image(at: 0) else { return (false, nil) }
        var outcome: (Bool, ConversionError?) = (false, nil)
        room.withUnsafeMutableBytes { bytes in
            do throws(ConversionError) {
                outcome.0 = try converter.convert(image, into: bytes)
            } catch {
                outcome.1 = error
            }
        }
        return outcome
    }

    private func convert(
        _ frame: borrowing Frame,
        _ converter: FrameConverter,
        _ publisher: Publisher,
        _ thinning: inout Thinning?
    ) throws(ConversionError) {
        do throws(ChannelError) {
            guard let slot = try publisher.tryNextSlot() else {
                publisher.countLost(noFreeSlot: 1)
                state.withLock { $0.statistics.noRoom += 1 }
                return
            }
            let began = FrameTimestamp.now().nanoseconds
            let (isThere, failure) = Self.fill(slot, frame, converter)
            if case .damaged(let complaint)? = failure {
                publisher.countLost(source: 1)
                state.withLock { state in
                    state.statistics.damaged += 1
                    state.statistics.complaint = complaint
                }
                return
            }
            if let failure { throw ConversionFailure.wrapping(failure) }
            // What was taken back may have been rewritten while it was converted.
            guard isThere, !frame.isRevoked, thinning?.wants(captured: frame.timestamp.nanoseconds, now: began) ?? true
            else { return }
            var description = FrameDescription(sequence: frame.sequence, timestamp: frame.timestamp, flags: frame.flags)
            description.flags.remove(.keyframe)
            let place = converter.plan.place.followed(by: frame.originalPlace)
            let metadata = frame.metadata
            try publisher.publish(
                slot,
                description,
                first: [OriginalPlace.key: place.value],
                encoded: metadata.encodedBytes
            )
            let took = FrameTimestamp.now().nanoseconds - began
            state.withLock { state in
                state.statistics.converted += 1
                state.statistics.convertingTime += took
            }
        } catch {
            throw ConversionFailure.unwrapped(error)
        }
    }
}

/// Carries an error of converting through code that throws those of channels.
private enum ConversionFailure {
    static func wrapping(_ error: ConversionError) -> ChannelError {
        if case .channel(let inner) = error { inner } else { .sourceFailed("\(error)") }
    }

    static func unwrapped(_ error: ChannelError) -> ConversionError {
        if case .sourceFailed(let text) = error { .failed(text) } else { .channel(error) }
    }
}

/// Since when nobody has subscribed.
private struct IdleTime {
    private let linger: Duration?
    private var since = ContinuousClock.now
    private var lookedAt = ContinuousClock.now

    init(_ linger: Duration?) { self.linger = linger }

    /// Looks a few times a second.
    mutating func isOver(_ publisher: Publisher) -> Bool {
        guard let linger else { return false }
        let now = ContinuousClock.now
        guard now - lookedAt >= .milliseconds(100) else { return false }
        lookedAt = now
        if !publisher.statistics.subscribers.isEmpty { since = now }
        return now - since >= linger
    }
}
