import FrameCommand
import FrameJSON

/// One thing that `doctor` has looked at.
struct DoctorCheck {
    enum State: String {
        /// There, and usable by this user.
        case ok
        /// Not there, or not quite; sharing works without it.
        case note
        /// Not there, and something that people want needs it.
        case missing
    }

    var name: String
    var state: State
    /// What was found, one fact a line.
    var detail: [String]
    /// How to get what is missing.
    var remedy: String?
    /// Whether nothing can be shared without it.
    var isVital = false

    var json: JSONValue {
        .object([
            "name": .string(name), "state": .string(state.rawValue), "detail": .string(detail.joined(separator: "\n")),
            "remedy": remedy.map(JSONValue.string), "vital": .bool(isVital),
        ])
    }

    var lines: [StyledText] {
        let mark =
            switch state {
            case .ok: StyledText("ok     ", .green)
            case .note: StyledText("note   ", .yellow)
            case .missing: StyledText("missing", .red)
            }
        let title = name + String(repeating: " ", count: max(1, 16 - name.count))
        let indent = String(repeating: " ", count: 9 + 16)
        var lines = detail.enumerated().map { index, line in
            index == 0 ? mark + "  " + StyledText(title, .bold) + line : StyledText(indent + line)
        }
        if let remedy { lines.append(StyledText(indent + "-> " + remedy)) }
        return lines
    }
}
