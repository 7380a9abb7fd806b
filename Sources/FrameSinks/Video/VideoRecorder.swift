#if FFmpeg
internal import FFmpegBridge
internal import FrameShare
internal import Glibc

/// Writes packets to files, with the times of capture.
///
/// A file begins at a keyframe, and its first frame at time 0. Where files are split, at keyframes, no packet is lost
/// between two of them. Not for several threads at once.
public final class VideoRecorder {
    /// Where and how to record.
    public struct Options: Sendable, Hashable {
        /// The file; with a split, `-000`, `-001`, … stand before its ending.
        public var path: String
        /// A new file at the first keyframe after so long, and after so many bytes; nil: one file.
        public var splitDuration: Duration?
        public var splitBytes: Int?
        /// Whether a file `PATH.jsonl` tells each frame's number, time and metadata, a line each.
        public var sidecar = false
        /// Whether files that are there are replaced.
        public var overwrite = false

        public init(path: String) { self.path = path }
    }

    /// A file that was written.
    public struct File: Sendable, Hashable {
        public let path: String
        public internal(set) var frames = 0
        /// Of packets, without what the container adds.
        public internal(set) var bytes = 0
        /// From its first frame to its last, in ns.
        public internal(set) var duration: Int64 = 0
    }

    public let options: Options
    private let container: VideoContainer
    private var stream: VideoStream
    private var writer: ContainerWriter?
    private var sidecar: SidecarWriter?
    /// The first frame's time.
    private var start: Int64 = 0
    /// All files, the one being written last.
    public private(set) var files: [File] = []
    /// Packets that came before the first keyframe, or between a loss and the next one.
    public private(set) var skipped = 0
    private var needsKeyframe = true

    /// Nothing is opened before the first keyframe.
    public init(_ stream: VideoStream, options: Options) throws(VideoError) {
        guard let container = VideoContainer(path: options.path) else { throw .unknownContainer(options.path) }
        guard container.canHold(stream.codec) else {
            throw .containerCannotHold(container: container.rawValue, stream.codec)
        }
        self.options = options
        self.container = container
        self.stream = stream
        _ = try FFmpegLibrary.loaded()
        // Now, while somebody looks, rather than at the first keyframe.
        try checkPath(nextPath)
    }

    /// Says that packets were lost: those up to the next keyframe can't be decoded, and are left out.
    public func noteLoss() { needsKeyframe = !stream.codec.isIntra || writer == nil }

    /// Writes a packet.
    public func write(_ packet: borrowing VideoPacket) throws(VideoError) {
        let info = packet.info
        if needsKeyframe {
            guard info.isKeyframe else {
                skipped += 1
                return
            }
            needsKeyframe = false
        }
        if writer != nil, info.isKeyframe, isFull(info) { try finish() }
        if writer == nil { try open(packet) }
        guard let writer else { return }
        let (pts, dts) = (info.pts - start, info.dts - start)
        let bytes = packet.bytes
        let count = bytes.byteCount
        do throws(VideoError) {
            try bytes.withUnsafeBytes { (bytes) throws(VideoError) in
                try writer.write(bytes, pts: pts, dts: dts, isKeyframe: info.isKeyframe)
            }
            try sidecar?.write(packet, pts: pts, dts: dts, number: files[files.count - 1].frames)
        } catch {
            // What is there can be played.
            writer.close()
            (self.writer, sidecar) = (nil, nil)
            throw error
        }
        files[files.count - 1].frames += 1
        files[files.count - 1].bytes += count
        files[files.count - 1].duration = max(files[files.count - 1].duration, pts)
    }

    /// Ends the file. The next keyframe begins another, where files are split.
    public func finish() throws(VideoError) {
        defer { (writer, sidecar) = (nil, nil) }
        try writer?.finish()
    }

    private func isFull(_ info: VideoPacket.Info) -> Bool {
        guard let file = files.last else { return false }
        if let bytes = options.splitBytes, file.bytes >= bytes { return true }
        guard let duration = options.splitDuration else { return false }
        return .nanoseconds(info.pts - start) >= duration
    }

    private func open(_ packet: borrowing VideoPacket) throws(VideoError) {
        let path = nextPath
        try checkPath(path)
        let parameters = try packet.parameterSets(stream.codec)
        writer = try ContainerWriter(MuxerTarget(file: path, container), stream, parameters: parameters)
        if options.sidecar { sidecar = try SidecarWriter(path: path + ".jsonl") }
        start = packet.info.pts
        files.append(File(path: path))
    }

    private var nextPath: String {
        guard options.splitDuration != nil || options.splitBytes != nil else { return options.path }
        return Self.numbered(options.path, files.count)
    }

    /// `door-007.mp4`
    static func numbered(_ path: String, _ number: Int) -> String {
        let number = String(number)
        let digits = String(repeating: "0", count: max(0, 3 - number.count)) + number
        let dot = path.lastIndex(of: ".") ?? path.endIndex
        return path[..<dot] + "-" + digits + path[dot...]
    }

    private func checkPath(_ path: String) throws(VideoError) {
        if !options.overwrite, access(path, F_OK) == 0 { throw .fileExists(path) }
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        guard access(folder, W_OK | X_OK) == 0 else {
            throw .output(path: path, reason: String(cString: strerror(errno)))
        }
    }
}
#endif
