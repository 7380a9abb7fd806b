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
        counter("frameshare_frames_published_total", "Frames published.", channel, now.published)
        let lost = "Frames lost before they were published."
        counter("frameshare_frames_lost_total", lost, channel + [("reason", "source")], now.lostBySource)
        counter("frameshare_frames_lost_total", lost, channel + [("reason", "no_free_slot")], now.lostNoFreeSlot)
        counter(
            "frameshare_source_errors_total",
            "Errors of the source that it went on after.",
            channel,
            now.sourceErrors
        )
        let trouble = "Whether something is amiss with the source, such as a camera that gives no frames."
        gauge("frameshare_source_trouble", trouble, channel, now.sourceTrouble.isEmpty ? 0 : 1)
        counter(
            "frameshare_frames_damaged_total",
            "Frames published whose data is no whole image, or damaged to the driver's knowledge.",
            channel,
            now.damaged
        )
        let slots = "Slots of the pool."
        gauge("frameshare_slots", slots, channel + [("state", "free")], UInt64(clamping: now.slotsFree))
        gauge("frameshare_slots", slots, channel + [("state", "at_source")], UInt64(clamping: now.slotsAtSource))
        gauge(
            "frameshare_slots",
            slots,
            channel + [("state", "held")],
            UInt64(clamping: now.slots - now.slotsFree - now.slotsAtSource)
        )
        if let copies = now.copies {
            let slots = "Slots for copies, for subscribers that lag."
            gauge("frameshare_copy_slots", slots, channel + [("state", "free")], UInt64(clamping: copies.free))
            gauge(
                "frameshare_copy_slots",
                slots,
                channel + [("state", "held")],
                UInt64(clamping: copies.slots - copies.free)
            )
            counter("frameshare_frames_copied_total", "Frames copied for subscribers that lag.", channel, copies.copied)
        }
        gauge("frameshare_subscribers", "Subscribers.", channel, UInt64(now.subscribers.count))
        for subscriber in now.subscribers {
            let labels =
                channel + [("subscriber", subscriber.name), ("id", "\(subscriber.id)"), ("pid", "\(subscriber.pid)")]
            counter("frameshare_subscriber_delivered_total", "Frames a subscriber took.", labels, subscriber.delivered)
            let dropped = "Frames a subscriber was not given."
            counter(
                "frameshare_subscriber_dropped_total",
                dropped,
                labels + [("reason", "policy")],
                subscriber.droppedByPolicy
            )
            counter(
                "frameshare_subscriber_dropped_total",
                dropped,
                labels + [("reason", "budget")],
                subscriber.droppedByBudget
            )
            counter(
                "frameshare_subscriber_dropped_total",
                dropped,
                labels + [("reason", "shortage")],
                subscriber.droppedByShortage
            )
            gauge("frameshare_subscriber_held", "Frames a subscriber holds.", labels, UInt64(clamping: subscriber.held))
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
