import FrameJSON
import Histogram

/// Latencies in nanoseconds, to three digits, from 1 ns to 100 s.
struct LatencyHistogram {
    private static let highest: UInt64 = 100_000_000_000
    private var histogram = Histogram<UInt32>(
        highestTrackableValue: highest,
        numberOfSignificantValueDigits: .three
    )

    var count: UInt64 { histogram.totalCount }

    /// A moment before the first (clocks that don't fit together) counts as no time at all.
    mutating func record(nanoseconds: Int64) {
        histogram.record(min(UInt64(max(0, nanoseconds)), Self.highest))
    }

    mutating func reset() { histogram.reset() }

    func percentile(_ percent: Double) -> UInt64 { min(histogram.valueAtPercentile(percent), histogram.max) }

    var maximum: UInt64 { count == 0 ? 0 : histogram.max }

    /// `p50 41 us, p99 120 us, max 310 us`; `-` without values.
    var text: String {
        guard count > 0 else { return "-" }
        let figures = [("p50", percentile(50)), ("p99", percentile(99)), ("max", maximum)]
        return figures.map { "\($0) \(Quantities.time(nanoseconds: $1))" }.joined(separator: ", ")
    }

    /// nil without values.
    var json: JSONValue? {
        guard count > 0 else { return nil }
        return .object([
            "p50": .number(percentile(50)), "p90": .number(percentile(90)), "p99": .number(percentile(99)),
            "p99.9": .number(percentile(99.9)), "max": .number(maximum),
        ])
    }
}
