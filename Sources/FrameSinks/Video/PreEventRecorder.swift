#if FFmpeg
internal import FrameShare

/// Keeps the last seconds of packets, and records a clip when something happens: from before the moment, beginning at a
/// keyframe, to some time after it.
///
/// Clips may overlap: each is complete. Not for several threads at once.
public final class PreEventRecorder {
    /// A clip that is being written.
    private struct Clip {
        let recorder: VideoRecorder
        let post: Int64
        var end: Int64
        /// Whether it begins with the next keyframe: nothing was kept when it was triggered.
        var isWaiting: Bool
        /// How much earlier than asked for it begins, in ns.
        var early: Int64 = 0
    }

    private var stream: VideoStream
    private let options: VideoRecorder.Options
    private let pre: Int64
    private var kept: [KeptPacket] = []
    private var line = FrameTimeline(pauses: .kept)
    /// The place of the last packet, kept or not, and when it came, on the clock of this machine.
    private var last: (pts: Int64, cameAt: Int64)?
    private var clips: [Clip] = []
    private var count = 0
    /// After a loss, nothing can be decoded before the next keyframe.
    private var needsKeyframe = true
    /// Clips that are done.
    public private(set) var files: [VideoRecorder.File] = []
    /// Packets left out, as none could be decoded after a loss.
    public private(set) var skipped = 0
    /// How much of pauses, and of clocks that were set ahead, the clips' times leave out, in ns.
    public private(set) var leftOut: Int64 = 0

    /// - Parameters:
    ///   - options: clips are named as split files are: `-000`, `-001`, … before the ending
    ///   - pre: how long before the moment clips begin; they begin earlier, at the next keyframe before that
    public init(_ stream: VideoStream, options: VideoRecorder.Options, pre: Duration) throws(VideoError) {
        self.stream = stream
        self.options = options
        self.pre = pre.nanosecondsClamped
        // Now, while somebody looks, rather than at the first event.
        _ = try VideoRecorder(stream, options: clipOptions)
    }

    /// The clips that are being written.
    public var openClips: Int { clips.count }

    /// The bytes of packets that are kept.
    public var keptBytes: Int { kept.reduce(0) { $0 + $1.bytes.count } }

    /// Says that packets were lost.
    public func noteLoss() {
        guard !stream.codec.isIntra else { return }
        needsKeyframe = true
        for clip in clips { clip.recorder.noteLoss() }
    }

    /// Packets of another size or kind come from now on. Clips that are being written go on in a next file; what is kept of
    /// those before is in no clip that begins later.
    public func change(to stream: VideoStream) throws(VideoError) {
        self.stream = stream
        kept = []
        needsKeyframe = true
        var failure: VideoError?
        for clip in clips {
            do throws(VideoError) { try clip.recorder.change(to: stream) } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
    }

    /// Takes a packet: into the clips being written, and into what is kept.
    public func write(_ packet: borrowing VideoPacket) throws(VideoError) {
        if needsKeyframe {
            guard packet.info.isKeyframe else {
                skipped += 1
                return
            }
            needsKeyframe = false
        }
        let place = line.place(packet.info.dts)
        let new = KeptPacket(packet, info: packet.info.moved(to: place.time))
        let info = new.info
        for index in clips.indices where clips[index].isWaiting {
            clips[index].isWaiting = false
            clips[index].end = max(clips[index].end, Self.sum(info.pts, clips[index].post))
        }
        for clip in clips where info.pts <= clip.end {
            try new.withPacket { (packet) throws(VideoError) in try clip.recorder.write(packet) }
        }
        // In order of decoding: a later packet may be shown earlier, but not before one that was decoded at the end.
        try close { info.dts > $0 }
        // Of pictures that stand alone, none from before a pause is needed after it.
        if case .pause? = place.discontinuity, stream.codec.isIntra { kept = [] }
        kept.append(new)
        last = (info.pts, FrameTimestamp.now().nanoseconds)
        forget(before: info.pts - pre)
    }

    /// Begins a clip now: at the packet that came last, or in the pause since. While the first keyframe is waited for, also
    /// after a change, the clip begins with that keyframe.
    /// - Parameter post: how long it goes on
    public func trigger(post: Duration) throws(VideoError) {
        let recorder = try VideoRecorder(stream, options: clipOptions)
        count += 1
        let isWaiting = kept.isEmpty && needsKeyframe
        let pause = last.map { FrameTimestamp.now().nanoseconds - $0.cameAt } ?? 0
        if pause > Self.sum(pre, FrameTimeline.shortestPause), stream.codec.isIntra { kept = [] }
        for packet in kept {
            try packet.withPacket { (packet) throws(VideoError) in try recorder.write(packet) }
        }
        let post = post.nanosecondsClamped
        let end = Self.sum(Self.sum(last?.pts ?? 0, pause), post)
        let early = kept.first.map { max(0, Self.sum(last?.pts ?? 0, pause) - pre - $0.info.pts) } ?? 0
        clips.append(Clip(recorder: recorder, post: post, end: end, isWaiting: isWaiting, early: early))
    }

    /// Of times that are not negative.
    private static func sum(_ time: Int64, _ more: Int64) -> Int64 {
        let (sum, overflow) = time.addingReportingOverflow(more)
        return overflow ? .max : sum
    }

    /// Ends every clip.
    public func finish() throws(VideoError) { try close { _ in true } }

    private var clipOptions: VideoRecorder.Options {
        var options = options
        (options.splitDuration, options.splitBytes) = (nil, nil)
        // Clips of an earlier recording stay, and this one goes on.
        while !options.overwrite,
            VideoRecorder.isTaken(VideoRecorder.numbered(self.options.path, count), withSidecar: options.sidecar)
        {
            count += 1
        }
        options.path = VideoRecorder.numbered(options.path, count)
        return options
    }

    private func close(_ isDone: (Int64) -> Bool) throws(VideoError) {
        let done = clips.filter { isDone($0.end) }
        clips.removeAll { isDone($0.end) }
        var failure: VideoError?
        // One that can't be ended keeps none of the others from it.
        for clip in done {
            do throws(VideoError) {
                try clip.recorder.finish()
            } catch {
                failure = failure ?? error
            }
            var made = clip.recorder.files
            if !made.isEmpty { made[0].beginsEarly = clip.early }
            files += made
            leftOut =
                leftOut.addingReportingOverflow(clip.recorder.leftOut).overflow ? .max : leftOut + clip.recorder.leftOut
        }
        if let failure { throw failure }
    }

    /// Keeps what begins with the last keyframe at that moment or before it.
    private func forget(before moment: Int64) {
        guard let first = kept.lastIndex(where: { $0.info.isKeyframe && $0.info.pts <= moment }), first > 0 else {
            return
        }
        kept.removeFirst(first)
    }
}
#endif
