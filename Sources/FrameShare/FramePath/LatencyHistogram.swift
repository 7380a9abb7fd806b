/// The buckets that latencies are counted in: each power of two of nanoseconds is cut into the same number of equal parts, so
/// that a bucket is as wide as a fixed share of its values.
struct LatencyScale: Sendable {
    /// The parts of a power of two, as a power of two.
    let bits: Int

    var parts: Int { 1 << bits }

    /// How many buckets there are up to a latency, in ns.
    func bucketCount(upTo ns: UInt64) -> Int { bucket(ns) + 1 }

    @inline(__always)
    func bucket(_ ns: UInt64) -> Int {
        guard ns >= UInt64(parts) else { return Int(ns) }
        let power = 63 - ns.leadingZeroBitCount
        return (power - bits + 1) << bits + Int(ns >> UInt64(power - bits)) & (parts - 1)
    }

    /// The least latency of a bucket, in ns.
    @inline(__always)
    func leastLatency(of bucket: Int) -> UInt64 {
        guard bucket >= parts else { return UInt64(bucket) }
        return UInt64(parts + bucket & (parts - 1)) << UInt64(bucket >> bits - 1)
    }

    /// The bucket that so many samples, from the lowest latency up, do not reach beyond; nil where there are not so many.
    @inline(__always)
    func bucket<Count: FixedWidthInteger>(ofSample wanted: Int, in counts: Span<Count>) -> Int? {
        var seen = 0
        for i in counts.indices {
            seen += Int(counts[i])
            if seen > wanted { return i }
        }
        return nil
    }
}

/// Latencies in nanoseconds, up to 100 s: what commands and the view count. A subscriber's own are in ``LatencyWindow``.
package struct LatencyHistogram: Sendable {
    // 0.1 % wide.
    private static let scale = LatencyScale(bits: 10)
    private static let highest: UInt64 = 100_000_000_000

    // Made when the first latency comes: 28,000 buckets.
    private var counts: [UInt32] = []
    package private(set) var count: UInt64 = 0
    /// The largest so far, in ns; 0 without any.
    package private(set) var maximum: UInt64 = 0

    package init() {}

    /// A moment before the first (clocks that don't fit together) counts as no time at all.
    package mutating func record(nanoseconds: Int64) {
        if counts.isEmpty { counts = .init(repeating: 0, count: Self.scale.bucketCount(upTo: Self.highest)) }
        let value = min(UInt64(max(0, nanoseconds)), Self.highest)
        counts[Self.scale.bucket(value)] &+= 1
        count += 1
        maximum = max(maximum, value)
    }

    package mutating func reset() { self = LatencyHistogram() }

    /// The latency that so many of a hundred samples do not exceed by more than a bucket's width, in ns; 0 without any.
    package func percentile(_ percent: Double) -> UInt64 {
        guard count > 0 else { return 0 }
        // The sample with this number, from 0: of 100 samples the 50th is that of 50 percent.
        let wanted = (Double(count) * min(max(percent, 0), 100) / 100).rounded(.up) - 1
        let bucket = Self.scale.bucket(ofSample: max(0, Int(wanted)), in: counts.span)
        guard let bucket else { return maximum }
        return min(maximum, Self.scale.leastLatency(of: bucket + 1) - 1)
    }

    /// How many are below each of some latencies, in ns and in rising order, that begin a bucket, such as 16 us times a power of
    /// two.
    package func counts(below bounds: [Int64]) -> [UInt64] {
        var (next, sum) = (0, UInt64(0))
        return bounds.map { bound in
            let end = min(counts.count, Self.scale.bucket(UInt64(max(0, bound))))
            while next < end {
                sum += UInt64(counts[next])
                next += 1
            }
            return sum
        }
    }
}
