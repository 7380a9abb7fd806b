import FrameCommand
import FrameJSON
import FrameShare

/// What `frameshare publish` tells: at the start, at events, at the end.
struct PublishReport {
    let command: Publish
    let terminal: Terminal

    /// - Parameter notes: what else is worth knowing, such as what a driver gives otherwise than asked
    func started(_ publisher: Publisher, notes: [String]) {
        defer { if command.owner { DetachedPublisher.leave() } }
        let statistics = publisher.statistics
        let allocation = publisher.allocationReport
        var told: Set<String> = []
        let notes = (notes + (allocation?.notes ?? [])).filter { told.insert($0).inserted }
        if command.json {
            terminal.writeLine(
                JSONValue.object([
                    "event": "start",
                    "channel": .string(statistics.channel),
                    "source": .string(statistics.sourceName),
                    "pid": .number(statistics.publisherPID),
                    "slots": .number(statistics.slots),
                    "copies": statistics.copies?.json,
                    "copies_bytes": statistics.copies.map { _ in .number(publisher.copyByteCount) },
                    "streams": .array(statistics.streams.map(\.json)),
                    "memory_source": allocation.map { .string($0.source) },
                    "memory_tried": allocation.map { .strings($0.attempts.map { "\($0)" }) },
                    "notes": .strings(notes),
                ]).text
            )
            return
        }
        let report = ChannelReport(now: statistics)
        for line in report.heading(withAge: false) { terminal.writeLine(line) }
        for attempt in allocation?.attempts ?? [] { terminal.writeLine("  not used: \(attempt)") }
        for note in notes { terminal.writeLine("  " + note) }
        if let copies = statistics.copies {
            terminal.writeLine(
                "  and \(Quantities.counted(copies.slots, "slot")) (\(Quantities.bytes(publisher.copyByteCount))) for copies "
                    + "to readers that lag, when fewer than \(copies.floor) would be left to the source"
            )
        }
        terminal.writeLine(
            "  \(statistics.slots) slots; look: 'frameshare watch \(statistics.channel)'. Ctrl-C ends it"
        )
    }

    /// Something that happened meanwhile, such as a camera that was unplugged.
    func happened(_ event: String, _ text: String) {
        if command.json {
            terminal.writeLine(JSONValue.object(["event": .string(event), "text": .string(text)]).text)
        } else {
            terminal.writeLine(text)
        }
    }

    func ended(_ statistics: ChannelStatistics) {
        if command.json {
            terminal.writeLine(
                JSONValue.object([
                    "event": "end",
                    "channel": .string(statistics.channel),
                    "published": .number(statistics.published),
                    "seconds": .number(Double(statistics.age) / 1e9, digits: 3),
                    "lost": .object([
                        "source": .number(statistics.lostBySource), "no_free_slot": .number(statistics.lostNoFreeSlot),
                    ]),
                    "damaged": .number(statistics.damaged),
                    "copied": statistics.copies.map { .number($0.copied) },
                ]).text
            )
            return
        }
        terminal.writeLine(
            "published \(Quantities.counted(statistics.published, "frame")) in "
                + "\(Quantities.time(nanoseconds: statistics.age)); lost by the source \(statistics.lostBySource), "
                + "for want of a free slot \(statistics.lostNoFreeSlot)"
                + (statistics.damaged > 0 ? "; damaged \(statistics.damaged)" : "")
                + (statistics.copies.map { "; copied for readers that lagged \($0.copied)" } ?? "")
        )
    }
}
