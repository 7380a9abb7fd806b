import FrameCommand
import FrameJSON
import FrameShare

/// What the demo has shown.
struct DemoSummary {
    let statistics: ChannelStatistics
    let readers: [String]
    /// Whether every reader has found the right number in the pixels of every frame.
    let verified: Bool
    let brokenProcesses: [ChildProcess]

    private var subscribers: [ChannelStatistics.SubscriberStatus] {
        readers.compactMap { name in statistics.subscribers.first { $0.name == name } }
    }

    private var deliveries: UInt64 { subscribers.reduce(0) { $0 + $1.delivered } }

    /// What went wrong; nil: frames reached every reader.
    var trouble: String? {
        if let broken = brokenProcesses.first {
            let said = broken.errorText
            return "\(broken.name) \(broken.exit?.text ?? "ended")" + (said.isEmpty ? "" : ": \(said)")
        }
        let starved = readers.filter { name in !subscribers.contains { $0.name == name && $0.delivered > 0 } }
        guard !starved.isEmpty else { return nil }
        return "no frame reached \(starved.joined(separator: ", ")). 'frameshare doctor' says what this machine lacks"
    }

    var text: StyledText {
        let images = statistics.streams.map { status in
            let layout = status.stream.layout
            return "\(layout.width)x\(layout.height) \(layout.format.name) (\(Quantities.bytes(layout.byteCount)), "
                + "\(status.memory), \(status.protection.explanation))"
        }
        let lost =
            ["source \(statistics.lostBySource)", "no free slot \(statistics.lostNoFreeSlot)"]
            + subscribers.map { "\($0.name) \($0.dropped)" }
        let latency = subscribers.map {
            "\($0.name) \(Quantities.time(nanoseconds: $0.latencyP50)) / \(Quantities.time(nanoseconds: $0.latencyP99))"
        }
        var text =
            StyledText("shared \(Quantities.counted(statistics.published, "frame"))", .bold)
            + " from \(statistics.sourceName), \(images.joined(separator: " + ")), with "
            + (subscribers.count == 1 ? "1 process" : "\(subscribers.count) processes")
            + ": \(deliveries) deliveries, no copy; lost: \(lost.joined(separator: ", "))"
            + "; latency p50 / p99: \(latency.joined(separator: ", "))"
        if verified { text += "; " + StyledText("every frame's pixels were right", .green) }
        return text
    }

    var json: JSONValue {
        .object([
            "event": "summary",
            "source": .string(statistics.sourceName),
            "frames": .number(statistics.published),
            "deliveries": .number(deliveries),
            "verified": .bool(verified),
            "lost": .object([
                "source": .number(statistics.lostBySource), "no_free_slot": .number(statistics.lostNoFreeSlot),
            ]),
            "streams": .array(statistics.streams.map(\.json)),
            "subscribers": .array(subscribers.map(\.json)),
            "ok": .bool(trouble == nil),
        ])
    }
}
