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
        let words = Self.words(complaint)
        text = words.isEmpty ? message : "\(message) (\(words))"
    }

    /// Drops what the libraries have complained of in this thread: no later failure is about it.
    package static func forgetComplaint() { _ = text { _ = fs_ffmpeg_complaint($0, 512) } }

    /// A complaint of libavutil's about a size, with the arithmetic; any other as it is.
    private static func words(_ complaint: String) -> String {
        let parts = complaint.split(separator: " ")
        guard parts.count > 2, parts[0] == "Picture", parts[1] == "size" else { return complaint }
        let sides = parts[2].split(separator: "x").compactMap { UInt64($0) }
        guard sides.count == 2 else { return complaint }
        let (pixels, overflow) = sides[0].multipliedReportingOverflow(by: sides[1])
        let count = overflow ? "more than 2^64" : "\(pixels)"
        // "Picture size WxH exceeds specified max pixel count N, see ..."
        let most =
            complaint.contains("max pixel count")
            ? parts.dropFirst(3).compactMap { UInt64($0.filter(\.isNumber)) }.first : nil
        return "a picture of \(sides[0])x\(sides[1]) would have \(count) pixels"
            + (most.map { ", at most \($0) are decoded" } ?? ", which can't be")
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
