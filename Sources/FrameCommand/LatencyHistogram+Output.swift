package import FrameJSON
package import FrameShare

extension LatencyHistogram {
    /// `p50 41 us, p99 120 us, max 310 us`; `-` without values.
    package var text: String {
        guard count > 0 else { return "-" }
        let figures = [("p50", percentile(50)), ("p99", percentile(99)), ("max", maximum)]
        return figures.map { "\($0) \(Quantities.time(nanoseconds: $1))" }.joined(separator: ", ")
    }

    /// nil without values.
    package var json: JSONValue? {
        guard count > 0 else { return nil }
        return .object([
            "p50": .number(percentile(50)), "p90": .number(percentile(90)), "p99": .number(percentile(99)),
            "p99.9": .number(percentile(99.9)), "max": .number(maximum),
        ])
    }
}
