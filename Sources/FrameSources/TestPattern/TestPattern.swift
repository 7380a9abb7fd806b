public import FrameShare
import PixelFormats
import Synchronization

/// A source that needs no camera: feeds a channel with the test pattern, in all of the channel's streams.
///
/// ```swift
/// let publisher = try Publisher(channel: "camera0", streams: ["main": layout, "lores": small], slots: 8)
/// let pattern = try TestPattern(framesPerSecond: 30)
/// try pattern.run(on: publisher)     // until stop(), from another thread
/// ```
///
/// Each frame's number stands in its pixels (``PatternReader``), in its sequence, and in its metadata as `PatternNumber`,
/// beside `FrameDuration` (µs) and `ExposureTime` (µs), as libcamera has them.
///
/// Like a camera it keeps its own time: frames are due at absolute moments, so the rate does not drift, and one that finds
/// no free slot is lost, counted, and leaves a gap in the numbers. Unlike a camera it waits for subscribers that want every
/// frame: its clock stands still meanwhile. At rate 0 it waits for a free slot, and loses nothing.
public final class TestPattern: Sendable {
    /// Frames in a second; 0: as fast as slots come free.
    public let framesPerSecond: Double
    /// The number of the first frame.
    public let firstNumber: UInt64
    /// How many numbers to use up, lost ones included; `nil`: no end.
    public let frameCount: UInt64?
    private let isStopped = Atomic(false)

    /// - Throws: ``PatternError/badRate(_:)``.
    public init(
        framesPerSecond: Double = 30,
        firstNumber: UInt64 = 0,
        frameCount: UInt64? = nil
    ) throws(PatternError) {
        guard framesPerSecond.isFinite, framesPerSecond == 0 || (0.001...1_000_000).contains(framesPerSecond) else {
            throw .badRate(framesPerSecond)
        }
        self.framesPerSecond = framesPerSecond
        self.firstNumber = firstNumber
        self.frameCount = frameCount
    }

    /// Ends ``run(on:)`` within a tenth of a second; if subscribers hold it up, within two, or when the publisher is closed.
    /// From any thread. A pattern that was stopped stays so.
    public func stop() {
        isStopped.store(true, ordering: .relaxed)
    }

    /// Publishes frames until ``stop()``, or until ``frameCount`` is used up. Blocks the calling thread: don't call it in a
    /// task. The publisher stays open.
    ///
    /// A publisher that is reconfigured meanwhile gets the pattern in its new streams.
    /// - Throws: ``PatternError/unsupportedFormat(_:)`` and others for streams that can't be painted, before the first frame;
    ///   ``PatternError/channel(_:)`` when the publisher has been closed.
    public func run(on publisher: Publisher) throws(PatternError) {
        var canvas = try PatternCanvas(publisher)
        var schedule = FrameSchedule(framesPerSecond: framesPerSecond)
        let metadata = FixedMetadata(framesPerSecond: framesPerSecond)
        while let tick = schedule.next, frameCount.map({ tick < $0 }) ?? true {
            if let missed = schedule.sleep(until: { self.isStopped.load(ordering: .relaxed) }), missed > 0 {
                publisher.countLost(source: missed)
                continue
            }
            if isStopped.load(ordering: .relaxed) {
                return
            }
            let number = firstNumber &+ tick
            do throws(ChannelError) {
                guard let waited = try waitForRoom(publisher) else {
                    return
                }
                schedule.postpone(waited)
                guard var slot = try takeSlot(publisher) else {
                    schedule.advance()
                    continue
                }
                var description = FrameDescription(sequence: number, timestamp: .now())
                try canvas.paint(number, on: &slot, of: publisher, &description)
                try publisher.publish(slot, description, metadata: metadata.with(number: number))
            } catch {

            }
            schedule.advance()
        }
    }
}
