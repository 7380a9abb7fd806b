import ArgumentParser
import Glibc

/// What feeds a channel.
enum SourceArgument: Sendable, Hashable, CustomStringConvertible {
    case pattern
    /// A V4L2 device.
    case device(String)
    /// A camera of libcamera's by its id; nil: the first.
    case libcamera(String?)
    /// A video file.
    case file(String)

    private static let videoEndings: Set<String> = ["mp4", "m4v", "mkv", "ts", "avi", "nut", "mov", "webm"]

    static func parse(_ text: String) throws -> SourceArgument {
        if text == "pattern" { return .pattern }
        if text == "libcamera" { return .libcamera(nil) }
        if text.hasPrefix("libcamera:"), text.count > 10 { return .libcamera(String(text.dropFirst(10))) }
        if let dot = text.lastIndex(of: "."), videoEndings.contains(text[text.index(after: dot)...].lowercased()) {
            return .file(text)
        }
        guard text.hasPrefix("/") else {
            throw ValidationError(
                """
                give pattern, a camera's device such as /dev/video0, or libcamera[:ID] ('frameshare cameras' lists them), \
                or a video file (.mp4, .mkv, .ts, .avi, .nut, .mov, .webm)
                """
            )
        }
        return .device(text)
    }

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
        guard let resolved = realpath(path, nil) else {
            // It may still be plugged in.
            return path.hasPrefix("/dev/v4l/") ? nil : path
        }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}
