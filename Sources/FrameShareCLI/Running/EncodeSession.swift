import FrameCommand
import FrameJSON
import FrameMemory
import FrameShare
import FrameSinks
import PixelFormats

/// One run of `frameshare encode`.
struct EncodeSession {
    let command: Encode
    let source: String
    let stop: StopRequest
    private let terminal = Terminal.output

    init(command: Encode, source: String, stop: StopRequest) {
        (self.command, self.source, self.stop) = (command, source, stop)
    }

    private var name: String { command.name ?? "\(source)-\(command.codec.codec.rawValue)" }

    func run() throws {
        // What takes its time comes before the subscription, so that it keeps no frames.
        let status = try stop.leavingAtOnce { try ChannelMonitor(channel: source).snapshot() }
        let wanted =
            command.stream.map { name in status.streams.first { $0.stream.name == name } } ?? status.streams.first
        let planned = wanted?.stream.layout
        let rate =
            wanted != nil && command.encoding.bitRate != nil
            ? try Subscriber.sourceRate(channel: source, stream: command.stream) : nil
        var made: ChannelEncoder?
        if let wanted { made = try makeEncoder(for: wanted.stream.layout, wanted.memory, rate) }
        let subscriber = try stop.leavingAtOnce {
            try Subscriber.ofOneStream(
                channel: source,
                stream: command.stream,
                policy: command.policy,
                // 'top' tells two of them apart.
                name: "encode \(name)",
                atMost: command.encoding.rate
            )
        }
        defer { subscriber.close() }
        // Where the layout has changed since it was looked at, the first frame brings the other one.
        var layout = planned ?? subscriber.streams[0].layout
        // None while one takes the place of another: not every device can be opened twice.
        var encoder: ChannelEncoder? = try made ?? makeEncoder(for: layout, .memfd, rate)
        made = nil
        let notes = DiscontinuityNotes(json: command.json)
        var options = Publisher.Options()
        options.access = command.access.access
        options.metadataCapacity = subscriber.metadataCapacity + 4096
        options.sourceName = "\(command.codec.codec.rawValue) of \(source)"
        let (channel, intake) = try open(encoder, layout, options)
        let damaged = DamagedFrames(command.damage)
        var wasInPlace = intake.isInPlace
        // Of the encoders before.
        var counts = DeviceCounts()
        var (told, gaps) = (0, 0)
        func noteLosses() {
            guard let device = encoder?.device else { return }
            if device.gaps != gaps { channel.noteLoss() }
            if device.damaged > told { channel.publisher.countLost(source: UInt64(device.damaged - told)) }
            (told, gaps) = (device.damaged, device.gaps)
        }
        func publish(_ packet: borrowing VideoPacket) throws(VideoError) {
            noteLosses()
            try channel.publish(packet)
        }
        do {
            let follower = FrameFollower(subscriber, stop: stop, frames: command.frames, seconds: command.seconds)
            try follower.follow(idle: { try encoder?.collect(publish) }) { frame in
                notes.look(frame.timestamp.nanoseconds)
                if frame.lost.total > 0 { channel.publisher.countLost(source: frame.lost.total) }
                if damaged.leaveOut(frame, encoding: true) {
                    channel.publisher.countLost(source: 1)
                    return false
                }
                if let now = Self.kind(frame), now.layout != layout {
                    // What came before is not lost, whatever becomes of what comes now.
                    try encoder?.finish(publish)
                    noteLosses()
                    notes.tellChange(from: layout, to: now.layout)
                    counts.add(encoder?.device)
                    encoder = nil
                    let next = try changed(from: layout, to: now, rate, channel)
                    encoder = next
                    (layout, told, gaps) = (now.layout, 0, 0)
                    wasInPlace = wasInPlace || next.intake.isInPlace
                }
                guard let now = encoder else { return false }
                if channel.publisher.takeKeyframeRequest() { try now.forceKeyframe() }
                try now.encode(frame, publish)
                if wasInPlace, !now.intake.isInPlace {
                    wasInPlace = false
                    tellCopying(now.intake)
                }
                return true
            }
            try encoder?.finish(publish)
        } catch {
            // What came before is not lost with the channel.
            if error is ChannelError { try? encoder?.finish(publish) }
            noteLosses()
            counts.add(encoder?.device)
            end(counts, channel, subscriber, notes, damaged)
            channel.publisher.fail("\(error)")
            throw error
        }
        noteLosses()
        counts.add(encoder?.device)
        end(counts, channel, subscriber, notes, damaged)
        channel.publisher.close()
    }

    /// Offers the channel of packets, and says so.
    private func open(
        _ encoder: ChannelEncoder?,
        _ layout: ImageLayout,
        _ options: Publisher.Options
    ) throws -> (PacketChannel, EncoderIntake) {
        guard let encoder else { throw VideoError.channel(.noStreams) }
        let channel = try PacketChannel(name, encoder.stream, slots: command.slots, options: options)
        begin(encoder, layout)
        return (channel, encoder.intake)
    }

    private static func kind(_ frame: borrowing Frame) -> (layout: ImageLayout, memory: MemoryKind)? {
        guard let image = frame.image(at: 0) else { return nil }
        return (image.layout, image.memory)
    }

    /// An encoder for frames of another layout, and the channel's next generation for its packets.
    private func changed(
        from before: ImageLayout,
        to now: (layout: ImageLayout, memory: MemoryKind),
        _ rate: Double?,
        _ channel: PacketChannel
    ) throws -> ChannelEncoder {
        do {
            let encoder = try makeEncoder(for: now.layout, now.memory, rate)
            try channel.change(to: encoder.stream)
            return encoder
        } catch {
            throw CommandFailure("the frames changed from \(before) to \(now.layout): \(error)")
        }
    }

    private func makeEncoder(for layout: ImageLayout, _ memory: MemoryKind, _ rate: Double?) throws -> ChannelEncoder {
        try ChannelEncoder(
            command.codec,
            layout: layout,
            memory: memory,
            options: command.encoding.options(command.codec.codec, frameRate: rate, isLive: true)
        )
    }

    private func begin(_ encoder: ChannelEncoder, _ layout: ImageLayout) {
        let intake = encoder.intake
        if command.json {
            terminal.writeLine(
                JSONValue.object([
                    "event": "start", "channel": .string(source), "as": .string(name),
                    "codec": .string(command.codec.codec.rawValue), "layout": .string("\(layout)"),
                    "in_place": .bool(intake.isInPlace), "device": intake.device.map(JSONValue.string),
                    "copied_because": intake.copyReason.map(JSONValue.string),
                ]).text
            )
        } else {
            terminal.writeLine(
                StyledText(name, .bold) + ": \(command.codec.codec.rawValue) of \(source), \(layout), \(intake). "
                    + "Ctrl-C ends it"
            )
        }
    }

    /// Frames come otherwise than was said at the start.
    private func tellCopying(_ intake: EncoderIntake) {
        if command.json {
            terminal.writeLine(
                JSONValue.object([
                    "event": "copying", "in_place": .bool(false),
                    "copied_because": intake.copyReason.map(JSONValue.string),
                ]).text
            )
        } else {
            terminal.writeLine("from now on \(intake)")
        }
    }

    private func end(
        _ device: DeviceCounts,
        _ channel: PacketChannel,
        _ subscriber: Subscriber,
        _ notes: DiscontinuityNotes,
        _ damaged: DamagedFrames
    ) {
        let (out, taken) = (channel.publisher.statistics, subscriber.statistics)
        if command.json {
            terminal.writeLine(
                JSONValue.object([
                    "event": "end", "frames": .number(taken.delivered),
                    "imported": device.isThere ? .number(device.imported) : nil,
                    "copied": device.isThere ? .number(device.copied) : nil,
                    "failures": device.isThere ? .number(device.failures) : nil,
                    "damaged": .number(damaged.count + UInt64(device.damaged)),
                    "packets": .number(out.published),
                    "discontinuities": .number(notes.count),
                    "lost": .object([
                        "source": .number(taken.lost.source), "no_free_slot": .number(taken.lost.noFreeSlot),
                        "policy": .number(taken.lost.policy), "packets": .number(out.lostNoFreeSlot),
                    ]),
                ]).text
            )
        } else {
            terminal.writeLine(
                "encoded \(Quantities.counted(out.published, "frame")); lost by the source \(taken.lost.source), there for "
                    + "want of a free slot \(taken.lost.noFreeSlot), as the encoder was too slow \(taken.lost.policy), "
                    + "packets for want of a free slot \(out.lostNoFreeSlot)"
                    + damaged.text + device.text
                    + (notes.count > 0 ? "; breaks in the frames' times \(notes.count)" : "")
            )
        }
    }
}

/// What V4L2 encoders counted, one after the other.
private struct DeviceCounts {
    private(set) var isThere = false
    private(set) var imported = 0
    private(set) var copied = 0
    private(set) var damaged = 0
    private(set) var failures = 0

    mutating func add(_ encoder: V4L2Encoder?) {
        guard let encoder else { return }
        isThere = true
        (imported, copied) = (imported + encoder.imported, copied + encoder.copied)
        (damaged, failures) = (damaged + encoder.damaged, failures + encoder.failures)
    }

    var text: String {
        guard isThere else { return "" }
        return "; read in place \(imported), copied \(copied), damaged \(damaged)"
            + (failures > 0 ? ", failed calls of its driver \(failures)" : "")
    }
}
