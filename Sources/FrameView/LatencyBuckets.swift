#if View
internal import FrameJSON
internal import FrameShare

/// How long frames took lately, in steps that double: the last five to ten seconds.
struct LatencyBuckets: Sendable {
    /// Upper bounds, in ns; what is beyond the last has a bucket of its own.
    static let bounds: [Int64] = (0..<14).map { Int64(16_000) << Int64($0) }
    private static let period = Duration.seconds(5)

    private var current = LatencyHistogram()
    private var before = LatencyHistogram()
    private var began = ContinuousClock.now

    mutating func add(_ nanoseconds: Int64) {
        rotate()
        current.record(nanoseconds: nanoseconds)
    }

    private mutating func rotate() {
        let age = ContinuousClock.now - began
        guard age >= Self.period else { return }
        before = age < Self.period * 2 ? current : LatencyHistogram()
        (current, began) = (LatencyHistogram(), .now)
    }

    /// Nil where no frame came lately.
    var json: JSONValue? {
        var copy = self
        copy.rotate()
        let below = zip(copy.current.counts(below: Self.bounds), copy.before.counts(below: Self.bounds)).map { $0 + $1 }
        let total = copy.current.count + copy.before.count
        guard total > 0 else { return nil }
        var (buckets, last) = ([JSONValue](), UInt64(0))
        for (bound, count) in zip(Self.bounds, below) {
            buckets.append(.object(["below_ns": .number(bound), "count": .number(count - last)]))
            last = count
        }
        buckets.append(.object(["below_ns": .null, "count": .number(total - last)]))
        return .object([
            "p50": .number(Self.bound(of: 50, below, total)), "p99": .number(Self.bound(of: 99, below, total)),
            "buckets": .array(buckets),
        ])
    }

    /// The bound that so many of a hundred did not reach.
    private static func bound(of share: UInt64, _ below: [UInt64], _ total: UInt64) -> Int64 {
        let wanted = max(1, (total * share + 99) / 100)
        return zip(bounds, below).first { $1 >= wanted }?.0 ?? 2 * bounds[bounds.count - 1]
    }
}
#endif
