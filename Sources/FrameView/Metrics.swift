#if View
internal import FrameShare

/// Figures in Prometheus' text format, version 0.0.4. They are the channels' own counts, read when somebody asks; nothing
/// is counted a second time.
struct Metrics {
    /// Families must stand together, so each is gathered by itself.
    private var families: [(name: String, lines: String)] = []

    init(_ channels: [(name: String, seen: ChannelWatch.Seen)], _ feeds: PictureFeeds) {
        for (name, seen) in channels {
            let channel = [("channel", name)]
            gauge("frameshare_up", "Whether the channel has a publisher.", channel, seen.isLive ? 1 : 0)
            guard seen.isLive else { continue }
            add(seen.statistics, channel)
        }
        for (key, figures) in feeds.figures {
            let labels = [("channel", key.channel), ("stream", key.stream)]
            gauge("frameshare_view_viewers", "Browsers that look at a stream.", labels, UInt64(figures.viewers))
            counter("frameshare_view_pictures_encoded_total", "Pictures encoded, each once.", labels, figures.encoded)
            counter("frameshare_view_pictures_sent_total", "Pictures sent, to all viewers.", labels, figures.sent)
            counter(
                "frameshare_view_pictures_dropped_total",
                "Pictures that a viewer was too slow for.",
                labels,
                figures.dropped
            )
        }
    }

    var document: String { families.map(\.lines).joined() }

    private mutating func add(_ now: ChannelStatistics, _ channel: [(String, String)]) {
        add(ChannelStatistics.figures, of: now, channel)
        let trouble = "Whether something is amiss with the source, such as a camera that gives no frames."
        gauge("frameshare_source_trouble", trouble, channel, now.sourceTrouble.isEmpty ? 0 : 1)
        let held = UInt64(clamping: now.slots - now.slotsFree - now.slotsAtSource)
        gauge("frameshare_slots", "Slots of the pool.", channel + [("state", "held")], held)
        if let copies = now.copies {
            add(ChannelStatistics.CopyStatus.figures, of: copies, channel)
            let held = UInt64(clamping: copies.slots - copies.free)
            gauge("frameshare_copy_slots", "Slots for copies.", channel + [("state", "held")], held)
        }
        gauge("frameshare_subscribers", "Subscribers.", channel, UInt64(now.subscribers.count))
        for subscriber in now.subscribers {
            let labels =
                channel + [("subscriber", subscriber.name), ("id", "\(subscriber.id)"), ("pid", "\(subscriber.pid)")]
            add(ChannelStatistics.SubscriberStatus.figures, of: subscriber, labels)
        }
        for group in now.groups {
            add(ChannelStatistics.GroupStatus.figures, of: group, channel + [("group", group.name)])
        }
    }

    /// The figures that are metrics.
    private mutating func add<Of>(_ figures: [Figure<Of>], of: Of, _ labels: [(String, String)]) {
        for figure in figures {
            guard let metric = figure.metric else { continue }
            add(
                "frameshare_\(metric.name)" + (metric.isCounter ? "_total" : ""),
                metric.isCounter ? "counter" : "gauge",
                metric.about ?? figure.about,
                labels + (metric.label.map { [($0.key, $0.value)] } ?? []),
                UInt64(clamping: figure.value(of))
            )
        }
    }

    private mutating func counter(_ name: String, _ help: String, _ labels: [(String, String)], _ value: UInt64) {
        add(name, "counter", help, labels, value)
    }

    private mutating func gauge(_ name: String, _ help: String, _ labels: [(String, String)], _ value: UInt64) {
        add(name, "gauge", help, labels, value)
    }

    private mutating func add(
        _ name: String,
        _ type: String,
        _ help: String,
        _ labels: [(String, String)],
        _ value: UInt64
    ) {
        let index: Int
        if let known = families.firstIndex(where: { $0.name == name }) {
            index = known
        } else {
            families.append((name, "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"))
            index = families.count - 1
        }
        let pairs = labels.map { "\($0)=\"\(Self.escaped($1))\"" }.joined(separator: ",")
        families[index].lines += "\(name){\(pairs)} \(value)\n"
    }

    /// A subscriber chooses its own name. It is shown as everywhere, and then escaped as the format wants it.
    private static func escaped(_ value: String) -> String {
        var result = ""
        for character in value.displayText.unicodeScalars {
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}
#endif
