/// Lines that are drawn again and again in the same place of a terminal. Elsewhere each drawing is printed below the one
/// before.
final class LiveArea {
    private let terminal: Terminal
    private var drawnLines = 0

    init(_ terminal: Terminal) {
        self.terminal = terminal
        if terminal.canRedraw { terminal.write("\u{1B}[?25l") }
    }

    /// Shows the cursor again; what was drawn last stays.
    deinit {
        if terminal.canRedraw { terminal.write("\u{1B}[?25h") }
    }

    /// The width that lines must keep to; nil: any.
    var width: Int? { terminal.canRedraw ? terminal.size.columns - 1 : nil }

    /// The line's first `width` visible characters. Colours take no room, and the one that ends them is kept.
    static func cut(_ line: String, to width: Int) -> String {
        var (result, room, isEscape) = ("", width, false)
        for character in line {
            if character == "\u{1B}" { isEscape = true }
            if isEscape {
                result.append(character)
                if character == "m" { isEscape = false }
            } else if room > 0 {
                result.append(character)
                room -= 1
            }
        }
        return result
    }

    /// - Returns: false when nobody looks any more
    func draw(_ lines: [String]) -> Bool {
        guard terminal.canRedraw else { return terminal.write(lines.joined(separator: "\n") + "\n") }
        // More lines than the screen has would scroll, one that wraps takes two: the next drawing would start in the
        // wrong place.
        let (columns, rows) = terminal.size
        let shown = lines.prefix(max(1, rows - 1)).map { Self.cut($0, to: columns - 1) }
        let back = drawnLines > 0 ? "\u{1B}[\(drawnLines)F" : "\r"
        drawnLines = shown.count
        return terminal.write(back + shown.map { $0 + "\u{1B}[K\n" }.joined() + "\u{1B}[J")
    }
}
