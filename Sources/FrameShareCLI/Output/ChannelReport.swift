import FrameCommand
import FrameJSON
import FrameShare

/// One channel's state in lines for people: what `list`, `top` and `demo` show.
struct ChannelReport {
    let now: ChannelStatistics
    /// The state a while ago, for rates; nil: no rates yet.
    var earlier: ChannelStatistics?

    /// Who publishes what, in which memory.
    func heading(withAge: Bool = true) -> [StyledText] {
        var lines = [
            StyledText(now.channel, .bold)
                + "  \(now.sourceName), published by pid \(now.publisherPID) (\(UserName.of(now.publisherUID)))"
                + (withAge ? " for \(Quantities.time(nanoseconds: now.age))" : "")
                + (now.generation > 1 ? ", generation \(now.generation)" : "")
                + (now.sourceState == .alwaysOn ? "" : ", on demand: \(now.sourceState)")
                + (now.isOwner ? "; ends when nobody is left" : "")
        ]
        for status in now.streams {
            let layout = status.stream.layout
            let stride = layout.planes.first?.stride ?? 0
            lines.append(
                "  \(status.stream.name): \(layout.width)x\(layout.height) \(layout.format.name)"
                    + Self.order(of: layout.format)
                    + (stride > 0 ? ", stride \(stride)" : "") + ", \(Quantities.bytes(layout.byteCount))"
                    + ", \(status.memory) ("
                    + StyledText(status.protection.explanation, status.protection == .none ? .yellow : .green)
                    + ")"
            )
        }
        return lines
    }

    /// Names of RGB formats read backwards, so the order in memory is told beside them.
    private static func order(of format: PixelFormat) -> String {
        switch format.info?.firstColor {
        case .r?: " (red first in memory)"
        case .b?: " (blue first in memory)"
        default: ""
        }
    }

    /// The channel's own counters and how its pool is used.
    var counters: [StyledText] {
        let rate = earlier.map { earlier in
            " (\(Quantities.rate(perSecond(now.published, earlier.published)))/s)"
        }
        let lost =
            "lost by the source \(now.lostBySource), for want of a free slot \(now.lostNoFreeSlot)"
            + ChannelStatistics.figures.compactMap { figure in
                let value = figure.value(now)
                guard let note = figure.note, value > 0 else { return nil }
                let isTime = figure.json.hasSuffix("_ns")
                return "; \(isTime ? Quantities.time(nanoseconds: Int64(clamping: value)) : "\(value)") \(note)"
            }.joined()
        let held = max(0, now.slots - now.slotsFree - now.slotsAtSource)
        var pool =
            "pool of \(now.slots): \(now.slotsFree) free, \(now.slotsAtSource) at the source (needs \(now.sourceNeed)), "
            + "\(held) offered or held, \(now.slotsReserved) reserved"
        if now.retiredSlotsHeld > 0 { pool += "; \(now.retiredSlotsHeld) of earlier generations still held" }
        if let copies = now.copies {
            pool +=
                "; \(copies.free) of \(copies.slots) copies free, made below \(copies.floor) slots, \(copies.copied) so far"
        }
        let wasLost = now.lostBySource > 0 || now.lostNoFreeSlot > 0 || now.sourceErrors > 0
        let trouble: [StyledText] =
            now.sourceTrouble.isEmpty ? [] : ["  " + StyledText("trouble: \(now.sourceTrouble)", .yellow)]
        return trouble + [
            "  published \(now.published)\(rate ?? ""), " + StyledText(lost, wasLost ? .yellow : nil),
            StyledText("  " + pool),
        ] + now.groups.map(line)
    }

    /// A group and how its work goes.
    private func line(_ group: ChannelStatistics.GroupStatus) -> StyledText {
        let before = earlier?.groups.first { $0.name == group.name }
        let rate = before.map { " (\(Quantities.rate(perSecond(group.given, $0.given)))/s)" } ?? ""
        let lost = "\(group.lost) lost"
        return "  group \(group.name): \(group.members) members, \(group.given) frames given\(rate), "
            + StyledText(lost, group.lost > (before?.lost ?? 0) ? .yellow : nil)
            + "; \(group.answered) answered, \(group.failed) failed, \(group.pending) open"
            + (group.discarded > 0 ? ", \(group.discarded) replies that nobody waited for" : "")
    }

    /// A row for each subscriber.
    func subscribers(width: Int? = nil) -> [StyledText] {
        guard !now.subscribers.isEmpty else { return ["  no subscribers"] }
        // The most telling columns first: a narrow terminal cuts the last.
        var table = TextTable([
            .init("ID", .right), .init("PID", .right), .init("NAME"), .init("GROUP"), .init("POLICY"),
            .init("DELIVERED", .right), .init("RATE/S", .right), .init("DROPPED", .right), .init("QUEUED", .right),
            .init("HELD", .right),
            .init("OLDEST", .right), .init("P50", .right), .init("P99", .right), .init("USER"), .init("STREAMS"),
        ])
        table.indent = "  "
        for subscriber in now.subscribers.sorted(by: { $0.id < $1.id }) { table.add(row(subscriber)) }
        return table.lines(width: width)
    }

    private func row(_ subscriber: ChannelStatistics.SubscriberStatus) -> [TextTable.Cell] {
        let before = earlier?.subscribers.first { $0.id == subscriber.id }
        let isDropping = subscriber.dropped > (before?.dropped ?? 0)
        let hasLatency = subscriber.latencyMax > 0
        // It gets no frame before it releases one.
        let isFull = subscriber.held >= subscriber.budget
        return [
            .init("\(subscriber.id)"),
            .init("\(subscriber.pid)"),
            .init(subscriber.name.isEmpty ? "-" : subscriber.name),
            .init(subscriber.group.isEmpty ? "-" : subscriber.group),
            .init("\(subscriber.policy)"),
            .init("\(subscriber.delivered)"),
            .init(before.map { Quantities.rate(perSecond(subscriber.delivered, $0.delivered)) } ?? "-"),
            .init(Self.dropped(subscriber), isDropping ? .yellow : nil),
            .init("\(subscriber.queued)"),
            .init(
                "\(subscriber.held)/\(subscriber.budget)" + (subscriber.reserved ? "r" : "")
                    + (subscriber.getsCopies ? "c" : "") + (isFull ? " FULL" : ""),
                isFull ? .yellow : nil
            ),
            .init(subscriber.held > 0 ? Quantities.time(nanoseconds: subscriber.oldestLeaseAge) : "-"),
            .init(hasLatency ? Quantities.time(nanoseconds: subscriber.latencyP50) : "-"),
            .init(hasLatency ? Quantities.time(nanoseconds: subscriber.latencyP99) : "-"),
            .init(UserName.of(subscriber.uid)),
            .init(subscriber.streams.joined(separator: ",")),
        ]
    }

    /// How many frames a subscriber has not got, and of those the ones for which its policy is no reason.
    private static func dropped(_ subscriber: ChannelStatistics.SubscriberStatus) -> String {
        let causes = [(subscriber.droppedByBudget, "full"), (subscriber.droppedByShortage, "short")]
            .compactMap { count, word in count > 0 ? "\(count) \(word)" : nil }
        return "\(subscriber.dropped)" + (causes.isEmpty ? "" : " (\(causes.joined(separator: ", ")))")
    }

    private func perSecond(_ now: UInt64, _ then: UInt64) -> Double {
        guard let earlier, self.now.age > earlier.age, now >= then else { return 0 }
        return Double(now - then) * 1e9 / (Double(self.now.age) - Double(earlier.age))
    }
}

extension ImageLayout {
    /// The bytes of one image, in all its buffers.
    var byteCount: Int { (0..<bufferCount).reduce(0) { $0 + bufferSize($1) } }
}
