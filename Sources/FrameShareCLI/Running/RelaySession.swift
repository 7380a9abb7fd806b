import FrameCommand
import FrameJSON
import FrameShare

/// One run of `frameshare relay`.
struct RelaySession {
    let command: Relay
    let source: String
    let stop: StopRequest
    private let terminal = Terminal.output

    init(command: Relay, source: String, stop: StopRequest) {
        self.command = command
        self.source = source
        self.stop = stop
    }

    private var name: String { command.name ?? source + "-copy" }

    func run() throws {
        let stage = try stop.leavingAtOnce { try CopyStage(of: source, options: try options()) }
        stop.whenStopped { stage.stop() }
        if let seconds = command.seconds { try stop.after(seconds) { stage.stop() } }
        tell(stage.plan)
        let publisher = try stage.open(as: name)
        if command.json { terminal.writeLine(JSONValue.object(["event": "start", "as": .string(name)]).text) }
        defer { tell(stage.statistics) }
        try stage.run(on: publisher)
    }

    private func options() throws -> CopyStage.Options {
        var options = CopyStage.Options()
        options.streams = command.stream
        options.every = command.every
        options.maximumRate = command.maxRate
        options.subscriber.name = "relay"
        options.subscriber.reconnect = command.reconnect
        options.publisher.access = command.access.access
        if let bytes = command.bytes {
            options.capacity = .bytes(bytes)
        } else if let hold = command.hold {
            options.capacity = .duration(hold, framesPerSecond: try rate())
        } else {
            options.capacity = .slots(command.slots ?? 32)
        }
        for argument in command.crop {
            options.crops[try argument.stream ?? onlyStream()] = argument.crop
        }
        return options
    }

    /// The stream that a crop without a name is of.
    private func onlyStream() throws -> String {
        let all = try ChannelMonitor(channel: source).snapshot().streams.map(\.stream.name)
        let copied = command.stream.isEmpty ? all : command.stream
        guard copied.count == 1 else {
            throw CommandFailure(
                "several streams are copied: say of which the crop is, as in --crop \(copied[0])=640x480+0+0",
                code: .usage
            )
        }
        return copied[0]
    }

    /// How many frames a second are to be copied: looked at for a second where the channel is too young to tell.
    private func rate() throws -> Double {
        let monitor = try ChannelMonitor(channel: source)
        var now = try monitor.snapshot()
        var (frames, time) = (now.published, now.age)
        if frames < 30 {
            stop.sleep(nanoseconds: 1_000_000_000)
            let before = now
            now = try monitor.snapshot()
            frames = now.published.subtractingClamped(before.published)
            time = now.age.subtractingClamped(before.age)
        }
        guard frames > 1, time > 0 else {
            throw CommandFailure("no frames come, so --hold can't tell how many to keep: give --slots or --bytes")
        }
        let rate = Double(frames) / (Double(time) / 1e9) / Double(command.every)
        return min(rate, command.maxRate ?? rate)
    }

    // MARK: what is told

    /// Before any memory is taken.
    private func tell(_ plan: CopyPlan) {
        if command.json {
            terminal.writeLine(
                JSONValue.object([
                    "event": "plan",
                    "channel": .string(source),
                    "as": .string(name),
                    "streams": .array(
                        plan.streams.map { .object(["name": .string($0.name), "layout": .string("\($0.layout)")]) }
                    ),
                    "slots": .number(plan.slots),
                    "bytes_per_frame": .number(plan.bytesPerFrame),
                    "bytes": .number(plan.byteCount),
                ]).text
            )
            return
        }
        terminal.writeLine(StyledText(name, .bold) + ": copies of \(source)")
        for stream in plan.streams { terminal.writeLine("  \(stream.name): \(stream.layout)") }
        terminal.writeLine(
            "  takes \(Quantities.bytes(plan.byteCount)) of memory: \(plan.slots) slots of "
                + "\(Quantities.bytes(plan.bytesPerFrame)). Ctrl-C ends it"
        )
    }

    /// At the end.
    private func tell(_ done: CopyStage.Statistics) {
        let speed = done.copyingTime > 0 ? Double(done.bytes) / Double(done.copyingTime) : nil
        if command.json {
            terminal.writeLine(
                JSONValue.object([
                    "event": "end",
                    "channel": .string(source),
                    "copied": .number(done.copied),
                    "skipped": .number(done.skipped),
                    "no_room": .number(done.noRoom),
                    "revoked": .number(done.revoked),
                    "lost": .object([
                        "source": .number(done.lost.source), "no_free_slot": .number(done.lost.noFreeSlot),
                        "policy": .number(done.lost.policy),
                    ]),
                    "bytes": .number(done.bytes),
                    "gigabytes_per_second": speed.map { .number($0, digits: 2) },
                ]).text
            )
            return
        }
        var text = "copied \(Quantities.counted(done.copied, "frame"))"
        if let speed { text += " at \(Quantities.fixed(speed)) GB/s" }
        if done.skipped > 0 { text += "; passed over \(done.skipped)" }
        text +=
            "; lost by the source \(done.lost.source), there for want of a free slot \(done.lost.noFreeSlot), "
            + "by this relay's policy \(done.lost.policy), for want of room in its pool \(done.noRoom)"
        terminal.writeLine(text)
    }
}
