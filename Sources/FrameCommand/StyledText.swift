internal import FrameShare

/// One line for people, with its colours. Its text is escaped as it is put in: a style is the only way to give a terminal
/// orders, and outside text has none.
package struct StyledText: Sendable, Equatable {
    package enum Style: String, Sendable {
        case bold = "1"
        case dim = "2"
        case red = "31"
        case green = "32"
        case yellow = "33"
    }

    private struct Piece: Equatable {
        var text: String
        var style: Style?
    }

    private var pieces: [Piece]

    package init(_ text: String, _ style: Style? = nil) {
        pieces = [Piece(text: PathText.shown(text).displayText, style: style)]
    }

    /// The columns that it takes on a screen.
    package var width: Int { pieces.reduce(0) { $0 + TextWidth.of($1.text) } }

    /// As much of its beginning as has room in so many columns.
    package func prefix(columns: Int) -> StyledText {
        var (result, room) = (self, columns)
        result.pieces = []
        for var piece in pieces {
            piece.text = TextWidth.prefix(of: piece.text, columns: &room)
            if !piece.text.isEmpty { result.pieces.append(piece) }
        }
        return result
    }

    /// What is written.
    /// - Parameter colored: for a terminal that understands colours
    package func text(colored: Bool) -> String {
        pieces.map { piece in
            guard colored, let style = piece.style else { return piece.text }
            return "\u{1B}[\(style.rawValue)m\(piece.text)\u{1B}[0m"
        }.joined()
    }

    package static func + (left: StyledText, right: StyledText) -> StyledText {
        var sum = left
        sum.pieces += right.pieces
        return sum
    }

    package static func + (left: StyledText, right: String) -> StyledText { left + StyledText(right) }
    package static func + (left: String, right: StyledText) -> StyledText { StyledText(left) + right }
    package static func += (left: inout StyledText, right: StyledText) { left.pieces += right.pieces }
    package static func += (left: inout StyledText, right: String) { left += StyledText(right) }
}

extension StyledText: ExpressibleByStringInterpolation {
    package init(stringLiteral text: String) { self.init(text) }
}
