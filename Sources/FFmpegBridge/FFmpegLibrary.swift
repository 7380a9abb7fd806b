#if FFmpeg
package import CFFmpeg

/// FFmpeg's functions. Loaded when they are first wanted.
package enum FFmpegLibrary {
    package static func functions() throws(FFmpegMissing) -> UnsafePointer<fs_ffmpeg> {
        guard let functions = fs_ffmpeg() else { throw FFmpegMissing(reason: String(cString: fs_ffmpeg_missing())) }
        return functions
    }
}

/// The libraries can't be loaded, in the dynamic linker's words.
package struct FFmpegMissing: Error {
    package let reason: String
}

/// What FFmpeg's functions return when they fail, in words.
package struct FFmpegFailure: Error, Hashable, Sendable {
    package let code: Int32
    package let text: String

    package init(text: String) { (code, self.text) = (0, text) }

    package init(_ code: Int32, _ av: UnsafePointer<fs_ffmpeg>) {
        self.code = code
        let message = Self.text { _ = av.pointee.av_strerror(code, $0, 512) }
        let complaint = Self.text { _ = fs_ffmpeg_complaint($0, 512) }
        text = complaint.isEmpty ? message : "\(message) (\(complaint))"
    }

    private static func text(_ fill: (UnsafeMutablePointer<CChar>) -> Void) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { buffer in
            buffer.initialize(repeating: 0)
            guard let start = buffer.baseAddress else { return "" }
            fill(start)
            return String(cString: start)
        }
    }
}
#endif
