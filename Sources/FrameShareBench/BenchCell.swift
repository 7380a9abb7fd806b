import FrameJSON

/// One run of a benchmark: a way, with so many readers, frames of a size, and a pace.
struct BenchCell: Hashable {
    var way: HandOver
    var readers: Int
    var size: Int
    /// Frames a second; 0: as fast as the readers follow.
    var rate: Double
    var frames: Int
    var touch: BenchTouch
}

/// What a run measured.
struct BenchSample {
    var publisher: ContestantReport
    /// All readers' latencies, counts and costs, as they told them.
    var readers: [ReaderFigures]

    /// What a reader said in its line of JSON.
    struct ReaderFigures {
        var frames: Int
        var lost: UInt64
        var p50: Double
        var p99: Double
        var maximum: Double
        var cpuPerFrame: Double
        var privateMemory: Double
    }

    var framesPerSecond: Double {
        publisher.wall > 0 ? Double(publisher.frames) * 1e9 / Double(publisher.wall) : 0
    }
}

/// A row of the result: medians over the rounds.
struct BenchRow {
    var cell: BenchCell
    var p50: Double
    var p99: Double
    var maximum: Double
    var framesPerSecond: Double
    var publisherCPU: Double
    var readerCPU: Double
    var lost: UInt64
    var memory: Double
    /// What keeps it from being faster.
    var limit: String
    /// Set when it could not be run: why.
    var trouble: String?

    init(cell: BenchCell, trouble: String) {
        self.init(cell: cell, samples: [], limit: "")
        self.trouble = trouble
    }

    init(cell: BenchCell, samples: [BenchSample], limit: String) {
        self.cell = cell
        self.limit = limit
        let readers = samples.flatMap(\.readers)
        p50 = Self.median(readers.map(\.p50))
        p99 = Self.median(readers.map(\.p99))
        maximum = readers.map(\.maximum).max() ?? 0
        framesPerSecond = Self.median(samples.map(\.framesPerSecond))
        publisherCPU = Self.median(samples.map(\.publisher.cpuPerFrame))
        readerCPU = Self.median(readers.map(\.cpuPerFrame))
        lost = readers.reduce(0) { $0 + $1.lost }
        memory = Self.median(
            samples.map { sample in
                Double(sample.publisher.usage.privateMemory ?? 0) + sample.readers.reduce(0) { $0 + $1.privateMemory }
            }
        )
    }

    static func median(_ values: [Double]) -> Double {
        guard !values.isEmpty else { return 0 }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    var json: JSONValue {
        .object([
            "way": .string(cell.way.name), "readers": .number(cell.readers), "size": .number(cell.size),
            "rate": .number(cell.rate, digits: 3), "touch": .string(cell.touch.rawValue),
            "error": trouble.map(JSONValue.string),
            "latency_p50_ns": figure(p50), "latency_p99_ns": figure(p99), "latency_max_ns": figure(maximum),
            "frames_per_second": figure(framesPerSecond), "publisher_cpu_ns_per_frame": figure(publisherCPU),
            "reader_cpu_ns_per_frame": figure(readerCPU), "lost": trouble == nil ? .number(lost) : nil,
            "private_bytes": figure(memory), "limit": trouble == nil ? .string(limit) : nil,
        ])
    }

    private func figure(_ value: Double) -> JSONValue? { trouble == nil ? .number(value, digits: 1) : nil }
}
