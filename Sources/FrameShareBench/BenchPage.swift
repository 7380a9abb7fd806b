import FrameCommand

/// A benchmark's result as a web page of one file: tables with a bar for each latency. No script, nothing from elsewhere.
struct BenchPage {
    let result: BenchResult

    var html: String {
        var body = "<h1>frameshare bench</h1>\n<p>\(escaped(result.machine)); copies "
        body +=
            "\(Quantities.fixed(result.copySpeed / 1e9)) GB/s. Medians of \(result.rounds) interleaved rounds.</p>\n"
        body += "<h2>Memory for a frame of \(Quantities.bytes(result.allocationSize))</h2>\n" + allocations
        body += "<p>Bars are median latencies on a logarithmic scale: 130 pixels more are ten times the time.</p>\n"
        for group in result.groups {
            body += "<h2>\(escaped(group.title))</h2>\n" + plot(group.rows) + table(group.rows)
        }
        return """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><title>frameshare bench</title>
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <style>
            :root { color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif; }
            body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
            table { border-collapse: collapse; margin: 0.5rem 0 2rem; } th, td { padding: 0.2rem 0.7rem; text-align: right; }
            th:first-child, td:first-child, td:last-child { text-align: left; }
            tr + tr { border-top: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
            svg { display: block; max-width: 100%; font: 12px system-ui, sans-serif; fill: currentColor; }
            .own { fill: #2a78d6; } .other { fill: #9a9a9a; }
            </style></head><body>
            \(body)</body></html>

            """
    }

    private func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.append(character)
            }
        }
        return result
    }

    private func time(_ value: Double) -> String { Quantities.time(nanoseconds: Int64(value)) }

    private func row(_ cells: [String], tag: String = "td") -> String {
        "<tr>" + cells.map { "<\(tag)>\(escaped($0))</\(tag)>" }.joined() + "</tr>\n"
    }

    private var allocations: String {
        let head = row(
            ["memory", "allocate", "map", "first touch", "write", "read", "sync", "write / read GB/s"],
            tag: "th"
        )
        let rows = result.allocations.map { r in
            r.trouble.map { row([r.name, $0]) }
                ?? row([
                    r.name, time(r.allocate), time(r.map), time(r.firstTouch), time(r.write), time(r.read),
                    time(r.sync), r.speeds(size: result.allocationSize),
                ])
        }
        return "<table>\n" + head + rows.joined() + "</table>\n"
    }

    private func table(_ rows: [BenchRow]) -> String {
        let head = ["way", "p50", "p99", "frames/s", "publisher CPU", "reader CPU", "memory", "lost", "limited by"]
        let lines = rows.map { r in
            r.trouble.map { row([r.cell.way.name, $0]) }
                ?? row([
                    r.cell.way.name, time(r.p50), time(r.p99), Quantities.rate(r.framesPerSecond), time(r.publisherCPU),
                    time(r.readerCPU), Quantities.bytes(Int(r.memory)), "\(r.lost)", r.limit,
                ])
        }
        return "<table>\n" + row(head, tag: "th") + lines.joined() + "</table>\n"
    }

    /// Bars of the median latencies on a logarithmic scale, a decade every 130 pixels from 1 us.
    private func plot(_ rows: [BenchRow]) -> String {
        let shown = rows.filter { $0.trouble == nil && $0.p50 > 0 }
        let height = shown.count * 24 + 4
        var svg = "<svg role=\"img\" aria-label=\"median latency by way\" viewBox=\"0 0 1000 \(height)\" "
        svg += "width=\"1000\" height=\"\(height)\">\n"
        for (i, row) in shown.enumerated() {
            let width = min(700, max(2, Self.decades(row.p50 / 1000) * 130))
            let isOwn = if case .frameShare = row.cell.way { true } else { false }
            svg += "<text x=\"230\" y=\"\(i * 24 + 16)\" text-anchor=\"end\">\(escaped(row.cell.way.name))</text>"
            svg += "<rect class=\"\(isOwn ? "own" : "other")\" x=\"240\" y=\"\(i * 24 + 4)\" "
            svg += "width=\"\(Quantities.fixed(width))\" height=\"16\" rx=\"2\"/>"
            svg += "<text x=\"\(Quantities.fixed(246 + width))\" y=\"\(i * 24 + 16)\">\(time(row.p50))</text>\n"
        }
        return svg + "</svg>\n"
    }

    /// log10, from 1 up, to a hundredth or so: multiplication is enough for a bar.
    private static func decades(_ value: Double) -> Double {
        var (rest, result) = (max(1, value), 0.0)
        while rest >= 10 { (rest, result) = (rest / 10, result + 1) }
        var step = 0.5
        for factor in [
            3.1622776601683795, 1.7782794100389228, 1.333521432163324, 1.1547819846894583, 1.0746078283213174,
        ] {
            if rest >= factor { (rest, result) = (rest / factor, result + step) }
            step /= 2
        }
        return result
    }
}
