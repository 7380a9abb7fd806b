import ArgumentParser

/// What feeds a channel.
enum SourceArgument: Sendable, Hashable, CustomStringConvertible {
    case pattern
    case device(String)

    static func parse(_ text: String) throws -> SourceArgument {
        if text == "pattern" { return .pattern }
        guard text.hasPrefix("/") else {
            throw ValidationError(
                "give pattern, or a camera's device such as /dev/video0 ('frameshare cameras' lists them)"
            )
        }
        return .device(text)
    }

    var description: String {
        switch self {
        case .pattern: "pattern"
        case .device(let path): path
        }
    }

    var isDevice: Bool { self != .pattern }

    /// The channel's name where none is given: `pattern`, `camera0` for /dev/video0.
    var defaultChannel: String {
        switch self {
        case .pattern: "pattern"
        case .device(let path): "camera" + String(path.reversed().prefix { $0.isNumber }.reversed())
        }
    }
}
