#if FFmpeg
internal import CFFmpeg
internal import FFmpegBridge
public import FrameShare
public import PixelFormats
internal import Synchronization

/// A source that needs no camera: feeds a channel with the pictures of a video file, in time.
///
/// With the side-car that a recording has (`FILE.jsonl`), frames have the numbers, gaps, intervals and metadata of the
/// camera's own, on the same clock but of now: a client can't tell it from the camera. Without one, frames are counted from
/// 0, and `FrameDuration` (µs) is told.
///
/// Like a camera it keeps its own time, and a frame that finds no free slot is lost and counted; unlike one it waits for
/// subscribers that want every frame.
// @unchecked: what decodes is touched by run(on:) alone, which is for one thread; stop() sets an atomic.
public final class VideoFile: @unchecked Sendable {
    /// How to play it.
    public struct Options: Sendable, Hashable {
        /// Whether to begin again at the end, for ever. Numbers go on.
        public var loops = false
        /// 1: as it was recorded; 0: as fast as slots come free.
        public var speed = 1.0

        public init() {}
    }

    public let path: String
    public let options: Options
    /// Of the frames that ``run(on:)`` publishes, in the stream `main`.
    public let layout: ImageLayout
    /// The lines of its side-car in the order in which they are shown; none without one.
    private let told: [SidecarLine]
    private let decoder: VideoDecoder
    private let isStopped = Atomic(false)

    /// Opens the file, and its side-car if there is one.
    public init(path: String, options: Options = Options()) throws(VideoFileError) {
        guard options.speed == 0 || (0.001...1000).contains(options.speed) else { throw .badSpeed(options.speed) }
        (self.path, self.options) = (path, options)
        decoder = try VideoDecoder(path: path)
        layout = decoder.layout
        told = try SidecarLine.read(path + ".jsonl").sorted { $0.pts < $1.pts }
    }

    /// Ends ``run(on:)`` within a tenth of a second; if subscribers hold it up, within two, or when the publisher is
    /// closed. From any thread.
    public func stop() { isStopped.store(true, ordering: .relaxed) }

    private var hasStopped: Bool { isStopped.load(ordering: .relaxed) }

    /// Publishes the file's frames until its end or ``stop()``. Blocks the calling thread. The publisher stays open.
    /// - Parameter publisher: with the stream `main` of ``layout``
    public func run(on publisher: Publisher) throws(VideoFileError) {
        guard publisher.streams.map(\.layout) == [layout] else { throw .otherStreams }
        var time = PlayingTime(speed: options.speed)
        var numbers = PlayingNumbers(told)
        while !hasStopped {
            var shown = 0
            while !hasStopped, let picture = try decoder.next() {
                let line = shown < told.count ? told[shown] : nil
                let pts = line?.pts ?? picture.pts
                guard time.sleep(until: pts, stopped: { hasStopped }) else { break }
                guard let slot = try slot(publisher, &time) else {
                    if !hasStopped { publisher.countLost(noFreeSlot: 1) }
                    shown += 1
                    continue
                }
                try decoder.copy(picture, into: slot)
                do throws(ChannelError) {
                    try numbers.publish(slot, shown, line, time.now(pts, line?.clock), picture.interval, publisher)
                } catch {
                    if case .closed = error, hasStopped { return }
                    throw .channel(error)
                }
                shown += 1
            }
            guard options.loops, shown > 0, !hasStopped else { return }
            numbers.beginAgain(after: shown)
            time.beginAgain()
            try decoder.rewind()
        }
    }

    private func slot(_ publisher: Publisher, _ time: inout PlayingTime) throws(VideoFileError) -> WritableSlot? {
        do throws(ChannelError) {
            try time.waitForRoom(publisher) { hasStopped }
            return try time.nextSlot(publisher, stopped: { hasStopped })
        } catch {
            if case .closed = error, hasStopped { return nil }
            throw .channel(error)
        }
    }
}

/// The numbers and metadata that frames get.
struct PlayingNumbers {
    private let told: [SidecarLine]
    private var offset: UInt64 = 0
    /// What the camera itself had lost before a frame.
    private var expected: UInt64?

    init(_ told: [SidecarLine]) { self.told = told }

    mutating func publish(
        _ slot: consuming WritableSlot,
        _ index: Int,
        _ line: SidecarLine?,
        _ timestamp: FrameTimestamp,
        _ interval: Int64,
        _ publisher: Publisher
    ) throws(ChannelError) {
        let sequence = (line?.sequence ?? UInt64(index)) &+ offset
        if let expected, sequence > expected { publisher.countLost(source: sequence - expected) }
        expected = sequence &+ 1
        let metadata = line?.metadata ?? ["FrameDuration": .int64(interval / 1000)]
        try publisher.publish(slot, FrameDescription(sequence: sequence, timestamp: timestamp), metadata: metadata)
    }

    mutating func beginAgain(after shown: Int) {
        let (first, last) = (told.first?.sequence ?? 0, told.last?.sequence ?? UInt64(shown - 1))
        offset &+= last &- first &+ 1
    }
}
#endif
