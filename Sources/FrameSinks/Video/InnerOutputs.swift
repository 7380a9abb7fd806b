#if FFmpeg
internal import CFFmpeg
internal import FFmpegBridge
internal import FrameShare
internal import Glibc
internal import Synchronization

/// The files that a muxer opens itself: HLS's segments and playlists, DASH's, parts of a recording, what `tee` and `fifo`
/// write to.
///
/// Such muxers pass over errors of closing, and never look at what an HTTP server answers. So a file that goes to a server is
/// gathered here, sent as one request when it is whole, and its answer is looked at. What `tee` and `fifo` send to a server in
/// one request without an end is not gathered; the answer is looked at likewise. Local files of others are not overwritten.
/// The `fifo` muxer calls from a thread of its own.
final class InnerOutputs {
    /// What a muxer writes to a server.
    private struct Upload {
        let memory: MuxedBytes
        let address: String
        let options: [(key: String, value: String)]
    }

    /// What a muxer writes elsewhere.
    private struct Other {
        let name: String
        /// Of an HTTP server that gets one request without an end.
        let answer: ServerAnswer?
    }

    typealias Open =
        @convention(c) (
            UnsafeMutablePointer<AVFormatContext>?, UnsafeMutablePointer<UnsafeMutablePointer<AVIOContext>?>?,
            UnsafePointer<CChar>?, Int32, UnsafeMutablePointer<OpaquePointer?>?
        ) -> Int32
    typealias Close =
        @convention(c) (UnsafeMutablePointer<AVFormatContext>?, UnsafeMutablePointer<AVIOContext>?) -> Int32

    private let av: UnsafePointer<fs_ffmpeg>
    private let gathers: Bool
    private let files: OwnFiles
    private let interruption: AVIOInterruptCB
    /// The context's own functions.
    private let original: (open: Open, close: Close)
    /// Held for each use of the variables below it, and never across a call that may wait.
    private let lock = Mutex(())
    private var uploads: [UnsafeMutablePointer<AVIOContext>: Upload] = [:]
    private var others: [UnsafeMutablePointer<AVIOContext>: Other] = [:]
    private var takenCount = 0
    private var firstFailure: (reason: FFmpegFailure, name: String)?

    /// Outputs that were taken whole.
    var taken: Int { lock.withLock { _ in takenCount } }
    /// Whether something is being written.
    var isOpen: Bool { lock.withLock { _ in !others.isEmpty || !uploads.isEmpty } }
    /// Whether a local file is being written.
    var hasLocalFile: Bool {
        lock.withLock { _ in others.values.contains { OwnFiles.path($0.name).map(NewFile.isRegular) ?? false } }
    }
    /// Whether something is open, or was taken whole, and no server that is asked now may yet refuse.
    var isReached: Bool {
        lock.withLock { _ in
            firstFailure == nil && (takenCount > 0 || !others.isEmpty)
                && others.values.allSatisfy { $0.answer?.isTaken ?? true }
        }
    }
    /// The first that was not.
    var failure: (reason: FFmpegFailure, name: String)? { lock.withLock { _ in firstFailure } }

    /// Takes the place of a context's own functions. This must live as long as the context.
    /// - Parameter gathers: whether what goes to HTTP servers is sent when it is whole
    init?(
        _ context: UnsafeMutablePointer<AVFormatContext>,
        gathers: Bool,
        files: OwnFiles,
        _ av: UnsafePointer<fs_ffmpeg>
    ) {
        guard let open = fs_AVFormatContext_io_open(context).pointee,
            let close = fs_AVFormatContext_io_close2(context).pointee
        else { return nil }
        (self.av, self.gathers, self.files, original) = (av, gathers, files, (open, close))
        interruption = fs_AVFormatContext_interrupt_callback(context).pointee
        fs_AVFormatContext_opaque(context).pointee = Unmanaged.passUnretained(self).toOpaque()
        fs_AVFormatContext_io_open(context).pointee = { context, result, address, flags, options in
            guard let context, let own = fs_AVFormatContext_opaque(context).pointee, let result, let address else {
                return -EINVAL
            }
            return Unmanaged<InnerOutputs>.fromOpaque(own).takeUnretainedValue()
                .open(context, result, address, flags, options)
        }
        fs_AVFormatContext_io_close2(context).pointee = { context, output in
            guard let context, let own = fs_AVFormatContext_opaque(context).pointee, let output else { return 0 }
            return Unmanaged<InnerOutputs>.fromOpaque(own).takeUnretainedValue().close(context, output)
        }
    }

    private func note(_ result: Int32, _ name: String) {
        guard result < 0 else { return }
        let failure = FFmpegFailure(result, av)
        lock.withLock { _ in if firstFailure == nil { firstFailure = (failure, name) } }
    }

    /// Looks whether what was written so far went well: muxers look only when they close a file, or never.
    func look() {
        // An output stays until it is taken out of the list.
        let (failed, refused) = lock.withLock { _ in
            (
                others.first { $0.key.pointee.error < 0 }.map { (result: $0.key.pointee.error, name: $0.value.name) },
                others.values.lazy.compactMap { other in other.answer?.look().map { ($0, other.name) } }.first
            )
        }
        if let (refusal, name) = refused { note(refusal, name) }
        if let failed { note(failed.result, failed.name) }
    }

    private func note(_ refusal: ServerAnswer.Refusal, _ name: String) {
        lock.withLock { _ in
            if firstFailure == nil { firstFailure = (FFmpegFailure(text: refusal.text), name) }
        }
    }

    /// Whether a context writes files, each of which is whole at some time, rather than one stream without an end.
    private static func writesFiles(_ context: UnsafeMutablePointer<AVFormatContext>?) -> Bool {
        guard let name = context?.pointee.oformat?.pointee.name else { return false }
        return ContainerWriter.isOfFiles(String(cString: name))
    }

    private func open(
        _ context: UnsafeMutablePointer<AVFormatContext>?,
        _ result: UnsafeMutablePointer<UnsafeMutablePointer<AVIOContext>?>,
        _ address: UnsafePointer<CChar>,
        _ flags: Int32,
        _ options: UnsafeMutablePointer<OpaquePointer?>?
    ) -> Int32 {
        guard flags & AVIO_FLAG_WRITE != 0 else { return original.open(context, result, address, flags, options) }
        let name = PathText.text(UnsafeRawBufferPointer(start: address, count: strlen(address)))
        let isWeb = ServerAnswer.isHTTP(name)
        if gathers, isWeb, Self.writesFiles(context) {
            let upload = Upload(memory: MuxedBytes(), address: name, options: entries(options?.pointee))
            guard let made = try? upload.memory.open(av) else { return -ENOMEM }
            lock.withLock { _ in uploads[made] = upload }
            result.pointee = made
            return 0
        }
        let open = { [original] in original.open(context, result, address, flags, options) }
        let opened: Int32
        var answer: ServerAnswer?
        if isWeb, !Self.writesFiles(context) {
            (opened, answer) = ServerAnswer.opening(name, open)
        } else {
            opened = files.opening(name, open)
        }
        note(opened, name)
        if opened >= 0, let output = result.pointee {
            lock.withLock { _ in others[output] = Other(name: name, answer: answer) }
        }
        return opened
    }

    private func close(
        _ context: UnsafeMutablePointer<AVFormatContext>?,
        _ output: UnsafeMutablePointer<AVIOContext>
    ) -> Int32 {
        var (gathered, other): (Upload?, Other?)
        lock.withLock { _ in
            (gathered, other) = (uploads.removeValue(forKey: output), others.removeValue(forKey: output))
        }
        guard let upload = gathered else { return close(context, output, other) }
        var closing: UnsafeMutablePointer<AVIOContext>? = output
        av.pointee.avio_flush(output)
        upload.memory.close(av, &closing)
        let result = failure == nil ? send(upload) : -EPIPE
        // What can't be deleted there stays there: nothing is lost.
        guard !upload.options.contains(where: { $0.key == "method" && $0.value == "DELETE" }) else { return 0 }
        note(result, upload.address)
        if result >= 0 { countTaken() }
        return result
    }

    private func close(
        _ context: UnsafeMutablePointer<AVFormatContext>?,
        _ output: UnsafeMutablePointer<AVIOContext>,
        _ other: Other?
    ) -> Int32 {
        av.pointee.avio_flush(output)
        let written = output.pointee.error
        var refusal = other?.answer?.look()
        // Of an output that is given up, no answer is waited for.
        let isDue = interruption.callback.map { $0(interruption.opaque) != 0 } ?? false
        let isWhole = written >= 0 && refusal == nil && !isDue && failure == nil
        if isWhole { refusal = other?.answer?.end(atMost: ContainerWriter.answerTime) }
        var closed = original.close(context, output)
        if let answer = other?.answer {
            if answer.hasEnded {
                closed = 0
            } else if isWhole, closed >= 0 {
                refusal = answer.wait(atMost: ContainerWriter.answerTime)
            }
        }
        if let refusal, let other { note(refusal, other.name) }
        let result = written < 0 ? written : closed
        if let other {
            note(result, other.name)
            if result < 0 { Self.removeIfEmpty(other.name) }
        }
        if result >= 0, refusal == nil { countTaken() }
        return refusal == nil ? result : -EPIPE
    }

    private func countTaken() { lock.withLock { _ in takenCount += 1 } }

    private static func removeIfEmpty(_ address: String) {
        guard let path = OwnFiles.path(address).map(PathText.cString) else { return }
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size == 0 else { return }
        unlink(path)
    }

    private func entries(_ options: OpaquePointer?) -> [(key: String, value: String)] {
        var found: [(String, String)] = []
        var entry = av.pointee.av_dict_get(options, "", nil, AV_DICT_IGNORE_SUFFIX)
        while let now = entry {
            found.append((String(cString: now.pointee.key), String(cString: now.pointee.value)))
            entry = av.pointee.av_dict_get(options, "", now, AV_DICT_IGNORE_SUFFIX)
        }
        return found
    }

    /// One request with a body and an answer: libavformat reads the answer of what it opens for reading.
    private func send(_ upload: Upload) -> Int32 {
        var options: OpaquePointer?
        defer { av.pointee.av_dict_free(&options) }
        for option in upload.options { _ = av.pointee.av_dict_set(&options, option.key, option.value, 0) }
        if !upload.options.contains(where: { $0.key == "method" }) {
            _ = av.pointee.av_dict_set(&options, "method", "PUT", 0)
        }
        // What is read asks for a part, and for a radio station's titles, unless it is told not to.
        for option in ["seekable", "icy"] { _ = av.pointee.av_dict_set(&options, option, "0", 0) }
        let body = upload.memory.take()
        if !body.isEmpty { _ = av.pointee.av_dict_set(&options, "post_data", Self.hexadecimal(body), 0) }
        var answer: UnsafeMutablePointer<AVIOContext>?
        var interruption = interruption
        let result = av.pointee.avio_open2(&answer, upload.address, AVIO_FLAG_READ, &interruption, &options)
        guard result >= 0 else { return result }
        _ = av.pointee.avio_closep(&answer)
        return 0
    }

    /// As libavutil's dictionaries carry bytes.
    private static func hexadecimal(_ bytes: [UInt8]) -> [CChar] {
        let digits = Array("0123456789ABCDEF".utf8).map { CChar(bitPattern: $0) }
        return [CChar](unsafeUninitializedCapacity: bytes.count * 2 + 1) { room, count in
            for (index, byte) in bytes.enumerated() {
                room.initializeElement(at: index * 2, to: digits[Int(byte >> 4)])
                room.initializeElement(at: index * 2 + 1, to: digits[Int(byte & 15)])
            }
            room.initializeElement(at: bytes.count * 2, to: 0)
            count = bytes.count * 2 + 1
        }
    }
}

/// The local files that an output has made, which it may write again; those of others it may not.
final class OwnFiles {
    /// What ``opening(_:_:)`` returns for a pipe that nobody reads. libavformat has no such code.
    static let nobodyReads: Int32 = -0x5249_5045

    private let overwrite: Bool
    private let names = Mutex<Set<String>>([])

    /// - Parameter overwrite: whether files of others are replaced
    init(overwrite: Bool) { self.overwrite = overwrite }

    /// Takes a name, and has libavformat open it.
    /// - Returns: what `open` returns; `-EEXIST` where the file is somebody else's, ``nobodyReads`` where it is a pipe
    ///   without a reader
    func opening(_ address: String, _ open: () -> Int32) -> Int32 {
        guard let path = Self.path(address) else { return open() }
        // Opening a pipe without a reader would wait for ever. A reader that waits for its writer has one from here on; it
        // would read the pipe's end if that one went before libavformat's is there.
        let pipe = NewFile.openPipe(path)
        if pipe == -ENXIO { return Self.nobodyReads }
        defer { if let pipe { Glibc.close(pipe) } }
        let claimed = claim(path)
        return claimed < 0 ? claimed : open()
    }

    private func claim(_ path: String) -> Int32 {
        guard !overwrite, !names.withLock({ $0.contains(path) }) else { return 0 }
        // Muxers write `x.m3u8.tmp`, and give it the name `x.m3u8` when it is whole.
        let final = path.hasSuffix(".tmp") ? String(path.dropLast(4)) : path
        if final != path, !names.withLock({ $0.contains(final) }), NewFile.exists(final) { return -EEXIST }
        let made = NewFile.open(path, overwrite: false)
        guard made >= 0 else { return made }
        Glibc.close(made)
        names.withLock { $0.formUnion([path, final]) }
        return 0
    }

    /// The path of a local file; nil for an address of another kind.
    static func path(_ address: String) -> String? {
        if address.hasPrefix("file:") { return String(address.dropFirst(5)) }
        let scheme = address.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) }
        return !scheme.isEmpty && address[scheme.endIndex...].hasPrefix(":") ? nil : address
    }
}
#endif
