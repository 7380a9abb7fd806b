/// The tables at the end.
struct Report {
    private let options: Options
    private let results: [CellResult]

    init(_ options: Options, _ results: [CellResult]) {
        self.options = options
        self.results = results
    }

    var text: String {
        var lines = [
            "",
            "Paced: \(options.rate) frames/s, readers asleep in between; \(options.rounds) rounds, interleaved.",
            "Wake-up: from the stamp before publishing to the reader's running, median and p99. CPU: the publisher's, all threads,",
            "a frame, above idle pacing. Call: how long publishing took. Reader: CPU of each reader, a frame. x: to 'futex',",
            "median over rounds of the ratio within a round. futex-again: the same program once more, so that the distance",
            "of its x from 1 is noise (A/A).",
            "",
        ]
        lines += pacedTable
        lines += ["", "Largest frame to smallest, median over rounds of the ratio within a round:", ""]
        lines += sizeTable
        lines += [
            "",
            "Unpaced, \(megabytes(options.sizes.min() ?? 0)) frames, nothing lost. Ping-pong: one frame in flight;"
                + " lossless: at most \(Floor.framesInFlight).", "",
        ]
        lines += unpacedTable
        lines += ["", summary]
        return lines.joined(separator: "\n")
    }

    // MARK: picking results

    private func pick(_ mode: Mode, _ contestant: Contestant, _ size: Int, _ readers: Int) -> [CellResult] {
        results.filter {
            $0.cell.mode == mode && $0.cell.contestant == contestant && $0.cell.size == size
                && $0.cell.readers == readers
        }
    }

    private var contestants: [Contestant] {
        Contestant.allCases.filter { contestant in
            contestant != .idle && results.contains { $0.cell.contestant == contestant }
        }
    }

    /// The publisher's CPU a frame above idle pacing in the same round, in us.
    private func netCPU(_ result: CellResult) -> Double {
        let idle = pick(.paced, .idle, result.cell.size, 0).first { $0.round == result.round }
        return (result.publisherCPU - (idle?.publisherCPU ?? 0)) / 1000
    }

    private func typicalWakeUp(_ result: CellResult) -> Double { quantile(result.latencies, 0.5) / 1000 }

    /// The median over rounds of what `value` gives for one cell over what it gives for another.
    private func ratio(
        _ ours: [CellResult],
        _ theirs: [CellResult],
        _ value: (CellResult) -> Double
    ) -> Double {
        median(
            ours.compactMap { mine in
                theirs.first { $0.round == mine.round }.map { value(mine) / value($0) }
            }
        )
    }

    // MARK: tables

    private var pacedTable: [String] {
        var table = TextTable([
            "frame", "readers", "contestant", "wake-up us", "x", "p99 us", "CPU us", "x", "call us", "x",
            "reader us", "lost",
        ])
        for size in options.sizes {
            for readers in options.readers {
                let floor = pick(.paced, .futex, size, readers)
                for contestant in contestants {
                    let cells = pick(.paced, contestant, size, readers)
                    let tail = quantile(cells.flatMap(\.latencies), 0.99)
                    table.add([
                        megabytes(size), "\(readers)", contestant.rawValue,
                        fixed(median(cells.map(typicalWakeUp)), 1), times(ratio(cells, floor, typicalWakeUp)),
                        fixed(tail / 1000, 0),
                        fixed(median(cells.map(netCPU)), 1), times(ratio(cells, floor, netCPU)),
                        fixed(median(cells.map { quantile($0.publishing, 0.5) / 1000 }), 1),
                        times(ratio(cells, floor) { quantile($0.publishing, 0.5) }),
                        fixed(median(cells.map { $0.readerCPU / 1000 }), 1), "\(cells.reduce(0) { $0 + $1.lost })",
                    ])
                }
            }
        }
        return table.lines
    }

    private var sizeTable: [String] {
        var table = TextTable(["readers", "contestant", "wake-up", "CPU", "call"])
        guard let smallest = options.sizes.min(), let largest = options.sizes.max() else { return [] }
        for readers in options.readers {
            for contestant in contestants {
                let (small, large) = (
                    pick(.paced, contestant, smallest, readers), pick(.paced, contestant, largest, readers)
                )
                table.add([
                    "\(readers)", contestant.rawValue, times(ratio(large, small, typicalWakeUp)),
                    times(ratio(large, small, netCPU)), times(ratio(large, small) { quantile($0.publishing, 0.5) }),
                ])
            }
        }
        return table.lines
    }

    private var unpacedTable: [String] {
        var table = TextTable(["readers", "contestant", "ping-pong us", "x", "lossless frames/s", "x", "lost"])
        guard let size = options.sizes.min() else { return [] }
        let period: (CellResult) -> Double = { Double($0.elapsed) / Double($0.frames) / 1000 }
        for readers in options.readers {
            for contestant in contestants where contestant != .futexAgain {
                let (ping, flood) = (
                    pick(.pingPong, contestant, size, readers), pick(.lossless, contestant, size, readers)
                )
                let (pingFloor, floodFloor) = (
                    pick(.pingPong, .futex, size, readers), pick(.lossless, .futex, size, readers)
                )
                table.add([
                    "\(readers)", contestant.rawValue, fixed(median(ping.map(period)), 1),
                    times(ratio(ping, pingFloor, period)), fixed(median(flood.map { 1e6 / period($0) }), 0),
                    times(ratio(flood, floodFloor) { 1 / period($0) }),
                    "\((ping + flood).reduce(0) { $0 + $1.lost })",
                ])
            }
        }
        return table.lines
    }

    /// What it comes to, in two sentences.
    private var summary: String {
        guard let smallest = options.sizes.min(), let largest = options.sizes.max(),
            let few = options.readers.min(), let many = options.readers.max(), contestants.contains(.frameshare)
        else { return "" }
        let (small, large) = (pick(.paced, .frameshare, smallest, few), pick(.paced, .frameshare, largest, few))
        let ours = pick(.paced, .frameshare, smallest, many)
        func against(_ contestant: Contestant) -> String {
            times(ratio(ours, pick(.paced, contestant, smallest, many), netCPU))
        }
        let again = pick(.paced, .futexAgain, smallest, many)
        let noise = times(ratio(again, pick(.paced, .futex, smallest, many), netCPU))
        return "FrameShare: a wake-up at \(megabytes(largest)) costs \(times(ratio(large, small, typicalWakeUp)))"
            + " what it costs at \(megabytes(smallest)). A frame for \(many) subscribers costs its publisher"
            + " \(fixed(median(ours.map(netCPU)), 1)) us of CPU:\n\(against(.futex)) the plain futex,"
            + " \(against(.eventfd)) the plain eventfds (A/A: \(noise))."
    }

    private func megabytes(_ bytes: Int) -> String { "\(bytes / 1_000_000) MB" }
    private func times(_ ratio: Double) -> String { ratio.isFinite ? fixed(ratio, 2) + "x" : "-" }
}

/// A number with so many decimals.
func fixed(_ value: Double, _ decimals: Int) -> String {
    guard value.isFinite else { return "-" }
    let scale = (0..<decimals).reduce(1.0) { scale, _ in scale * 10 }
    let scaled = Int((value.magnitude * scale).rounded())
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard decimals > 0 else { return "\(sign)\(scaled)" }
    let fraction = String(scaled % Int(scale))
    return "\(sign)\(scaled / Int(scale))." + String(repeating: "0", count: decimals - fraction.count) + fraction
}
