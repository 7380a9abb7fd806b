/// Columns of text; all but names are set flush right.
struct TextTable {
    private var rows: [[String]]

    init(_ head: [String]) { rows = [head] }

    mutating func add(_ row: [String]) {
        precondition(row.count == rows[0].count, "a row has as many columns as the head")
        rows.append(row)
    }

    var lines: [String] {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            row.indices.map { column in
                let padding = String(repeating: " ", count: widths[column] - row[column].count)
                return rows[0][column] == "contestant" ? row[column] + padding : padding + row[column]
            }.joined(separator: "  ")
        }
    }
}
