internal import FrameMemory
internal import PixelFormats

/// Copies a channel's frames one after the other into the slots of a publisher.
struct FrameCopier {
    private let options: CopyStage.Options
    private var copies: [ImageCopy]
    private var metadataCapacity: Int
    private let slots: Int
    /// What the copies were made for.
    private var received: ReceivedGeneration?
    private var thinning: FrameThinning

    /// What became of a frame.
    struct Outcome {
        enum Fate { case copied, skipped, noRoom, revoked }
        var fate: Fate
        var lost = FrameLoss()
        var bytes = 0
        var nanoseconds: Int64 = 0

        func add(to statistics: inout CopyStage.Statistics) {
            switch fate {
            case .copied: statistics.copied += 1
            case .skipped: statistics.skipped += 1
            case .noRoom: statistics.noRoom += 1
            case .revoked: statistics.revoked += 1
            }
            statistics.lost.source &+= lost.source
            statistics.lost.noFreeSlot &+= lost.noFreeSlot
            statistics.lost.policy &+= lost.policy
            statistics.bytes &+= UInt64(bytes)
            statistics.copyingTime &+= nanoseconds
        }
    }

    init(plan: CopyPlan, options: CopyStage.Options) {
        self.options = options
        copies = plan.copies
        metadataCapacity = plan.metadataCapacity
        slots = plan.slots
        thinning = FrameThinning(every: options.every, maximumRate: options.maximumRate)
    }

    /// Copies a frame, and publishes the copy.
    mutating func copy(_ frame: borrowing Frame, to publisher: Publisher) throws(CopyError) -> Outcome {
        if frame.received !== received { try adopt(frame, publisher) }
        var outcome = Outcome(fate: .skipped, lost: frame.lost)
        // To the readers of the copies, all that did not come here was lost by their source.
        if frame.lost.total > 0 { publisher.countLost(source: frame.lost.total) }
        guard thinning.wants(frame.timestamp.nanoseconds) else { return outcome }
        do throws(ChannelError) {
            guard let slot = try publisher.tryNextSlot() else {
                publisher.countLost(noFreeSlot: 1)
                outcome.fate = .noRoom
                return outcome
            }
            var description = FrameDescription(
                sequence: frame.sequence,
                timestamp: frame.timestamp,
                flags: frame.flags
            )
            let began = monotonicNow()
            for (index, copy) in copies.enumerated() {
                guard let image = frame.image(at: index), let room = slot.image(at: index) else { continue }
                guard let bytes = copy.copy(image, into: room) else {
                    throw .sourceFailed("\(CopyError.notReadable(stream: image.name, image.memory))")
                }
                outcome.bytes += bytes
                Self.tellLength(of: image, copy, index, &description)
            }
            outcome.nanoseconds = monotonicNow() - began
            let metadata = frame.metadata
            guard metadata.byteCount <= metadataCapacity else {
                throw .metadataTooLarge(size: metadata.byteCount, capacity: metadataCapacity)
            }
            // What was taken back may have been rewritten while it was copied.
            guard !frame.isRevoked else {
                publisher.countLost(source: 1)
                outcome.fate = .revoked
                return outcome
            }
            try publisher.publish(slot, description, encoded: metadata.encodedBytes)
            outcome.fate = .copied
            return outcome
        } catch {
            throw .channel(error)
        }
    }

    /// A copy of a short image is as short.
    private static func tellLength(
        of image: borrowing Image,
        _ copy: ImageCopy,
        _ stream: Int,
        _ description: inout FrameDescription
    ) {
        if !copy.isPlainBytes, image.shortage == nil { return }
        for plane in copy.source.planes.indices {
            let used = copy.bytesUsed(image.bytesUsed(plane: plane), plane: plane)
            description.setBytesUsed(used, stream: stream, plane: plane)
        }
    }

    /// Another generation: if its images are others, so are the copies from now on.
    private mutating func adopt(_ frame: borrowing Frame, _ publisher: Publisher) throws(CopyError) {
        received = frame.received
        let streams = frame.streams
        guard streams.map(\.layout) != copies.map(\.source) else { return }
        let plan = try CopyPlan(
            streams: streams,
            crops: options.crops,
            capacity: .slots(slots),
            metadataCapacity: metadataCapacity
        )
        copies = plan.copies
        do throws(ChannelError) {
            try publisher.reconfigure(streams: plan.streams, slots: plan.slots)
        } catch {
            throw .channel(error)
        }
    }
}

/// Which frames are wanted: every nth, and no more than so many a second.
struct FrameThinning {
    let every: Int
    /// Between two frames, in ns; nil: any number of them.
    private let interval: Int64?
    private var seen = 0
    private var due: Int64?

    init(every: Int, maximumRate: Double?) {
        self.every = max(1, every)
        interval = maximumRate.flatMap { $0 > 0 ? min(1_000_000_000_000_000_000, Int64(clamping: 1e9 / $0)) : nil }
    }

    /// Whether the frame captured at this moment is wanted. Frames come in order.
    mutating func wants(_ timestamp: Int64) -> Bool {
        defer { seen += 1 }
        guard seen % every == 0 else { return false }
        guard let interval else { return true }
        // A camera's frames are not exactly as far apart as its rate says. An eighth of an interval early is taken as in
        // time; what is due next does not move by it, so that the rate holds on average.
        guard let due, timestamp >= due &- 2 &* interval, timestamp <= due &+ interval else {
            self.due = timestamp &+ interval  // the first, or after a break, or after the clock was set
            return true
        }
        guard timestamp >= due &- interval / 8 else { return false }
        self.due = due &+ interval
        return true
    }
}
