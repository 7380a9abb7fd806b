import FrameCommand

/// Lines that are drawn again and again in the same place of a terminal. Elsewhere each drawing is printed below the one
/// before.
final class LiveArea {
    private let terminal: Terminal
    private var drawnLines = 0

    init(_ terminal: Terminal) {
        self.terminal = terminal
        if terminal.canRedraw { terminal.writeAsIs("\u{1B}[?25l") }
    }

    /// Shows the cursor again; what was drawn last stays.
    deinit {
        if terminal.canRedraw { terminal.writeAsIs("\u{1B}[?25h") }
    }

    /// The width that lines must keep to; nil: any.
    var width: Int? { terminal.canRedraw ? terminal.size.columns - 1 : nil }

    /// - Returns: false when nobody looks any more
    func draw(_ lines: [StyledText]) -> Bool {
        guard terminal.canRedraw else { return lines.allSatisfy { terminal.writeLine($0) } }
        // More lines than the screen has would scroll, one that wraps takes two: the next drawing would start in the
        // wrong place.
        let (columns, rows) = terminal.size
        let shown = lines.prefix(max(1, rows - 1)).map {
            $0.prefix(columns: columns - 1).text(colored: terminal.hasColor)
        }
        let back = drawnLines > 0 ? "\u{1B}[\(drawnLines)F" : "\r"
        drawnLines = shown.count
        return terminal.writeAsIs(back + shown.map { $0 + "\u{1B}[K\n" }.joined() + "\u{1B}[J")
    }
}
