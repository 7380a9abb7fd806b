/// Columns of text that line up. Numbers are set to the right, names to the left.
package struct TextTable {
    package enum Alignment {
        case left
        case right
    }

    package struct Column {
        package var title: String
        package var alignment: Alignment

        package init(_ title: String, _ alignment: Alignment = .left) {
            self.title = title
            self.alignment = alignment
        }
    }

    package struct Cell: ExpressibleByStringLiteral {
        package var text: StyledText

        package init(_ text: String, _ style: StyledText.Style? = nil) { self.text = StyledText(text, style) }

        package init(stringLiteral value: String) { self.init(value) }
    }

    package var columns: [Column]
    package private(set) var rows: [[Cell]] = []
    /// Put before each line.
    package var indent = ""

    package init(_ columns: [Column]) { self.columns = columns }

    package mutating func add(_ cells: [Cell]) { rows.append(cells) }

    /// The lines, cut to `width` columns where one is given: a wrapped line would spoil a table drawn in place.
    package func lines(width: Int? = nil) -> [StyledText] {
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
