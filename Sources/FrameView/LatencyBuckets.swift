#if View
internal import FrameJSON

/// How long frames took lately, in steps that double: the last five to ten seconds.
struct LatencyBuckets: Sendable {
    /// Upper bounds, in ns; what is beyond the last has a bucket of its own.
    static let bounds: [Int64] = (0..<14).map { Int64(16_000) << Int64($0) }
    private static let none = [UInt64](repeating: 0, count: LatencyBuckets.bounds.count + 1)
    private static let period = Duration.seconds(5)

    private var current = LatencyBuckets.none
    private var before = LatencyBuckets.none
    private var began = ContinuousClock.now

    mutating func add(_ nanoseconds: Int64) {
        rotate()
        current[Self.bounds.firstIndex { nanoseconds < $0 } ?? Self.bounds.count] += 1
    }

    private mutating func rotate() {
        let age = ContinuousClock.now - began
        guard age >= Self.period else { return }
        before = age < Self.period * 2 ? current : Self.none
        (current, began) = (Self.none, .now)
    }

    /// Nil where no frame came lately.
    var json: JSONValue? {
        var copy = self
        copy.rotate()
        let counts = zip(copy.current, copy.before).map { $0 &+ $1 }
        let total = counts.reduce(0, +)
        guard total > 0 else { return nil }
        var buckets = zip(Self.bounds, counts).map { bound, count in
            JSONValue.object(["below_ns": .number(bound), "count": .number(count)])
        }
        buckets.append(.object(["below_ns": .null, "count": .number(counts[counts.count - 1])]))
        return .object([
            "p50": .number(Self.bound(of: 50, counts, total)), "p99": .number(Self.bound(of: 99, counts, total)),
            "buckets": .array(buckets),
        ])
    }

    /// The bound that so many of a hundred did not reach.
    private static func bound(of share: UInt64, _ counts: [UInt64], _ total: UInt64) -> Int64 {
        var left = max(1, (total * share + 99) / 100)
        for (bound, count) in zip(bounds, counts) {
            if count >= left { return bound }
            left -= count
        }
        return 2 * bounds[bounds.count - 1]
    }
}
#endif
