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
        var made: ChannelEncoder?
        if let wanted { made = try makeEncoder(for: wanted.stream.layout, wanted.memory) }
        let subscriber = try stop.leavingAtOnce {
            try Subscriber.ofOneStream(
                channel: source,
                stream: command.stream,
                policy: command.policy,
                name: "encode"
            )
        }
        defer { subscriber.close() }
        let layout = subscriber.streams[0].layout
        guard let encoder = made, let planned, planned == layout else {
            throw VideoError.layoutChanged(from: planned ?? layout, to: layout)
        }
        let notes = DiscontinuityNotes(json: command.json)
        var options = Publisher.Options()
        options.access = command.access.access
        options.metadataCapacity = subscriber.metadataCapacity + 4096
        options.sourceName = "\(command.codec.codec.rawValue) of \(source)"
        let channel = try PacketChannel(name, encoder.stream, slots: command.slots, options: options)
        begin(encoder, layout)
        let damaged = DamagedFrames(command.damage)
        var wasInPlace = encoder.intake.isInPlace
        do {
            let follower = FrameFollower(subscriber, stop: stop, frames: command.frames, seconds: command.seconds)
            try follower.follow(idle: {
                try encoder.collect { packet throws(VideoError) in try channel.publish(packet) }
            }) { frame in
                notes.look(frame.timestamp.nanoseconds)
                if frame.lost.total > 0 { channel.publisher.countLost(source: frame.lost.total) }
                if damaged.leaveOut(frame, encoding: true) {
                    channel.publisher.countLost(source: 1)
                    return false
                }
                try encoder.encode(frame) { packet throws(VideoError) in try channel.publish(packet) }
                if wasInPlace, !encoder.intake.isInPlace {
                    wasInPlace = false
                    tellCopying(encoder.intake)
                }
                return true
            }
            try encoder.finish { packet throws(VideoError) in try channel.publish(packet) }
        } catch {
            // What came before is not lost with the channel, nor when frames of another size come.
            switch error {
            case is ChannelError, VideoError.layoutChanged:
                try? encoder.finish { packet throws(VideoError) in try channel.publish(packet) }
            default: break
            }
            end(encoder, channel, subscriber, notes, damaged)
            channel.publisher.fail("\(error)")
            throw error
        }
        end(encoder, channel, subscriber, notes, damaged)
        channel.publisher.close()
    }

    private func makeEncoder(for layout: ImageLayout, _ memory: MemoryKind) throws -> ChannelEncoder {
        try ChannelEncoder(
            command.codec,
            layout: layout,
            memory: memory,
            options: command.encoding.options(
                command.codec.codec,
                frameRate: command.encoding.bitRate != nil
                    ? try Subscriber.sourceRate(channel: source, stream: command.stream) : nil
            )
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
        _ encoder: ChannelEncoder,
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
                    "imported": encoder.device.map { .number($0.imported) },
                    "copied": encoder.device.map { .number($0.copied) },
                    "damaged": .number(damaged.count + UInt64(encoder.device?.damaged ?? 0)),
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
                    + damaged.text + (encoder.device.map(Self.counts) ?? "")
                    + (notes.count > 0 ? "; breaks in the frames' times \(notes.count)" : "")
            )
        }
    }

    private static func counts(_ encoder: M2MEncoder) -> String {
        "; read in place \(encoder.imported), copied \(encoder.copied), damaged \(encoder.damaged)"
    }
}
