#if FFmpeg
internal import FrameShare

/// Keeps the last seconds of packets, and records a clip when something happens: from before the moment, beginning at a
/// keyframe, to some time after it.
///
/// Clips may overlap: each is complete. Not for several threads at once.
public final class PreEventRecorder {
    /// A packet that is kept.
    private struct Kept {
        let bytes: [UInt8]
        let metadata: [UInt8]
        let info: VideoPacket.Info
    }

    /// A clip that is being written.
    private struct Clip {
        let recorder: VideoRecorder
        let end: Int64
    }

    private let stream: VideoStream
    private let options: VideoRecorder.Options
    private let pre: Int64
    private var kept: [Kept] = []
    private var clips: [Clip] = []
    private var count = 0
    /// After a loss, nothing can be decoded before the next keyframe.
    private var needsKeyframe = true
    /// Clips that are done.
    public private(set) var files: [VideoRecorder.File] = []
    /// Packets left out, as none could be decoded after a loss.
    public private(set) var skipped = 0

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

    /// Takes a packet: into the clips being written, and into what is kept.
    public func write(_ packet: borrowing VideoPacket) throws(VideoError) {
        let info = packet.info
        if needsKeyframe {
            guard info.isKeyframe else {
                skipped += 1
                return
            }
            needsKeyframe = false
        }
        for clip in clips where info.pts <= clip.end { try clip.recorder.write(packet) }
        // In order of decoding: a later packet may be shown earlier, but not before one that was decoded at the end.
        try close { info.dts > $0 }
        let (bytes, metadata) = (packet.bytes, packet.metadata)
        let encoded = metadata.encodedBytes
        kept.append(
            Kept(
                bytes: bytes.withUnsafeBytes { Array($0) },
                metadata: encoded.withUnsafeBytes { Array($0) },
                info: info
            )
        )
        forget(before: info.pts - pre)
    }

    /// Begins a clip now: at the packet that came last.
    /// - Parameter post: how long it goes on
    public func trigger(post: Duration) throws(VideoError) {
        let recorder = try VideoRecorder(stream, options: clipOptions)
        count += 1
        for packet in kept {
            // Invariant: `packet` holds the bytes during the call.
            let metadata = MetadataView(encoded: packet.metadata.span.bytes)
            try recorder.write(VideoPacket(bytes: packet.bytes.span.bytes, info: packet.info, metadata: metadata))
        }
        let now = kept.last?.info.pts ?? FrameTimestamp.now().nanoseconds
        clips.append(Clip(recorder: recorder, end: now &+ post.nanosecondsClamped))
    }

    /// Ends every clip.
    public func finish() throws(VideoError) { try close { _ in true } }

    private var clipOptions: VideoRecorder.Options {
        var options = options
        (options.splitDuration, options.splitBytes) = (nil, nil)
        options.path = VideoRecorder.numbered(options.path, count)
        return options
    }

    private func close(_ isDone: (Int64) -> Bool) throws(VideoError) {
        for clip in clips where isDone(clip.end) {
            try clip.recorder.finish()
            files += clip.recorder.files
        }
        clips.removeAll { isDone($0.end) }
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
