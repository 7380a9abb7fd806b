import FrameCommand
import FrameJSON
import FrameShare

/// The one line that either side of a benchmark prints at its end.
struct ContestantReport {
    var side: String
    var channel: String
    var frames: Int
    var lost: UInt64
    /// A publisher's: how long each call to publish took. A subscriber's: from the stamp to the frame in hand.
    var latency: LatencyHistogram
    /// From the first measured frame to the last, in ns: CPU time of all threads, and time.
    var cpu: Int64
    var wall: Int64
    var usage = ProcessUsage.current
    /// What else there is to say.
    var more: [JSONValue.Member] = []

    var cpuPerFrame: Double { frames > 0 ? Double(cpu) / Double(frames) : 0 }

    var json: JSONValue {
        let figures: [(String, UInt64)] = [
            ("p50", latency.percentile(50)), ("p90", latency.percentile(90)), ("p99", latency.percentile(99)),
            ("p99_9", latency.percentile(99.9)), ("max", latency.maximum),
        ]
        let has = latency.count > 0
        var members: [JSONValue.Member] = [
            .init(key: "side", value: .string(side)), .init(key: "channel", value: .string(channel)),
            .init(key: "frames", value: .number(frames)), .init(key: "lost", value: .number(lost)),
            .init(
                key: side == "publisher" ? "publish_ns" : "latency_ns",
                value: .object(figures.map { .init(key: $0.0, value: has ? .number($0.1) : .null) })
            ),
            .init(key: "cpu_ns_per_frame", value: .number(cpuPerFrame, digits: 1)),
            .init(key: "wall_ns", value: .number(wall)),
            .init(key: "max_rss_bytes", value: .number(usage.maximumResident)),
            .init(key: "private_bytes", value: usage.privateMemory.map { .number($0) } ?? .null),
            .init(key: "pss_bytes", value: usage.proportional.map { .number($0) } ?? .null),
        ]
        members += more
        return .object(members)
    }
}
