import CHandOver
import FrameCommand
import FrameJSON
import FrameShare
import Glibc

/// Runs one cell: starts its readers, publishes, and gathers what both sides say.
struct HandOverRun {
    let cell: BenchCell
    let stop: StopRequest

    func run() throws -> BenchSample {
        guard let way = cell.way.way else { return try throughFrameShare() }
        return try inPlainC(way)
    }

    private func throughFrameShare() throws -> BenchSample {
        guard case .frameShare(let policy) = cell.way else {
            throw CommandFailure("\(cell.way.name) is not FrameShare's")
        }
        let channel = "bench-\(getpid())"
        let children = try (0..<cell.readers).map { _ in
            try BenchChild([
                "bench-subscriber", "--channel", channel, "--policy", "\(policy)", "--touch", cell.touch.rawValue,
            ])
        }
        let publishing = BenchPublishing(
            channel: channel,
            size: cell.size,
            readers: cell.readers,
            rate: cell.rate,
            frames: cell.frames,
            fill: cell.touch,
            // Who wants the newest alone pins two.
            slots: policy == .latest ? BenchPublishing.slots(readers: cell.readers, budget: 2) : nil,
            memory: .memfd,
            patience: .seconds(20)
        )
        let report = try publishing.run(stop)
        return try BenchSample(publisher: report, readers: children.map(figures))
    }

    private func inPlainC(_ way: hand_over_way) throws -> BenchSample {
        guard let side = hand_over_open(way, Int32(cell.readers), UInt64(cell.size)) else {
            throw CommandFailure("\(cell.way.name): \(String(cString: strerror(errno)))")
        }
        var isOpen = true
        defer { if isOpen { hand_over_close(side) } }
        let children = try (0..<cell.readers).map { reader in
            var (first, second): (Int32, Int32) = (-1, -1)
            hand_over_descriptors(side, Int32(reader), &first, &second)
            let child = try BenchChild(
                [
                    "bench-reader", "--way", "\(way.rawValue)", "--reader", "\(reader)", "--publisher", "\(getpid())",
                    "--size", "\(cell.size)", "--touch", cell.touch.rawValue,
                ],
                inherited: [first, second]
            )
            hand_over_started(side, Int32(reader))
            return child
        }
        try check(hand_over_wait_ready(side))
        let report = try publish(side)
        hand_over_close(side)
        isOpen = false
        var readers = try children.map(figures)
        // These readers don't know how many there were.
        for i in readers.indices { readers[i].lost = UInt64(max(0, report.frames - readers[i].frames)) }
        return BenchSample(publisher: report, readers: readers)
    }

    private func publish(_ side: OpaquePointer) throws -> ContestantReport {
        var report = ContestantReport(
            side: "publisher",
            channel: "",
            frames: 0,
            lost: 0,
            latency: LatencyHistogram(),
            cpu: 0,
            wall: 0
        )
        let period = cell.rate > 0 ? Int64(min(1e9 / cell.rate, 1e18)) : 0
        var due = ProcessUsage.now.addingClamped(period)
        var (began, cpu): (Int64, Int64) = (0, 0)
        for i in 0..<(cell.frames + BenchPublishing.warmUp) {
            if stop.isStopped { break }
            if i == BenchPublishing.warmUp { (began, cpu) = (ProcessUsage.now, ProcessUsage.cpuNow) }
            guard let start = hand_over_frame(side) else { break }
            let bytes = UnsafeMutableRawBufferPointer(start: start, count: cell.size)
            try check(hand_over_wait_room(side))
            if cell.touch == .all { memset(start, Int32(i & 0xFF), cell.size) }
            if period > 0 {
                BenchPublishing.sleep(until: due, stop)
                if stop.isStopped { break }
                due = due.addingClamped(period)
            }
            let stamp = ProcessUsage.now
            BenchHeader.write(number: Int64(i), stamp: stamp, to: bytes)
            try check(hand_over_publish(side))
            if i >= BenchPublishing.warmUp {
                report.latency.record(nanoseconds: ProcessUsage.now - stamp)
                report.frames += 1
            }
        }
        if report.frames > 0 { (report.cpu, report.wall) = (ProcessUsage.cpuNow - cpu, ProcessUsage.now - began) }
        report.usage = .current
        try check(hand_over_drain(side))
        return report
    }

    private func check(_ result: Int32) throws {
        guard result == 0 else { throw CommandFailure("\(cell.way.name): \(String(cString: strerror(-result)))") }
    }

    private func figures(_ child: BenchChild) throws -> BenchSample.ReaderFigures {
        let text = try child.finish(within: .seconds(30))
        guard let line = ReportLine(text) else { throw CommandFailure("a reader said '\(text)', which is no report") }
        return BenchSample.ReaderFigures(
            frames: Int(clamping: line["frames"]),
            lost: UInt64(clamping: line["lost"]),
            p50: line["p50"],
            p99: line["p99"],
            maximum: line["max"],
            cpuPerFrame: line["cpu_ns_per_frame"],
            privateMemory: line["private_bytes"]
        )
    }
}

/// The numbers of a reader's one line of JSON, which ``ContestantReport`` has written.
private struct ReportLine {
    private var numbers: [String: Double] = [:]

    init?(_ text: String) {
        guard case .object(let members)? = JSONText(text.utf8) else { return nil }
        func collect(_ members: [String: JSONText]) {
            for (key, value) in members {
                switch value {
                case .integer(let number): numbers[key] = Double(number)
                case .number(let number): numbers[key] = number
                case .object(let members): collect(members)
                default: continue
                }
            }
        }
        collect(members)
        guard numbers["frames"] != nil else { return nil }
    }

    /// 0 for what was null: there were no frames.
    subscript(key: String) -> Double { numbers[key] ?? 0 }
}
