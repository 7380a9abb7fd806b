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
        /// The file; with a split, `-000`, `-001`, … stand before its ending. Without one, files that follow the first, as
        /// the pictures' size has changed, are `-001`, `-002`, ….
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
        /// How much earlier than asked for a clip of ``PreEventRecorder`` begins, in ns: at the keyframe before that moment.
        public internal(set) var beginsEarly: Int64 = 0
    }

    public let options: Options
    private let container: VideoContainer
    private var stream: VideoStream
    private var writer: ContainerWriter?
    private var sidecar: SidecarWriter?
    private var line: FrameTimeline
    /// The first frame's place on the line.
    private var start: Int64 = 0
    /// The first packets of an AVI, whose rate its header tells: they are looked at before it is written.
    private var held: [KeptPacket] = []
    /// The next file's number, where there are several.
    private var number = 0
    /// All files, the one being written last.
    public private(set) var files: [File] = []
    /// Packets that came before the first keyframe, or between a loss and the next one.
    public private(set) var skipped = 0
    /// How much of pauses, and of clocks that were set ahead, the files' times leave out, in ns.
    public private(set) var leftOut: Int64 = 0
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
        line = FrameTimeline(
            pauses: .kept,
            longestKept: container.longestPause(framesPerSecond: stream.framesPerSecond)
        )
        _ = try FFmpegLibrary.loaded()
        // Now, while somebody looks, rather than at the first keyframe.
        try checkPath(nextPath())
    }

    /// Says that packets were lost: those up to the next keyframe can't be decoded, and are left out.
    public func noteLoss() { needsKeyframe = !stream.codec.isIntra || writer == nil }

    /// Ends the file: packets of another size or kind come from now on, and get the next.
    public func change(to stream: VideoStream) throws(VideoError) {
        guard container.canHold(stream.codec) else {
            throw .containerCannotHold(container: container.rawValue, stream.codec)
        }
        try finish()
        self.stream = stream
        line.longestKept = container.longestPause(framesPerSecond: stream.framesPerSecond)
        needsKeyframe = true
    }

    /// Writes a packet.
    public func write(_ packet: borrowing VideoPacket) throws(VideoError) {
        if needsKeyframe {
            guard packet.info.isKeyframe else {
                skipped += 1
                return
            }
            needsKeyframe = false
        }
        let place = line.place(packet.info.dts)
        leftOut = leftOut.addingReportingOverflow(place.leftOut).overflow ? .max : leftOut + place.leftOut
        let info = packet.info.moved(to: place.time)
        if info.isKeyframe, isFull(info) { try finish() }
        guard writer == nil else { return try add(packet, info) }
        if held.isEmpty { start = info.pts }
        guard container == .avi else {
            try open(packet, stream)
            return try add(packet, info)
        }
        held.append(KeptPacket(packet, info: info))
        if held.count == 16 || info.pts - start > 2_000_000_000 { try openHeld() }
    }

    private func add(_ packet: borrowing VideoPacket, _ info: VideoPacket.Info) throws(VideoError) {
        guard let writer else { return }
        let (pts, dts) = (info.pts - start, info.dts - start)
        let bytes = packet.bytes
        let count = bytes.byteCount
        do throws(VideoError) {
            try bytes.withUnsafeBytes { (bytes) throws(VideoError) in
                try writer.write(bytes, pts: pts, dts: dts, step: line.step, isKeyframe: info.isKeyframe)
            }
            try sidecar?.write(packet, pts: pts, dts: dts, number: files[files.count - 1].frames)
        } catch {
            // What is there can be played.
            writer.close()
            (self.writer, sidecar) = (nil, nil)
            forgetRemoved()
            throw error
        }
        files[files.count - 1].frames += 1
        files[files.count - 1].bytes += count
        files[files.count - 1].duration = max(files[files.count - 1].duration, pts)
    }

    /// Ends the file. The next keyframe begins another, where files are split.
    public func finish() throws(VideoError) {
        defer { (writer, sidecar) = (nil, nil) }
        if !held.isEmpty { try openHeld() }
        do throws(VideoError) { try writer?.finish() } catch {
            forgetRemoved()
            throw error
        }
        try sidecar?.finish()
    }

    /// A file in which nothing could be played is removed by its writer; what is beside it goes, too.
    private func forgetRemoved() {
        guard let file = files.last, !NewFile.exists(file.path) else { return }
        files.removeLast()
        if options.sidecar { unlink(PathText.cString(file.path + ".jsonl")) }
    }

    private func isFull(_ info: VideoPacket.Info) -> Bool {
        guard writer != nil || !held.isEmpty else { return false }
        if writer != nil, let bytes = options.splitBytes, let file = files.last, file.bytes >= bytes { return true }
        guard let duration = options.splitDuration else { return false }
        return .nanoseconds(info.pts - start) >= duration
    }

    /// Begins an AVI at the rate that its first packets have.
    private func openHeld() throws(VideoError) {
        let packets = held
        held = []
        guard let first = packets.first else { return }
        var stream = stream
        stream.framesPerSecond = Self.rate(packets.map(\.info.dts)) ?? stream.framesPerSecond
        line.longestKept = container.longestPause(framesPerSecond: stream.framesPerSecond)
        try first.withPacket { (packet) throws(VideoError) in try open(packet, stream) }
        for kept in packets {
            try kept.withPacket { (packet) throws(VideoError) in try add(packet, kept.info) }
        }
    }

    /// How many frames a second come: rather a little too many, as what is missing can be told and what is too much can't.
    static func rate(_ times: [Int64]) -> Double? {
        let steps = zip(times, times.dropFirst()).map { $1 - $0 }.filter { $0 >= 0 }
        let moving = steps.filter { $0 > 0 }.sorted()
        guard !moving.isEmpty else { return nil }
        let middle = moving[moving.count / 2]
        let usual = steps.filter { $0 / 2 <= middle }
        let measured = 1e9 * Double(usual.count) / Double(usual.reduce(0, +))
        guard measured > 4 else { return measured * 1.0005 }
        let whole = measured.rounded()
        return min(measured <= whole * 1.0005 ? whole : whole + 1, 10_000)
    }

    private func open(_ packet: borrowing VideoPacket, _ stream: VideoStream) throws(VideoError) {
        let path = nextPath()
        try checkPath(path)
        let parameters = try packet.parameterSets(stream.codec)
        // Made here, so that no other file can have come to this name since; libavformat opens it once more.
        if !options.overwrite {
            let made = NewFile.open(path, overwrite: false)
            guard made >= 0 else {
                throw made == -EEXIST
                    ? .fileExists(path)
                    : made == -ENOSPC
                        ? .diskFull(path: path, isPlayable: false)
                        : .output(path: path, reason: String(cString: strerror(-made)))
            }
            close(made)
        }
        do throws(VideoError) {
            if options.sidecar { sidecar = try SidecarWriter(path: path + ".jsonl", overwrite: options.overwrite) }
            writer = try ContainerWriter(
                MuxerTarget(file: path, container),
                stream.told(by: packet),
                parameters: parameters
            )
        } catch {
            // What was made here, and holds nothing.
            if sidecar != nil { unlink(PathText.cString(path + ".jsonl")) }
            sidecar = nil
            if !options.overwrite { unlink(PathText.cString(path)) }
            throw error
        }
        files.append(File(path: path))
        number += 1
    }

    private func nextPath() -> String {
        if options.splitDuration == nil, options.splitBytes == nil, files.isEmpty { return options.path }
        // Those of an earlier recording stay, and this one goes on.
        while !options.overwrite, isTaken(Self.numbered(options.path, number)) { number += 1 }
        return Self.numbered(options.path, number)
    }

    private func isTaken(_ path: String) -> Bool { Self.isTaken(path, withSidecar: options.sidecar) }

    static func isTaken(_ path: String, withSidecar: Bool) -> Bool {
        NewFile.exists(path) || withSidecar && NewFile.exists(path + ".jsonl")
    }

    /// `door-007.mp4`
    static func numbered(_ path: String, _ number: Int) -> String {
        let number = String(number)
        let digits = String(repeating: "0", count: max(0, 3 - number.count)) + number
        let dot = path.lastIndex(of: ".") ?? path.endIndex
        return path[..<dot] + "-" + digits + path[dot...]
    }

    private func checkPath(_ path: String) throws(VideoError) {
        if !options.overwrite {
            if NewFile.exists(path) { throw .fileExists(path) }
            if options.sidecar, NewFile.exists(path + ".jsonl") { throw .fileExists(path + ".jsonl") }
        }
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        guard access(PathText.cString(folder), W_OK | X_OK) == 0 else {
            throw .output(path: path, reason: String(cString: strerror(errno)))
        }
    }
}
#endif
