#if FFmpeg
import FrameJSON
import FrameShare
import FrameSinks

/// One run of `frameshare encode`.
struct EncodeSession {
    let command: Encode
    let source: String
    let stop: StopRequest
    private let terminal = Terminal.output

    init(command: Encode, source: String, stop: StopRequest) {
        (self.command, self.source, self.stop) = (command, source, stop)
    }

    private var name: String { command.name ?? "\(source)-\(command.codec.rawValue)" }

    func run() throws {
        let subscriber = try Subscriber.ofOneStream(
            channel: source,
            stream: command.stream,
            policy: command.policy,
            name: "encode"
        )
        defer { subscriber.close() }
        let layout = subscriber.streams[0].layout
        let encoder = try VideoEncoder(
            layout: layout,
            options: command.encoding.options(
                command.codec,
                frameRate: command.encoding.bitRate != nil ? try subscriber.sourceRate() : nil
            )
        )
        var options = Publisher.Options()
        options.access = command.access.access
        options.metadataCapacity = subscriber.metadataCapacity + 4096
        options.sourceName = "\(command.codec.rawValue) of \(source)"
        let channel = try PacketChannel(name, VideoStream(of: encoder), slots: command.slots, options: options)
        begin(encoder, layout)
        do {
            let follower = FrameFollower(subscriber, stop: stop, frames: command.frames, seconds: command.seconds)
            try follower.follow { frame in
                if frame.lost.total > 0 { channel.publisher.countLost(source: frame.lost.total) }
                try encoder.encode(frame) { packet throws(VideoError) in try channel.publish(packet) }
            }
            try encoder.finish { packet throws(VideoError) in try channel.publish(packet) }
        } catch {
            end(channel, subscriber)
            channel.publisher.fail("\(error)")
            throw error
        }
        end(channel, subscriber)
        channel.publisher.close()
    }

    private func begin(_ encoder: VideoEncoder, _ layout: ImageLayout) {
        let inPlace = encoder.readsFramesInPlace
        if command.json {
            terminal.writeLine(
                JSONValue.object([
                    "event": "start", "channel": .string(source), "as": .string(name),
                    "codec": .string(command.codec.rawValue), "layout": .string("\(layout)"),
                    "in_place": .bool(inPlace),
                ]).text
            )
        } else {
            terminal.writeLine(
                terminal.styled(name, .bold) + ": \(command.codec.rawValue) of \(source), \(layout), "
                    + (inPlace ? "read in place" : "converted first") + ". Ctrl-C ends it"
            )
        }
    }

    private func end(_ channel: PacketChannel, _ subscriber: Subscriber) {
        let (out, taken) = (channel.publisher.statistics, subscriber.statistics)
        if command.json {
            terminal.writeLine(
                JSONValue.object([
                    "event": "end", "frames": .number(taken.delivered), "packets": .number(out.published),
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
            )
        }
    }
}
#endif
