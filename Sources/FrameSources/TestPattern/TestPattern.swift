public import FrameShare
import Synchronization

/// A source that needs no camera: feeds a channel with the test pattern, in all of the channel's streams.
///
/// ```swift
/// let publisher = try Publisher(channel: "camera0", streams: ["main": layout, "lores": small], slots: 8)
/// let pattern = try TestPattern(framesPerSecond: 30)
/// try pattern.run(on: publisher)     // until stop(), from another thread
/// ```
///
/// Each frame's number stands in its pixels (``PatternReader``), in its sequence, and in its metadata as
/// `PatternNumber`, beside `FrameDuration` (µs) and `ExposureTime` (µs), as libcamera has them.
///
/// Like a camera it keeps its own time: frames are due at absolute moments, so the rate does not drift, and each that is
/// due is published, or counted and a gap in the numbers: one that finds no free slot, and those that this process came too
/// late for. Like a camera it waits for nobody, unless its publisher says so (`Publisher.Options.stallLimit`): then it
/// waits for subscribers that want every frame, and its clock stands still meanwhile. At rate 0 it waits for a free slot.
public final class TestPattern: Sendable {
    /// Frames in a second; 0: as fast as slots come free.
    public let framesPerSecond: Double
    /// The number of the first frame.
    public let firstNumber: UInt64
    /// How many numbers to use up, lost ones included; `nil`: no end.
    public let frameCount: UInt64?
    /// Publishes only while somebody subscribes, if set. The numbers go on where they stopped.
    public let onDemand: OnDemand?
    private let isStopped = Atomic(false)
    private let attention: StopSignal?

    /// - Throws: ``PatternError/badRate(_:)``.
    public init(
        framesPerSecond: Double = 30,
        firstNumber: UInt64 = 0,
        frameCount: UInt64? = nil,
        onDemand: OnDemand? = nil
    ) throws(PatternError) {
        guard framesPerSecond.isFinite, framesPerSecond == 0 || (0.001...1_000_000).contains(framesPerSecond) else {
            throw .badRate(framesPerSecond)
        }
        self.framesPerSecond = framesPerSecond
        self.firstNumber = firstNumber
        self.frameCount = frameCount
        self.onDemand = onDemand
        do throws(ChannelError) {
            attention = onDemand == nil ? nil : try StopSignal()
        } catch {
            throw .channel(error)
        }
    }

    /// Ends ``run(on:)`` within a tenth of a second; if subscribers hold it up, within two, or when the publisher is
    /// closed. From any thread. A pattern that was stopped stays so.
    public func stop() {
        isStopped.store(true, ordering: .relaxed)
        attention?.stop()
    }

    /// Publishes frames until ``stop()``, or until ``frameCount`` is used up. Blocks the calling thread: don't call it
    /// in a task. The publisher stays open.
    ///
    /// A publisher that is reconfigured meanwhile gets the pattern in its new streams.
    /// - Throws: ``PatternError/unsupportedFormat(_:)`` and others for streams that can't be painted, before the first
    ///   frame; ``PatternError/channel(_:)`` when the publisher has been closed.
    public func run(on publisher: Publisher) throws(PatternError) {
        var canvas = try PatternCanvas(publisher)
        var schedule = FrameSchedule(framesPerSecond: framesPerSecond)
        // One value, changed for each frame: publishing it allocates nothing.
        var metadata = fixedMetadata
        var tick: UInt64 = 0
        var pause = SourcePause(onDemand, publisher: publisher, attention: attention)
        while !hasStopped, tick < frameCount ?? .max {
            switch pause?.waitIfUnwanted() {
            case nil, .goOn: break
            case .after(let time): schedule.postpone(by: time)
            case .ended: return
            }
            guard schedule.sleep(untilFrame: tick, stopped: { self.hasStopped }) else {
                return
            }
            // More than a whole frame late: this process got no time. A camera would have gone on.
            let missed = min(schedule.framesMissed(since: tick), (frameCount ?? .max) - tick)
            if missed > 0 {
                publisher.countLost(source: missed)
                tick += missed
                continue
            }
            do throws(ChannelError) {
                try waitForRoom(publisher, &schedule)
                let generation = publisher.generation
                if let slot = try nextSlot(publisher) {
                    let flags = pause?.flagsOfNextFrame() ?? []
                    try publish(firstNumber &+ tick, slot, generation, flags, &canvas, &metadata, publisher)
                } else if framesPerSecond > 0 {
                    publisher.countLost(noFreeSlot: 1)
                }
            } catch {
                // stop(), then close() to end a wait at once.
                if case .closed = error, hasStopped {
                    return
                }
                throw .channel(error)
            }
            if let failure = canvas.failure {
                throw failure
            }
            tick += 1
        }
    }

    private var hasStopped: Bool { isStopped.load(ordering: .relaxed) }

    /// Waits for subscribers that want every frame, where its publisher does, and stops the clock meanwhile.
    private func waitForRoom(_ publisher: Publisher, _ schedule: inout FrameSchedule) throws(ChannelError) {
        guard framesPerSecond > 0 else {
            return
        }
        schedule.postpone(by: try publisher.timeWaitingForRoom { hasStopped })
    }

    /// A slot to paint on; `nil` when there is none and a camera would not wait either.
    private func nextSlot(_ publisher: Publisher) throws(ChannelError) -> WritableSlot? {
        if framesPerSecond > 0 {
            return try publisher.tryNextSlot()
        }
        while !hasStopped {
            do throws(ChannelError) {
                return try publisher.nextSlotBlocking(timeout: Self.waitSlice)
            } catch .timedOut {
                continue
            }
        }
        return nil
    }

    /// How often a wait looks whether to stop.
    private static let waitSlice: Duration = .seconds(2)

    private func publish(
        _ number: UInt64,
        _ slot: consuming WritableSlot,
        _ generation: UInt32,
        _ flags: FrameFlags,
        _ canvas: inout PatternCanvas,
        _ metadata: inout Metadata,
        _ publisher: Publisher
    ) throws(ChannelError) {
        var description = FrameDescription(sequence: number, timestamp: .now(), flags: flags)
        // The slot is surely of this generation only if that has not changed around taking it.
        canvas.paint(number, slot, publisher.generation == generation ? generation : nil, &description)
        if canvas.failure != nil {
            return
        }
        metadata["PatternNumber"] = .int64(Int64(truncatingIfNeeded: number))
        do throws(ChannelError) {
            try publisher.publish(slot, description, metadata: metadata)
        } catch {
            // Reconfigured while it was painted: the slot's pool is gone, and with it this frame.
            guard case .slotNotAtSource = error else {
                throw error
            }
            publisher.countLost(source: 1)
        }
    }

    private var fixedMetadata: Metadata {
        guard framesPerSecond > 0 else {
            return ["PatternNumber": .int64(0)]
        }
        let duration = Int64((1_000_000 / framesPerSecond).rounded())
        return [
            "PatternNumber": .int64(0),
            "FrameDuration": .int64(duration),
            "ExposureTime": .int32(Int32(clamping: duration / 2)),
        ]
    }
}
