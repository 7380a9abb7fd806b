import ArgumentParser
import FrameShare
internal import LeaseProtocol

/// A pixel format by any of its usual names, or by V4L2's code.
struct FormatArgument: Sendable, Hashable {
    /// As it was given: V4L2 has several codes for some formats (`NV12`, `NM12`).
    var name: String
    /// Nil for a code that only a V4L2 camera may know.
    var format: PixelFormat?

    static func parse(_ text: String) throws -> FormatArgument {
        let format = PixelFormat(name: text)
        guard format != nil || FourCC(text) != nil else { throw unknown(text) }
        return FormatArgument(name: text, format: format)
    }

    /// For sources other than V4L2 cameras, which have no codes of their own.
    func known() throws -> PixelFormat {
        guard let format else { throw Self.unknown(name) }
        return format
    }

    private static func unknown(_ text: String) -> ValidationError {
        ValidationError(
            "give a format's name as libcamera or V4L2 has it, such as YUV420, NV12, YUYV, RGB888, MJPEG, GREY; not "
                + "'\(text)'. Codes of the camera's own, as 'frameshare cameras' shows them, are for V4L2 cameras alone"
        )
    }
}

/// `name=WxH[:FORMAT]`: one more image of each frame.
struct StreamArgument: Sendable, Hashable {
    var name: String
    var size: ImageSize
    /// nil: the format of `--format`.
    var format: PixelFormat?

    static func parse(_ text: String) throws -> StreamArgument {
        let hint = "give NAME=WIDTHxHEIGHT[:FORMAT], such as lores=320x240:YUV420"
        guard let equals = text.firstIndex(of: "="), equals != text.startIndex else { throw ValidationError(hint) }
        let image = try ImageArgument.parse(String(text[text.index(after: equals)...]), hint: hint)
        return StreamArgument(name: String(text[..<equals]), size: image.size, format: image.format)
    }
}

/// `WxH[:FORMAT]`: one image of a frame.
struct ImageArgument: Sendable, Hashable {
    var size: ImageSize
    var format: PixelFormat?

    static func parse(_ text: String) throws -> ImageArgument {
        try parse(text, hint: "give WIDTHxHEIGHT[:FORMAT], such as 640x480:YUV420")
    }

    static func parse(_ text: String, hint: String) throws -> ImageArgument {
        let parts = text.split(separator: ":", maxSplits: 1)
        guard let size = parts.first.flatMap({ try? ImageSize.parse(String($0)) }) else {
            throw ValidationError(hint)
        }
        return ImageArgument(
            size: size,
            format: try parts.dropFirst().first.map { try FormatArgument.parse(String($0)).known() }
        )
    }
}
