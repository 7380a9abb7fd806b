/// Recent latencies in buckets of about 6 %, for `top`. Fixed size: adding allocates nothing.
struct LatencyWindow: Sendable {
    private var buckets: InlineArray<512, UInt16> = .init(repeating: 0)
    private var count = 0
    private var largest: UInt64 = 0
    /// When the percentiles were asked for last, in ns.
    private var toldAt: Int64 = 0

    /// 16 buckets for each power of two, from 0 to 2^32 ns and beyond.
    private static func bucket(_ ns: UInt64) -> Int {
        guard ns >= 16 else { return Int(ns) }
        let power = 63 - ns.leadingZeroBitCount
        return min(511, (power - 3) * 16 + Int(ns >> UInt64(power - 4) & 15))
    }

    private static func lowerBound(_ bucket: Int) -> UInt64 {
        guard bucket >= 16 else { return UInt64(bucket) }
        return UInt64(16 + bucket % 16) << UInt64(bucket / 16 - 1)
    }

    /// Adds one, at the time `now` in ns. True ten times a second at most, when it is time to look at the percentiles: that
    /// takes longer than a frame.
    mutating func add(_ ns: Int64, now: Int64) -> Bool {
        let value = UInt64(max(0, ns))
        let index = Self.bucket(value)
        buckets[index] &+= 1
        largest = max(largest, value)
        count += 1
        if count >= 2048 { halve() }  // old samples fade
        guard count < 32 || now - toldAt >= 100_000_000 else { return false }
        toldAt = now
        return true
    }

    private mutating func halve() {
        count = 0
        for i in 0..<512 {
            buckets[i] /= 2
            count += Int(buckets[i])
        }
    }

    /// The latency below which `part` of the samples lie, in ns.
    func percentile(_ part: Double) -> UInt64 {
        let wanted = Int(Double(count) * part)
        var seen = 0
        // Through a span: an index into the array itself would copy all of it each time.
        let buckets = buckets.span
        for i in buckets.indices {
            seen += Int(buckets[i])
            if seen > wanted { return Self.lowerBound(i) }
        }
        return largest
    }

    /// The largest so far, in ns.
    var maximum: UInt64 { largest }
}
