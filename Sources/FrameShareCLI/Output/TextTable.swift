/// Columns of text that line up. Numbers are set to the right, names to the left.
struct TextTable {
    enum Alignment {
        case left
        case right
    }

    struct Column {
        var title: String
        var alignment: Alignment

        init(_ title: String, _ alignment: Alignment = .left) {
            self.title = title
            self.alignment = alignment
        }
    }

    struct Cell: ExpressibleByStringLiteral {
        var text: String
        var style: Terminal.Style?

        init(_ text: String, _ style: Terminal.Style? = nil) {
            self.text = text
            self.style = style
        }

        init(stringLiteral value: String) { self.init(value) }
    }

    var columns: [Column]
    private(set) var rows: [[Cell]] = []
    /// Put before each line.
    var indent = ""

    init(_ columns: [Column]) { self.columns = columns }

    mutating func add(_ cells: [Cell]) { rows.append(cells) }

    /// The lines, cut to `width` characters where one is given: a wrapped line would spoil a table drawn in place.
    func lines(for terminal: Terminal, width: Int? = nil) -> [String] {
        var widths = columns.map { $0.title.count }
        for row in rows {
            for (index, cell) in row.enumerated() where index < widths.count {
                widths[index] = max(widths[index], cell.text.count)
            }
        }
        let header = columns.map { Cell($0.title, .bold) }
        return ([header] + rows).map { row in
            var line = ""
            var room = (width ?? .max) - indent.count
            for (index, cell) in row.enumerated() where index < columns.count && room > 0 {
                let gap = index == 0 ? "" : "  "
                let padding = String(repeating: " ", count: widths[index] - cell.text.count)
                let isLast = index == row.count - 1
                let before = gap + (columns[index].alignment == .right ? padding : "")
                let after = columns[index].alignment == .left && !isLast ? padding : ""
                let text = String(cell.text.prefix(max(0, room - before.count)))
                line += before.prefix(room)
                line += cell.style.map { terminal.styled(text, $0) } ?? text
                line += after
                room -= before.count + text.count + after.count
            }
            return indent + line
        }
    }
}
