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
        var text: StyledText

        init(_ text: String, _ style: StyledText.Style? = nil) { self.text = StyledText(text, style) }

        init(stringLiteral value: String) { self.init(value) }
    }

    var columns: [Column]
    private(set) var rows: [[Cell]] = []
    /// Put before each line.
    var indent = ""

    init(_ columns: [Column]) { self.columns = columns }

    mutating func add(_ cells: [Cell]) { rows.append(cells) }

    /// The lines, cut to `width` columns where one is given: a wrapped line would spoil a table drawn in place.
    func lines(width: Int? = nil) -> [StyledText] {
        var widths = columns.map { TextWidth.of($0.title) }
        for row in rows {
            for (index, cell) in row.enumerated() where index < widths.count {
                widths[index] = max(widths[index], cell.text.width)
            }
        }
        let header = columns.map { Cell($0.title, .bold) }
        return ([header] + rows).map { row in
            var line = StyledText(indent)
            for (index, cell) in row.enumerated() where index < columns.count {
                let padding = String(repeating: " ", count: widths[index] - cell.text.width)
                let isLast = index == row.count - 1
                if index > 0 { line += "  " }
                if columns[index].alignment == .right { line += padding }
                line += cell.text
                if columns[index].alignment == .left, !isLast { line += padding }
            }
            return width.map(line.prefix(columns:)) ?? line
        }
    }
}
