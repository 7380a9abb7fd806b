internal import CLinuxMedia
internal import LeaseProtocol
internal import Logging
internal import Synchronization

/// A channel with the frames of another, in the same memory, each with a group's answer among its metadata.
///
/// ```swift
/// let overlay = try Overlay(of: publisher, channel: "camera0-detections", group: "detectors")
/// ```
///
/// A subscriber of `camera0-detections` has the pixels of `camera0`, not a copy of them. Beside the frame's own metadata it finds
/// what the workers of the group have answered. A frame comes when its answer has come. A frame whose answer failed comes without
/// one. Frames keep their sequence numbers, timestamps and order.
///
/// The overlay is a subscriber of its publisher, with a budget. A frame is pinned there while the overlay waits for its answer, and
/// while any of the overlay's subscribers holds it. The overlay reads the group's results, so no other program can. It ends with the
/// publisher's channel, or with its last reference. Frames that are held then are taken back (``Frame/isRevoked``).
public final class Overlay: Sendable {
    /// The overlay's own channel.
    public let channel: String
    private let engine: OverlayEngine

    /// Opens the channel.
    /// - Parameters:
    ///   - publisher: whose frames are to be shown
    ///   - channel: the overlay's name
    ///   - group: whose answers are added: metadata under their own keys, bytes under the group's name
    ///   - budget: the most slots of the publisher's pool that the overlay may pin; nil: 8, or what a smaller pool has beside the
    ///     source's need
    ///   - window: how many later answers wait for a straggler before its frame goes without
    ///   - asking: how the group is asked: a frame waits for its answer no longer than the deadline
    ///   - options: of the overlay's channel. The publisher's folder, access and limit on leases, unless they are set
    /// - Throws: what `Subscriber.init`, `Publisher.init` and ``Publisher/results(of:order:capacity:options:)`` throw.
    public init(
        of publisher: Publisher,
        channel: String,
        group: String,
        budget: Int? = nil,
        window: Int = 4,
        asking: AskOptions = AskOptions(),
        options: Publisher.Options? = nil
    ) throws(ChannelError) {
        self.channel = channel
        let pool = publisher.statistics
        // Copies come out of the budget, too.
        let budget = budget ?? min(8, max(2, pool.slots + (pool.copies?.slots ?? 0) - pool.sourceNeed))
        let results = try publisher.results(of: group, order: .frames(window: window), options: asking)
        engine = try OverlayEngine(of: publisher, channel: channel, group: group, budget: budget, options: options)
        engine.run(results)
    }

    deinit { close() }

    /// How the overlay's channel is doing.
    public var statistics: ChannelStatistics { engine.publisher.statistics }

    /// Ends the overlay's channel.
    public func close() { engine.close() }
}

/// What the overlay's tasks work on; it lives until they have ended.
final class OverlayEngine: Sendable {
    /// A frame of the source that stays leased until nobody holds it here any more.
    final class HeldFrame: Sendable {
        let frame: Frame
        init(_ frame: consuming Frame) { self.frame = frame }

        func metadata() throws(ChannelError) -> Metadata { try Self.metadata(frame) }
        private static func metadata(_ frame: borrowing Frame) throws(ChannelError) -> Metadata {
            try frame.metadata.copy()
        }
    }

    private struct Place: Hashable {
        let generation: UInt32
        let slot: Int
    }

    private struct State {
        var join = OverlayJoin<HeldFrame>()
        /// The source's generation that the pool offered now is made of.
        var source: ReceivedGeneration
        var held: [Place: HeldFrame] = [:]
        var results: WorkResults? = nil
        var tasks: [Task<Void, Never>] = []
        var closed = false
    }

    /// Of the overlay's channel.
    let publisher: Publisher
    private let subscriber: Subscriber
    private let group: String
    private let state: Mutex<State>
    /// Bumped when frames are held: the thread that watches for their release looks again.
    private let attention = FutexWord()

    init(
        of source: Publisher,
        channel: String,
        group: String,
        budget: Int,
        options given: Publisher.Options?
    ) throws(ChannelError) {
        self.group = group
        var subscription = Subscriber.Options()
        // It passes them on with their flag: its own subscribers say whether they want them.
        subscription.startupFrames = true
        subscription.directory = source.host.options.directory
        subscription.name = "overlay \(channel)"
        subscription.budget = budget
        subscriber = try Subscriber(
            channel: source.channel,
            policy: .queue(max(1, min(budget.subtractingClamped(1), LaneMemory.maximumDepth))),
            options: subscription
        )
        // The limit holds for who reads the overlay: what it holds itself is theirs.
        source.core.exemptFromLeaseLimit(subscriber.identity)
        var options = given ?? source.host.options
        options.directory = options.directory ?? source.host.options.directory
        options.leaseLimit = options.leaseLimit ?? source.host.options.leaseLimit
        if given == nil {
            options.sourceName = "\(source.channel) with \(group)"
            options.metadataCapacity = min(options.metadataCapacity + 65_536, FrameTable.maximumMetadataCapacity)
        }
        // It fills nothing, and waits for nobody.
        options.sourceNeed = 0
        options.stallLimit = .zero
        let first = subscriber.received
        state = Mutex(State(source: first))
        publisher = try Publisher(channel: channel, pool: try first.pool(), options: options)
    }

    func run(_ results: WorkResults) {
        let tasks = [Task { await takeResults(results) }, Task { await takeFrames() }]
        let isClosed = state.withLock { state in
            if !state.closed { (state.results, state.tasks) = (results, tasks) }
            return state.closed
        }
        if isClosed { return Self.end(results, tasks) }
        do throws(ChannelError) {
            try BackgroundThread.start(name: "fs-overlay") { [self] in watchReleases() }
        } catch {
            fail(error)
        }
    }

    /// Until the channel ends, or the overlay.
    private func takeResults(_ results: WorkResults) async {
        for await result in results {
            var addition: Metadata? = nil
            if case .success(let answer) = result.outcome { addition = self.addition(answer.reply) }
            state.withLock { publish($0.join.result(result.frame, addition), &$0) }
            attention.bump()
        }
    }

    private func takeFrames() async {
        do throws(ChannelError) {
            while let frame = try await subscriber.next() {
                let number = frame.number
                // To those that watch, all that did not come here was lost by their source.
                let lost = frame.lost.total
                if lost > 0 { publisher.countLost(source: lost) }
                let held = HeldFrame(frame)
                state.withLock { publish($0.join.frame(number, held), &$0) }
                attention.bump()
            }
            close()
        } catch {
            fail(error)
        }
    }

    private func addition(_ reply: Reply) -> Metadata {
        switch reply {
        case .metadata(let metadata): metadata
        case .bytes(let bytes): [group: .bytes(bytes)]
        }
    }

    // MARK: publishing

    private func publish(_ output: OverlayJoin<HeldFrame>.Output, _ state: inout State) {
        guard !state.closed else { return }
        for (held, addition) in output {
            do throws(ChannelError) {
                try publish(held, addition, &state)
            } catch {
                publisher.host.log(.warning, "overlay: frame \(held.frame.number) was not shown: \(error)")
            }
        }
    }

    private func publish(_ held: HeldFrame, _ addition: Metadata?, _ state: inout State) throws(ChannelError) {
        let core = publisher.core
        let slot = held.frame.slot
        if held.frame.received !== state.source {
            // Frames come in order, so none of the generation before will follow.
            try publisher.host.reconfigure(try held.frame.received.pool())
            state.source = held.frame.received
        }
        guard let memory = core.claim(slot) else { throw .slotNotAtSource(slot) }
        var metadata = try held.metadata()
        for entry in addition ?? [:] { metadata[entry.key] = entry.value }
        do throws(ChannelError) {
            let size = try MetadataCoding.encode(metadata, into: memory.frames.metadata(slot))
            state.held[Place(generation: memory.number, slot: slot)] = held
            _ = try core.publish(
                slot: slot,
                generation: memory.number,
                metadataSize: size,
                FrameDescription(of: held.frame)
            )
        } catch {
            core.giveBack(slot: slot, generation: memory.number)
            state.held[Place(generation: memory.number, slot: slot)] = nil
            throw error
        }
    }

    // MARK: giving back

    /// Releases frames of the source as soon as nobody holds them here.
    private func watchReleases() {
        while true {
            let seen = attention.value
            let (holdsAny, closed) = state.withLock { (!$0.held.isEmpty, $0.closed) }
            if closed { return }
            guard holdsAny else {
                attention.wait(while: seen)
                continue
            }
            do throws(ChannelError) {
                try publisher.core.waitForSlots(
                    timeout: nil,
                    interrupted: { self.state.withLock(\.closed) }
                ) { () throws(ChannelError) -> Void? in releaseFree() ? () : nil }
            } catch { return }  // closed
        }
    }

    /// Whether nothing is held any more.
    private func releaseFree() -> Bool {
        // The leases end after the locks.
        var released: [HeldFrame] = []
        let isEmpty = state.withLock { state in
            publisher.core.withPinned { isPinned in
                for (place, held) in state.held where !isPinned(place.generation, place.slot) {
                    released.append(held)
                    state.held[place] = nil
                }
            }
            return state.held.isEmpty
        }
        released = []
        return isEmpty
    }

    // MARK: ending

    private static func end(_ results: WorkResults?, _ tasks: [Task<Void, Never>]) {
        results?.end()
        for task in tasks { task.cancel() }
    }

    private func fail(_ error: ChannelError) {
        if error != .closed { publisher.fail("\(error)") }
        close()
    }

    func close() {
        let first = state.withLock { state in
            defer { state.closed = true }
            return !state.closed
        }
        guard first else { return }
        publisher.close()
        // What its subscribers still hold will be rewritten once the source has it back: they can tell.
        publisher.core.revokeAll()
        subscriber.close()
        // Their leases end after the lock.
        let (held, join, results, tasks) = state.withLock { state in
            defer {
                state.held = [:]
                state.join = OverlayJoin()
                state.results = nil
                state.tasks = []
            }
            return (state.held, state.join, state.results, state.tasks)
        }
        Self.end(results, tasks)
        withExtendedLifetime((held, join)) {}
        attention.bump()
        publisher.core.wakeSlotWaiters()
    }
}

/// Brings frames and what is to be added to them together, by the frame's number. Frames come in order, and so do results;
/// either may come first, and either may be missing.
struct OverlayJoin<Frame> {
    private var frames: [(number: UInt64, frame: Frame)] = []
    /// Results that came before their frame.
    private var results: [UInt64: Metadata] = [:]
    private var newestFrame: UInt64 = 0
    private var newestResult: UInt64 = 0

    /// The most results that wait for their frame.
    private static var limit: Int { 256 }

    /// What can go on now, in order; nil: with nothing to add.
    typealias Output = [(frame: Frame, addition: Metadata?)]

    /// A frame has come.
    mutating func frame(_ number: UInt64, _ frame: Frame) -> Output {
        newestFrame = number
        // What belongs to frames that will not come any more.
        results = results.filter { $0.key >= number }
        frames.append((number, frame))
        return ready()
    }

    /// What became of a frame; nil: there is nothing to add to it.
    mutating func result(_ number: UInt64, _ addition: Metadata?) -> Output {
        newestResult = max(newestResult, number)
        guard number >= newestFrame || frames.contains(where: { $0.number == number }) else { return ready() }
        results[number] = addition ?? [:]
        if results.count > Self.limit, let oldest = results.keys.min() { results[oldest] = nil }
        return ready()
    }

    private mutating func ready() -> Output {
        var output: Output = []
        while let first = frames.first {
            if let addition = results.removeValue(forKey: first.number) {
                output.append((first.frame, addition.isEmpty ? nil : addition))
            } else if newestResult > first.number {
                output.append((first.frame, nil))  // results come in order: its own will not
            } else {
                break
            }
            frames.removeFirst()
        }
        return output
    }
}

// What an overlay needs of the two publishers that it stands between.
extension PublisherCore {
    /// Gives a certain slot to the source, if nobody holds it.
    func claim(_ slot: Int) -> Generation.Memory? {
        state.withLock { state in
            guard !state.ended else { return nil }
            state.generation.leases.collectReleases()
            return state.generation.leases.take(slot) ? state.generation.memory : nil
        }
    }

    /// Lets `body` ask whether a slot of a generation is queued or leased by anyone.
    func withPinned(_ body: ((UInt32, Int) -> Bool) -> Void) {
        state.withLock { state in
            state.generation.leases.collectReleases()
            for i in state.retired.indices { state.retired[i].leases.collectReleases() }
            var now = state.generation.leases.pinned
            if let copying = state.generation.leases.copying { now.insert(copying.slot) }
            var pinned = [state.generation.number: now]
            for generation in state.retired { pinned[generation.number] = generation.leases.pinned }
            body { generation, slot in pinned[generation]?.contains(slot) ?? false }
        }
    }

    /// A subscriber of the publisher's own process that may hold frames for as long as it must.
    func exemptFromLeaseLimit(_ id: SubscriberID) { state.withLock { _ = $0.unlimited.insert(id) } }
}

extension ReceivedGeneration {
    /// The buffers that were received, as a pool to be offered to others.
    func pool() throws(ChannelError) -> FramePool {
        try FramePool(
            streams: offer.streams.map(\.stream),
            slots: (0..<offer.slots).map { slot in
                offer.streams.indices.map { stream in
                    let buffers = offer.streams[stream].bufferSizes.indices
                    return buffers.map { buffer(slot: slot, stream: stream, buffer: $0) }
                }
            },
            firstCopy: offer.firstCopy
        )
    }
}

extension FrameDescription {
    /// What the source said of a frame of which all streams were subscribed to.
    init(of frame: borrowing Frame) {
        self.init(sequence: frame.sequence, timestamp: frame.timestamp, flags: frame.flags)
        let record = frame.received.frames.record(frame.slot)
        guard record.pointee.bytes_used_valid != 0 else { return }
        let used = (UnsafeRawPointer(record) + FrameTable.bytesUsedOffset).assumingMemoryBound(to: UInt32.self)
        for i in 0..<32 { bytesUsed[i] = used[i] }
        bytesUsedIsSet = true
    }
}
