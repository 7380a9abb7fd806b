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

    func draw(_ lines: [String]) {
        guard terminal.canRedraw else {
            terminal.write(lines.joined(separator: "\n") + "\n")
            return
        }
        // More lines than the screen has would scroll, and the next drawing would start in the wrong place.
        let shown = lines.prefix(max(1, terminal.size.rows - 1))
        let back = drawnLines > 0 ? "\u{1B}[\(drawnLines)F" : "\r"
        terminal.write(back + shown.map { $0 + "\u{1B}[K\n" }.joined() + "\u{1B}[J")
        drawnLines = shown.count
    }
}
