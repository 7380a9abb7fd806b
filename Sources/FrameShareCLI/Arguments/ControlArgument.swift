import ArgumentParser
import FrameShare

/// `name=value`: a camera's control, by the name that `frameshare cameras` shows.
struct ControlArgument: Sendable, Hashable {
    var name: String
    var value: String

    static func parse(_ text: String) throws -> ControlArgument {
        // The value may be empty: a text can be.
        guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
            throw ValidationError("give NAME=VALUE, such as brightness=128")
        }
        return ControlArgument(name: String(text[..<equals]), value: String(text[text.index(after: equals)...]))
    }
}

/// Who may set controls: `nobody`, `owner` or `everyone`.
enum ControlAccessArgument {
    static func parse(_ text: String) throws -> ControlAccess {
        guard let access = ControlAccess(rawValue: text) else {
            throw ValidationError("say \(ControlAccess.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return access
    }
}
