import ArgumentParser
import FrameJSON
import FrameShare

/// `[STREAM=]WxH+X+Y`: a rectangle of a stream.
struct CropArgument: Sendable, Hashable {
    /// nil: of the only stream.
    var stream: String?
    var crop: Crop

    static func parse(_ text: String) throws -> CropArgument {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let last = parts.last, let crop = Crop(last), parts.count == 1 || !parts[0].isEmpty else {
            throw ValidationError("give WIDTHxHEIGHT+X+Y in pixels, such as 640x480+320+0, or STREAM=640x480+320+0")
        }
        return CropArgument(stream: parts.count == 2 ? String(parts[0]) : nil, crop: crop)
    }
}

/// An amount of memory: `512M`, `1.5G`, `64KiB`; a bare number is bytes.
enum ByteCountArgument {
    static func parse(_ text: String) throws -> Int {
        let units: [(ending: String, bytes: Double)] = [
            ("KiB", 0x1p10), ("MiB", 0x1p20), ("GiB", 0x1p30), ("K", 0x1p10), ("M", 0x1p20), ("G", 0x1p30), ("", 1),
        ]
        for unit in units where text.hasSuffix(unit.ending) {
            guard let value = DecimalText.number(text.dropLast(unit.ending.count)) else { continue }
            guard value >= 1, value * unit.bytes < 0x1p60 else { break }
            return Int(value * unit.bytes)
        }
        throw ValidationError("give an amount of memory, such as 512M or 1.5G")
    }
}

/// How many copies: `60`, or as many as fit into `512M`.
enum CopyAmountArgument: Sendable, Hashable {
    case slots(Int)
    case bytes(Int)

    static func parse(_ text: String) throws -> CopyAmountArgument {
        if let count = DecimalText.integer(text) {
            guard (1...1022).contains(count) else {
                throw ValidationError("give 1 to 1022 copies, or memory such as 512M")
            }
            return .slots(count)
        }
        return .bytes(try ByteCountArgument.parse(text))
    }

    var capacity: CopyCapacity {
        switch self {
        case .slots(let count): .slots(count)
        case .bytes(let count): .bytes(count)
        }
    }
}
