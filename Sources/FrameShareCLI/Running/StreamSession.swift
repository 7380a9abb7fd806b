#if FFmpeg
import FrameJSON
import FrameShare
import FrameSinks

/// One run of `frameshare stream`.
struct StreamSession {
    let command: SendStream
    let stop: StopRequest

    func run() throws {
        let status = try ChannelMonitor(channel: command.channel).snapshot()
        let source = try PacketSource(
            channel: command.channel,
            stream: command.stream,
            codec: command.codec,
            policy: nil,
            encoding: command.encoding,
            name: "stream",
            needsRate: command.encoding.bitRate != nil,
            status: status
        )
        defer { source.subscriber.close() }
        var options = VideoStreamer.Options(address: command.address)
        options.format = command.format
        for option in command.option { options.formatOptions[option.name] = option.value }
        (options.timeout, options.waits) = (command.timeout, command.wait)
        let streamer = try VideoStreamer(source.video, options: options)
        stop.whenStopped(streamer.stopper)
        let report = StreamReport(json: command.json)
        defer { report.end(streamer, source.subscriber) }
        try source.follow(stop: stop, frames: command.frames, seconds: command.seconds) {
            report.look(streamer)
        } noteLoss: {
            streamer.noteLoss()
        } write: { packet throws(VideoError) in
            try streamer.write(packet)
        }
        streamer.finish()
    }
}

/// What `frameshare stream` tells.
final class StreamReport {
    private let json: Bool
    private let terminal = Terminal.output
    private var told = VideoStreamer.Statistics()

    init(json: Bool) { self.json = json }

    /// Tells a connection, and the loss of one.
    func look(_ streamer: VideoStreamer) {
        let now = streamer.statistics
        defer { told = now }
        if now.connections > told.connections {
            say("connected", "connected to \(VideoStreamer.shown(streamer.options))")
        }
        guard let failure = now.lastFailure, !now.isConnected, told.isConnected || told.lastFailure == nil else {
            return
        }
        say("disconnected", "\(failure). Trying again")
    }

    private func say(_ event: String, _ text: String) {
        terminal.writeLine(json ? JSONValue.object(["event": .string(event), "text": .string(text)]).text : text)
    }

    func end(_ streamer: VideoStreamer, _ subscriber: Subscriber) {
        let (sent, lost) = (streamer.statistics, subscriber.statistics.lost)
        if json {
            terminal.writeLine(
                JSONValue.object([
                    "event": "end", "sent": .number(sent.sent), "bytes": .number(sent.bytes),
                    "connections": .number(sent.connections),
                    "lost": .object([
                        "source": .number(lost.source), "no_free_slot": .number(lost.noFreeSlot),
                        "policy": .number(lost.policy), "unconnected": .number(sent.lost),
                    ]),
                ]).text
            )
        } else {
            terminal.writeLine(
                "sent \(Quantities.counted(sent.sent, "frame")), \(Quantities.bytes(sent.bytes)); lost while there was no "
                    + "connection \(sent.lost), by the source \(lost.source), there for want of a free slot "
                    + "\(lost.noFreeSlot), as the network was too slow \(lost.policy)"
            )
        }
    }
}
#endif
