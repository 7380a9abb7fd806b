import ArgumentParser
import FrameJSON

/// `1280x720`.
struct ImageSize: Sendable, Hashable, CustomStringConvertible {
    var width: Int
    var height: Int

    var description: String { "\(width)x\(height)" }

    static func parse(_ text: String) throws -> ImageSize {
        let parts = text.split(separator: "x", omittingEmptySubsequences: false)
        guard parts.count == 2, let width = DecimalText.integer(parts[0]), let height = DecimalText.integer(parts[1]),
            (1...65536).contains(width), (1...65536).contains(height)
        else { throw ValidationError("give WIDTHxHEIGHT in pixels, such as 1280x720") }
        return ImageSize(width: width, height: height)
    }
}
