#if FFmpeg
internal import CFFmpeg
internal import FFmpegBridge
internal import FrameMemory
public import FrameShare
public import PixelFormats
internal import Synchronization

/// A source that needs no camera: feeds a channel with the pictures of a video file, in time, or with a still picture.
///
/// With the side-car that a recording has (`FILE.jsonl`), frames have the numbers, gaps, intervals and metadata of the
/// camera's own, on the same clock but of now: a client can't tell it from the camera. Without one, frames are counted from
/// 0, and `FrameDuration` (µs) is told.
///
/// Pictures are shown as the file says: turned, mirrored, and cropped as H.264's and HEVC's own headers say. FFmpeg 5.1 does
/// not tell a container's crop (`clap` of MP4, `PixelCrop` of Matroska): such pictures come whole. Where pixels are not square, each frame's metadata
/// has `SampleAspectRatio`, a pixel's width and height. What can't be decoded is gone over: it is counted as lost by the
/// source, the next frame has `FrameFlags.discontinuity`, and a damaged picture `FrameFlags.error`.
///
/// A picture of another size begins another generation of the channel. One of another format or colour space is converted.
/// Times that jump, step back or are missing do not stop it: frames then go on one usual step after another.
///
/// Like a camera it keeps its own time, and a frame that finds no free slot is lost and counted; unlike one it waits for
/// subscribers that want every frame.
// @unchecked: what decodes is touched by run(on:) alone, which is for one thread; stop() sets an atomic.
public final class VideoFile: @unchecked Sendable {
    /// How to play it.
    public struct Options: Sendable, Hashable {
        /// Whether to begin again at the end, for ever. Numbers go on.
        public var loops = false
        /// 1: as it was recorded; 0: as fast as slots come free. Otherwise 0.001 to 1000.
        public var speed = 1.0
        /// Frames a second, 0.001 to 1000, of a still picture or of a file that has no times of its own, such as `.h264`;
        /// nil: 30, or what FFmpeg takes for it.
        public var framesPerSecond: Double?
        /// Ends after so many frames; nil: at the file's end.
        public var frameCount: UInt64?
        /// Plays only while somebody subscribes, if set; it goes on where it paused.
        public var onDemand: OnDemand?
        /// The most pixels of a picture: 16384 x 16384. A damaged header can claim any size.
        var mostPixels: Int64 = 1 << 28

        public init() {}
    }

    /// What is worth telling while a file is played.
    public enum Event: Sendable, Hashable, CustomStringConvertible {
        /// Something could not be read or decoded, in FFmpeg's words. It was gone over.
        case damaged(String)
        /// Pictures have another size: the channel has another generation.
        case changed(from: ImageLayout, to: ImageLayout)
        /// The file's times do not go on evenly. It is played on at once.
        case jumped(FrameTimeline.Discontinuity)

        /// `damaged`, `changed` or `jumped`.
        public var kind: String {
            switch self {
            case .damaged: "damaged"
            case .changed: "changed"
            case .jumped: "jumped"
            }
        }

        public var description: String {
            switch self {
            case .damaged(let reason): "gone over, as it can't be decoded: \(reason)"
            case .changed(let from, let to): "the file's pictures change from \(from) to \(to): a new generation"
            case .jumped(let discontinuity): "\(discontinuity) in the file: played on at once"
            }
        }
    }

    public let path: String
    public let options: Options
    /// Of the frames that ``run(on:telling:)`` publishes at first, in the stream `main`.
    public let layout: ImageLayout
    /// What is worth knowing of the file before it is played, in words: that its pictures are turned, or it is still.
    public let notes: [String]
    private let told: [SidecarLine]
    private let decoder: VideoDecoder
    /// The picture of a file that has one alone.
    private let still: KeptPicture?
    private let isStopped = Atomic(false)
    /// Ends a wait for subscribers.
    private let attention: StopSignal?

    /// Opens the file, and its side-car if there is one.
    public init(path: String, options: Options = Options()) throws(VideoFileError) {
        let possible = 0.001...1000
        guard options.speed == 0 || possible.contains(options.speed) else { throw .badSpeed(options.speed) }
        if let rate = options.framesPerSecond, !possible.contains(rate) { throw .badRate(rate) }
        (self.path, self.options) = (path, options)
        do throws(ChannelError) {
            attention = options.onDemand == nil ? nil : try StopSignal()
        } catch {
            throw .channel(error)
        }
        decoder = try VideoDecoder(path: path, rate: options.framesPerSecond, mostPixels: Self.mostPixels(options))
        guard let first = try decoder.peek() else {
            throw .nothingDecodable(path: path, reason: decoder.complaint ?? "it has no picture")
        }
        do throws(ImageLayoutError) {
            layout = try first.shape.layout()
        } catch {
            throw .open(path: path, reason: "\(error)")
        }
        do throws(FFmpegFailure) {
            try PictureFitting(layout: layout, decoder.av).prepare(for: first.shape)
        } catch {
            throw .decode(path: path, reason: error.text)
        }
        var notes = first.shape.notes
        still = try Self.still(decoder)
        if still != nil { notes.append("a still picture, shown again and again") }
        if options.framesPerSecond != nil, still == nil, !decoder.tookRate { throw .ownRate(path: path) }
        self.notes = notes
        told = try SidecarLine.read(path + ".jsonl")
    }

    /// A picture takes up to 8 bytes for each pixel, and a decoder holds two: at most half of the free memory.
    private static func mostPixels(_ options: Options) -> Int64 {
        guard let available = MemoryBudget().available else { return options.mostPixels }
        return min(options.mostPixels, max(1, Int64(available) / 32))
    }

    /// The picture of a file that has one alone; else the decoder is at the beginning again.
    private static func still(_ decoder: VideoDecoder) throws(VideoFileError) -> KeptPicture? {
        guard decoder.mayBeStill, let first = try decoder.next(stopped: { false }) else { return nil }
        let kept = try decoder.kept(first)
        // A damaged video may have one picture left.
        if try decoder.peek() == nil, decoder.takeLost() == 0 { return kept }
        try decoder.rewind()
        return nil
    }

    /// Ends ``run(on:telling:)`` within a tenth of a second; if subscribers hold it up, within two, or when the publisher
    /// is closed. From any thread.
    public func stop() {
        isStopped.store(true, ordering: .relaxed)
        attention?.stop()
    }

    private var hasStopped: Bool { isStopped.load(ordering: .relaxed) }

    /// Publishes the file's frames until its end or ``stop()``; a still picture until ``stop()``. Blocks the calling
    /// thread. The publisher stays open.
    /// - Parameters:
    ///   - publisher: with the stream `main` of ``layout``
    ///   - tell: called on this thread for what is worth telling; each kind of event no more than a few times
    public func run(on publisher: Publisher, telling tell: @escaping (Event) -> Void = { _ in }) throws(VideoFileError)
    {
        guard publisher.streams.map(\.layout) == [layout] else { throw .otherStreams }
        let stillInterval = Int64(1e9 / (options.framesPerSecond ?? 30))
        var playing = Playing(
            publisher: publisher,
            time: PlayingTime(speed: options.speed, step: still == nil ? decoder.interval : stillInterval),
            numbers: PlayingNumbers(told, origin: decoder.startTime),
            fitting: PictureFitting(layout: layout, decoder.av),
            telling: EventLimit(tell),
            pause: SourcePause(options.onDemand, publisher: publisher, attention: attention)
        )
        do throws(ChannelError) {
            if let still {
                var time: Int64 = 0
                while !hasStopped, !isDone(playing), try show(still.picture, at: time, &playing) {
                    time = time.addingReportingOverflow(stillInterval).partialValue
                }
                return
            }
        } catch {
            if case .closed = error, hasStopped { return }
            throw .channel(error)
        }
        while !hasStopped {
            let before = playing.shown
            while !hasStopped, !isDone(playing), let picture = try decoder.next(stopped: { hasStopped }) {
                do throws(ChannelError) {
                    guard try show(picture, at: picture.time, &playing) else { break }
                } catch {
                    if case .closed = error, hasStopped { return }
                    throw .channel(error)
                }
            }
            if hasStopped || isDone(playing) { return }
            let lost = decoder.takeLost()
            if lost > 0 { playing.telling(.damaged(decoder.complaint ?? "damaged data")) }
            guard playing.shown > before else {
                throw .nothingDecodable(path: path, reason: decoder.complaint ?? "it has no picture")
            }
            guard options.loops else { return publisher.countLost(source: UInt64(lost)) }
            playing.numbers.beginAgain(lost: lost)
            playing.time.beginAgain()
            try decoder.rewind()
        }
    }

    private func isDone(_ playing: borrowing Playing) -> Bool { playing.shown >= options.frameCount ?? .max }

    /// What goes on from one picture to the next.
    private struct Playing {
        let publisher: Publisher
        var time: PlayingTime
        var numbers: PlayingNumbers
        var fitting: PictureFitting
        var telling: EventLimit
        /// Where it plays on demand.
        var pause: SourcePause?
        /// Pictures that were shown, or would have been if there had been a slot.
        var shown: UInt64 = 0
        /// The layout that there was no memory for.
        var refused: ImageLayout?
        /// A picture before could not be shown.
        var isBroken = false

        /// A picture could not be shown.
        mutating func skip() {
            numbers.skip()
            isBroken = true
        }
    }

    /// Publishes a picture when it is due.
    /// - Parameter stamp: its time in ns, where the side-car tells none; nil: it has none
    /// - Returns: false when it was stopped meanwhile
    private func show(
        _ picture: VideoDecoder.Picture,
        at stamp: Int64?,
        _ playing: inout Playing
    ) throws(ChannelError) -> Bool {
        if picture.lostBefore > 0 { playing.telling(.damaged(decoder.complaint ?? "damaged data")) }
        let line = playing.numbers.line(at: stamp, lost: picture.lostBefore)
        let place = playing.time.place(line?.pts ?? stamp)
        if let found = place.discontinuity { playing.telling(.jumped(found)) }
        switch playing.pause?.waitIfUnwanted() {
        case nil, .goOn: break
        case .after(let time): playing.time.postpone(by: time)
        case .ended:
            stop()
            return false
        }
        guard playing.time.sleep(until: place, stopped: { hasStopped }) else { return false }
        guard try fit(picture.shape, &playing) else {
            playing.skip()
            return true
        }
        try playing.time.waitForRoom(playing.publisher) { hasStopped }
        guard let slot = try playing.time.nextSlot(playing.publisher, stopped: { hasStopped }) else {
            if hasStopped { return false }
            playing.publisher.countLost(noFreeSlot: 1)
            playing.publisher.countLost(source: playing.numbers.take(line).lost)
            playing.shown += 1
            return true
        }
        do throws(FFmpegFailure) {
            try playing.fitting.copy(picture.frame, picture.shape, into: slot)
        } catch {
            playing.telling(.damaged(error.text))
            playing.skip()
            return true
        }
        let (sequence, lost) = playing.numbers.take(line)
        if lost > 0 { playing.publisher.countLost(source: lost) }
        var metadata = line?.metadata ?? ["FrameDuration": .int64(playing.time.step / 1000)]
        if let aspect = picture.shape.pixelAspect, metadata["SampleAspectRatio"] == nil {
            metadata["SampleAspectRatio"] = .int32s([aspect.width, aspect.height])
        }
        var flags: FrameFlags = picture.isDamaged ? .error : []
        if picture.lostBefore > 0 || place.discontinuity != nil || playing.isBroken { flags.insert(.discontinuity) }
        if let more = playing.pause?.flagsOfNextFrame() { flags.formUnion(more) }
        let timestamp = playing.time.now(place, line?.clock)
        try playing.publisher.publish(
            slot,
            FrameDescription(sequence: sequence, timestamp: timestamp, flags: flags),
            metadata: metadata
        )
        playing.shown += 1
        playing.isBroken = false
        return true
    }

    /// Makes the channel fit for pictures of a shape.
    /// - Returns: false where that can't be: the picture is gone over
    private func fit(_ shape: PictureShape, _ playing: inout Playing) throws(ChannelError) -> Bool {
        if playing.fitting.holds(shape) { return true }
        let next: ImageLayout
        do throws(ImageLayoutError) {
            next = try shape.layout()
        } catch {
            playing.telling(.damaged("\(error)"))
            return false
        }
        if next == playing.refused { return false }
        do throws(ChannelError) {
            try playing.publisher.reconfigure(
                streams: [Stream(name: "main", layout: next)],
                slots: playing.publisher.slotCount
            )
        } catch {
            if case .closed = error { throw error }
            // A damaged header can claim any size.
            playing.refused = next
            playing.telling(.damaged("a picture of \(next): \(error)"))
            return false
        }
        playing.telling(.changed(from: playing.fitting.layout, to: next))
        playing.fitting = PictureFitting(layout: next, decoder.av)
        return true
    }
}

/// Tells each kind of event a few times: a damaged file may have thousands.
private struct EventLimit {
    private let tell: (VideoFile.Event) -> Void
    private var told = [0, 0, 0]

    init(_ tell: @escaping (VideoFile.Event) -> Void) { self.tell = tell }

    mutating func callAsFunction(_ event: VideoFile.Event) {
        let kind =
            switch event {
            case .damaged: 0
            case .changed: 1
            case .jumped: 2
            }
        guard told[kind] < 5 else { return }
        told[kind] += 1
        tell(event)
    }
}
#endif
