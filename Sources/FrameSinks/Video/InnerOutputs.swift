#if FFmpeg
internal import CFFmpeg
internal import FFmpegBridge
internal import FrameShare
internal import Glibc

/// The files that a muxer opens itself: HLS's segments and playlists, DASH's, parts of a recording.
///
/// Such muxers pass over errors of closing, and never look at what an HTTP server answers. So what goes to a server is
/// gathered here, sent as one request when it is whole, and its answer is looked at. Local files of others are not
/// overwritten. Not for several threads at once.
final class InnerOutputs {
    /// What a muxer writes to a server.
    private struct Upload {
        let memory: MuxedBytes
        let address: String
        let options: [(key: String, value: String)]
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
    private var uploads: [UnsafeMutablePointer<AVIOContext>: Upload] = [:]
    /// What is being written to elsewhere, by name.
    private var others: [UnsafeMutablePointer<AVIOContext>: String] = [:]
    /// Outputs that were taken whole.
    private(set) var taken = 0
    /// The first that was not.
    private(set) var failure: (reason: FFmpegFailure, name: String)?

    /// Takes the place of a context's own functions. This must live as long as the context.
    /// - Parameter gathers: whether what goes to HTTP servers is sent when it is whole
    init?(
        _ context: UnsafeMutablePointer<AVFormatContext>,
        gathers: Bool,
        files: OwnFiles,
        _ av: UnsafePointer<fs_ffmpeg>
    ) {
        guard let open = context.pointee.io_open, let close = context.pointee.io_close2 else { return nil }
        (self.av, self.gathers, self.files, original) = (av, gathers, files, (open, close))
        interruption = context.pointee.interrupt_callback
        context.pointee.opaque = Unmanaged.passUnretained(self).toOpaque()
        context.pointee.io_open = { context, result, address, flags, options in
            guard let own = context?.pointee.opaque, let result, let address else { return -EINVAL }
            return Unmanaged<InnerOutputs>.fromOpaque(own).takeUnretainedValue()
                .open(context, result, address, flags, options)
        }
        context.pointee.io_close2 = { context, output in
            guard let own = context?.pointee.opaque, let output else { return 0 }
            return Unmanaged<InnerOutputs>.fromOpaque(own).takeUnretainedValue().close(context, output)
        }
    }

    private func note(_ result: Int32, _ name: String) {
        if result < 0, failure == nil { failure = (FFmpegFailure(result, av), name) }
    }

    /// Looks whether what was written so far went well: muxers look only when they close a file, or never.
    func look() {
        for (output, name) in others { note(output.pointee.error, name) }
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
        if gathers, name.hasPrefix("http://") || name.hasPrefix("https://") {
            let upload = Upload(memory: MuxedBytes(), address: name, options: entries(options?.pointee))
            guard let made = try? upload.memory.open(av) else { return -ENOMEM }
            uploads[made] = upload
            result.pointee = made
            return 0
        }
        let refused = files.claim(name)
        let opened = refused < 0 ? refused : original.open(context, result, address, flags, options)
        note(opened, name)
        if opened >= 0, let output = result.pointee { others[output] = name }
        return opened
    }

    private func close(
        _ context: UnsafeMutablePointer<AVFormatContext>?,
        _ output: UnsafeMutablePointer<AVIOContext>
    ) -> Int32 {
        guard let upload = uploads.removeValue(forKey: output) else {
            let (written, name) = (output.pointee.error, others.removeValue(forKey: output))
            let closed = original.close(context, output)
            let result = written < 0 ? written : closed
            if let name {
                note(result, name)
                if result < 0 { Self.removeIfEmpty(name) }
            }
            if result >= 0 { taken += 1 }
            return result
        }
        var closing: UnsafeMutablePointer<AVIOContext>? = output
        av.pointee.avio_flush(output)
        upload.memory.close(av, &closing)
        let result = failure == nil ? send(upload) : -EPIPE
        // What can't be deleted there stays there: nothing is lost.
        guard !upload.options.contains(where: { $0.key == "method" && $0.value == "DELETE" }) else { return 0 }
        note(result, upload.address)
        if result >= 0 { taken += 1 }
        return result
    }

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

/// The local files that an output has made, which it may write again; those of others it may not. Not for several threads.
final class OwnFiles {
    private let overwrite: Bool
    private var names: Set<String> = []

    /// - Parameter overwrite: whether files of others are replaced
    init(overwrite: Bool) { self.overwrite = overwrite }

    /// Takes a name before libavformat opens it.
    /// - Returns: `-EEXIST` where the file is somebody else's, `-ENXIO` where it is a pipe that nobody reads
    func claim(_ address: String) -> Int32 {
        guard let path = Self.path(address) else { return 0 }
        // Opening it would wait for ever.
        guard !NewFile.isUnreadPipe(path) else { return -ENXIO }
        guard !overwrite, !names.contains(path) else { return 0 }
        // Muxers write `x.m3u8.tmp`, and give it the name `x.m3u8` when it is whole.
        let final = path.hasSuffix(".tmp") ? String(path.dropLast(4)) : path
        if final != path, !names.contains(final), NewFile.exists(final) { return -EEXIST }
        let made = NewFile.open(path, overwrite: false)
        guard made >= 0 else { return made }
        Glibc.close(made)
        names.formUnion([path, final])
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
