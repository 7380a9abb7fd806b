import FrameCommand
import FrameJSON

/// All that `frameshare bench` measured.
struct BenchResult {
    var machine: String
    var rounds: Int
    var copySpeed: Double
    var allocationSize: Int
    var allocations: [AllocationBench.Row]
    var rows: [BenchRow]

    var json: JSONValue {
        .object([
            "machine": .string(machine), "rounds": .number(rounds),
            "copy_bytes_per_second": .number(copySpeed, digits: 0),
            "allocations": .array(allocations.map { $0.json(size: allocationSize) }),
            "hand_over": .array(rows.map(\.json)),
        ])
    }

    var lines: [StyledText] {
        var lines: [StyledText] = ["\(machine); copies \(Quantities.fixed(copySpeed / 1e9)) GB/s", ""]
        lines += ["Memory for a frame of \(Quantities.bytes(allocationSize)), by where it comes from:"]
        lines += allocationTable.lines()
        lines += allocations.compactMap { row in row.trouble.map { StyledText("\(row.name): \($0)", .dim) } }
        for (title, rows) in groups {
            lines += ["", StyledText(title)]
            lines += table(rows).lines()
        }
        return lines
    }

    /// Rows of the same readers, size and pace stand together.
    var groups: [(title: String, rows: [BenchRow])] {
        var groups: [(title: String, rows: [BenchRow])] = []
        for row in rows {
            let pace =
                row.cell.rate > 0 ? "\(Quantities.rate(row.cell.rate)) frames/s" : "as fast as all readers follow"
            let title =
                "\(Quantities.counted(row.cell.readers, "reader")), frames of \(Quantities.bytes(row.cell.size)), \(pace):"
            if let last = groups.last, last.title == title {
                groups[groups.count - 1].rows.append(row)
            } else {
                groups.append((title, [row]))
            }
        }
        return groups
    }

    private var allocationTable: TextTable {
        var table = TextTable([
            .init("MEMORY"), .init("ALLOCATE", .right), .init("MAP", .right), .init("FIRST TOUCH", .right),
            .init("WRITE", .right), .init("READ", .right), .init("SYNC", .right), .init("WRITE/READ GB/S", .right),
        ])
        func time(_ value: Double) -> TextTable.Cell { .init(Quantities.time(nanoseconds: Int64(value))) }
        for row in allocations where row.trouble == nil {
            table.add([
                .init(row.name), time(row.allocate), time(row.map), time(row.firstTouch), time(row.write),
                time(row.read), time(row.sync), .init(row.speeds(size: allocationSize)),
            ])
        }
        return table
    }

    private func table(_ rows: [BenchRow]) -> TextTable {
        var table = TextTable([
            .init("WAY"), .init("P50", .right), .init("P99", .right), .init("FRAMES/S", .right),
            .init("PUBLISHER CPU", .right), .init("READER CPU", .right), .init("MEMORY", .right),
            .init("LOST", .right), .init("LIMITED BY"),
        ])
        func time(_ value: Double) -> TextTable.Cell { .init(Quantities.time(nanoseconds: Int64(value))) }
        for row in rows {
            if let trouble = row.trouble {
                table.add([
                    .init(row.cell.way.name), .init("-"), .init("-"), .init("-"), .init("-"), .init("-"), .init("-"),
                    .init("-"), .init(trouble, .dim),
                ])
                continue
            }
            table.add([
                .init(row.cell.way.name), time(row.p50), time(row.p99), .init(Quantities.rate(row.framesPerSecond)),
                time(row.publisherCPU), time(row.readerCPU), .init(Quantities.bytes(Int(row.memory))),
                .init("\(row.lost)"), .init(row.limit, .dim),
            ])
        }
        return table
    }
}
