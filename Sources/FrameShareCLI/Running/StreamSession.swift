#if FFmpeg
import FrameCommand
import FrameJSON
import FrameShare
import FrameSinks
import Glibc

/// One run of `frameshare stream`.
struct StreamSession {
    let command: SendStream
    let stop: StopRequest

    /// Where to, as libavformat has it.
    private var address: String { command.address == "-" ? "pipe:1" : command.address }

    /// Whether the stream itself goes to standard output, so that no message may.
    private var isOutput: Bool {
        var (own, named) = (stat(), stat())
        return address == "pipe:" || address.contains("pipe:1")
            || fstat(STDOUT_FILENO, &own) == 0 && stat(PathText.cString(address), &named) == 0
                && (own.st_dev, own.st_ino) == (named.st_dev, named.st_ino)
    }

    /// Whether nobody reads the pipe that standard output is.
    private static var isUnread: Bool {
        var state = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
        return poll(&state, 1, 0) > 0 && state.revents & Int16(POLLERR) != 0
    }

    func run() throws {
        let source = try stop.leavingAtOnce {
            try PacketSource(
                channel: command.channel,
                stream: command.stream,
                codec: command.codec,
                policy: nil,
                encoding: command.encoding,
                damage: command.damage,
                name: "stream",
                reconnect: command.reconnect,
                needsRate: command.encoding.bitRate != nil,
                isLive: true,
                status: try ChannelMonitor(channel: command.channel).snapshot()
            )
        }
        var options = VideoStreamer.Options(address: address)
        options.format = command.format
        for option in command.option { options.formatOptions[option.name] = option.value }
        (options.timeout, options.waits) = (command.timeout, command.wait)
        options.overwrite = command.overwrite
        let streamer = try VideoStreamer(source.video, options: options)
        stop.whenStopped(streamer.stopper)
        let subscriber = try source.subscribe()
        defer { subscriber.close() }
        let isOutput = isOutput
        let terminal = isOutput ? Terminal.errors : .output
        let notes = DiscontinuityNotes(json: command.json, terminal: terminal)
        let report = StreamReport(json: command.json, terminal: terminal)
        defer { report.end(streamer, subscriber, notes, source.damaged) }
        do {
            try source.follow(
                subscriber,
                notes: notes,
                stop: stop,
                frames: command.frames,
                seconds: command.seconds
            ) {
                report.look(streamer)
            } noteLoss: {
                streamer.noteLoss()
            } changed: { stream in
                try streamer.change(to: stream)
            } write: { packet throws(VideoError) in
                try streamer.write(packet)
                // No other reader comes there.
                if isOutput, let failure = streamer.statistics.lastFailure { throw failure }
            }
        } catch is VideoError where stop.isStopped {
            // A connection that was being made when the command was stopped.
        } catch is VideoError where isOutput && Self.isUnread {
            // The reader has had enough.
            return
        } catch {
            try? streamer.finish()
            throw error
        }
        report.look(streamer)
        let wasConnected = streamer.statistics.isConnected
        try streamer.finish()
        report.look(streamer)
        // It ends by itself, and nobody takes what it sends.
        if !stop.isStopped, !wasConnected, let failure = streamer.statistics.lastFailure {
            throw failure
        }
    }
}

/// What `frameshare stream` tells.
final class StreamReport {
    private let json: Bool
    private let terminal: Terminal
    private var told = VideoStreamer.Statistics()

    init(json: Bool, terminal: Terminal) { (self.json, self.terminal) = (json, terminal) }

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

    func end(
        _ streamer: VideoStreamer,
        _ subscriber: Subscriber,
        _ notes: DiscontinuityNotes,
        _ damaged: DamagedFrames
    ) {
        let (sent, lost) = (streamer.statistics, subscriber.statistics.lost)
        if json {
            terminal.writeLine(
                JSONValue.object([
                    "event": "end", "sent": .number(sent.sent), "bytes": .number(sent.bytes),
                    "connections": .number(sent.connections), "discontinuities": .number(notes.count),
                    "damaged": .number(damaged.count),
                    "left_out_seconds": .number(Double(sent.leftOut) / 1e9, digits: 3),
                    "lost": .object([
                        "source": .number(lost.source), "no_free_slot": .number(lost.noFreeSlot),
                        "policy": .number(lost.policy), "known": .bool(lost.isKnown), "unconnected": .number(sent.lost),
                    ]),
                ]).text
            )
        } else {
            terminal.writeLine(
                "sent \(Quantities.counted(sent.sent, "frame")), \(Quantities.bytes(sent.bytes)); lost while there was no "
                    + "connection \(sent.lost), by the source \(lost.source), there for want of a free slot "
                    + "\(lost.noFreeSlot), as the network was too slow \(lost.policy)"
                    + (lost.isKnown ? "" : ", between two publishers unknown")
                    + damaged.text + (notes.count > 0 ? "; breaks in the frames' times \(notes.count)" : "")
            )
        }
    }
}
#endif
