#if FFmpeg
internal import CFFmpeg
internal import FFmpegBridge
internal import FrameShare

/// Packets as fragmented MP4 in memory, for a browser to play while they come. Not for several threads at once.
public final class FragmentMuxer {
    private let stream: VideoStream
    private let memory = MuxedBytes()
    private var writer: ContainerWriter?
    /// A page shows live pictures: a pause is no part of their time.
    private var line = FrameTimeline(pauses: .closed, longestKept: 1_800_000_000_000)
    private var start: Int64 = 0
    private var needsKeyframe = true

    /// - Throws: ``VideoError/containerCannotHold(container:_:)`` for packets that MP4 does not hold.
    public init(_ stream: VideoStream) throws(VideoError) {
        guard VideoContainer.mp4.canHold(stream.codec) else {
            throw .containerCannotHold(container: "mp4", stream.codec)
        }
        self.stream = stream
        _ = try FFmpegLibrary.loaded()
    }

    /// Loads what muxing needs, which takes tenths of a second the first time in a process. From any thread.
    public static func prepare() throws(VideoError) { _ = try FFmpegLibrary.loaded() }

    /// Says that packets were lost: those up to the next keyframe are left out.
    public func noteLoss() { needsKeyframe = !stream.codec.isIntra || writer == nil }

    /// Takes a packet.
    /// - Returns: what comes next in the stream: nothing before the first keyframe, and a frame's bytes when the next one
    ///   is here, which tells how long it shows
    public func write(_ packet: borrowing VideoPacket) throws(VideoError) -> [UInt8] {
        if needsKeyframe {
            guard packet.info.isKeyframe else { return [] }
            needsKeyframe = false
        }
        let info = packet.info.moved(to: line.place(packet.info.dts).time)
        if writer == nil {
            let parameters = try packet.parameterSets(stream.codec)
            writer = try ContainerWriter(
                MuxerTarget(fragmentsTo: memory),
                stream.told(by: packet),
                parameters: parameters
            )
            start = info.pts
        }
        guard let writer else { return [] }
        let (pts, dts) = (info.pts - start, info.dts - start)
        let bytes = packet.bytes
        try bytes.withUnsafeBytes { (bytes) throws(VideoError) in
            try writer.write(bytes, pts: pts, dts: dts, step: line.step, isKeyframe: info.isKeyframe)
        }
        return memory.take()
    }
}

/// Where libavformat writes to memory.
final class MuxedBytes {
    private var bytes: [UInt8] = []
    private static let step = 32 * 1024

    func take() -> [UInt8] {
        defer { bytes = [] }
        return bytes
    }

    /// An output that writes here. It keeps no reference: this must live until ``close(_:_:)``.
    func open(_ av: UnsafePointer<fs_ffmpeg>) throws(VideoError) -> UnsafeMutablePointer<AVIOContext> {
        guard let buffer = av.pointee.av_malloc(Self.step) else { throw .codec("out of memory") }
        let context = av.pointee.avio_alloc_context(
            buffer.assumingMemoryBound(to: UInt8.self),
            Int32(Self.step),
            1,
            Unmanaged.passUnretained(self).toOpaque(),
            nil,
            { opaque, data, count in
                guard let opaque, let data, count >= 0 else { return count }
                Unmanaged<MuxedBytes>.fromOpaque(opaque).takeUnretainedValue()
                    .bytes.append(contentsOf: UnsafeBufferPointer(start: data, count: Int(count)))
                return count
            },
            nil
        )
        guard let context else {
            var buffer: UnsafeMutableRawPointer? = buffer
            av.pointee.av_freep(&buffer)
            throw .codec("out of memory")
        }
        return context
    }

    func close(_ av: UnsafePointer<fs_ffmpeg>, _ context: inout UnsafeMutablePointer<AVIOContext>?) {
        guard let made = context else { return }
        av.pointee.av_freep(&made.pointee.buffer)
        av.pointee.avio_context_free(&context)
    }
}
#endif
