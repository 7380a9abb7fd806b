import ArgumentParser
import FrameShare
import Glibc

/// What feeds a channel.
enum SourceArgument: Sendable, Hashable, CustomStringConvertible {
    case pattern
    /// A V4L2 device.
    case device(String)
    /// A camera of libcamera's by its id; nil: the first.
    case libcamera(String?)
    /// A video file, or a still picture.
    case file(String)

    /// A path is looked at: a regular file is a video file, whatever its ending, and a device a camera. What is not there
    /// is taken for a camera only in /dev, where one may be plugged in yet.
    static func parse(_ text: String) throws -> SourceArgument {
        if text == "pattern" { return .pattern }
        if text == "libcamera" { return .libcamera(nil) }
        if text.hasPrefix("libcamera:"), text.count > 10 { return .libcamera(String(text.dropFirst(10))) }
        var status = stat()
        if !text.isEmpty, stat(PathText.cString(text), &status) == 0 {
            switch status.st_mode & S_IFMT {
            case S_IFREG: return .file(text)
            case S_IFDIR:
                throw ValidationError("'\(text)' is a folder: give a camera's device or a video file. \(advice)")
            case S_IFCHR: return .device(text)
            default: throw ValidationError("'\(text)' is neither a device nor a file. \(advice)")
            }
        }
        if text.hasPrefix("/dev/") { return .device(text) }
        guard text.contains("/") || text.contains(".") else {
            throw ValidationError("there is no source '\(text)'. \(advice)")
        }
        return .file(text)
    }

    private static let advice = """
        Give pattern, a camera's device such as /dev/video0, libcamera[:ID] ('frameshare cameras' lists them), or a file \
        that FFmpeg can decode: .mp4, .mkv, .ts, .avi, .h264, .y4m, .jpg and others
        """

    var description: String {
        switch self {
        case .pattern: "pattern"
        case .device(let path), .file(let path): path
        case .libcamera(nil): "libcamera"
        case .libcamera(let id?): "libcamera:\(id)"
        }
    }

    var isCamera: Bool { self != .pattern && !isFile }
    var isLibcamera: Bool { if case .libcamera = self { true } else { false } }
    var isFile: Bool { if case .file = self { true } else { false } }

    /// The channel's name where none is given: `pattern`, `camera0` for /dev/video0 and for libcamera, `video` for a file.
    /// Nil for a link such as those of /dev/v4l/by-id that leads nowhere: it does not tell the device's number.
    var defaultChannel: String? {
        switch self {
        case .pattern: return "pattern"
        case .file: return "video"
        case .device(let path):
            guard let device = Self.device(path) else { return nil }
            return "camera" + String(device.reversed().prefix { $0.isNumber }.reversed())
        case .libcamera: return "camera0"
        }
    }

    /// The device itself, where a link leads to it.
    private static func device(_ path: String) -> String? {
        guard let resolved = realpath(PathText.cString(path), nil) else {
            // It may still be plugged in.
            return path.hasPrefix("/dev/v4l/") ? nil : path
        }
        defer { free(resolved) }
        return PathText.text(cString: resolved)
    }
}
