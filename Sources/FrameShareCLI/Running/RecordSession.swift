#if FFmpeg
import FrameCommand
import FrameShare
import FrameSinks

/// One run of `frameshare record`.
struct RecordSession {
    let command: Record
    let channel: String
    let stop: StopRequest
    let signal: TriggerSignal?

    func run() throws {
        let source = try stop.leavingAtOnce {
            try PacketSource(
                channel: channel,
                stream: command.stream,
                codec: command.codec,
                policy: command.policy,
                encoding: command.encoding,
                damage: command.damage,
                name: "record",
                reconnect: command.reconnect,
                // Nothing else needs to know it.
                needsRate: command.encoding.bitRate != nil,
                isLive: false,
                status: try ChannelMonitor(channel: channel).snapshot()
            )
        }
        let output = try output(source.video)
        let subscriber = try source.subscribe()
        defer { subscriber.close() }
        let notes = DiscontinuityNotes(json: command.json)
        let progress = RecordProgress(command: command, terminal: .output)
        progress.begin(channel, subscriber.streams[0].layout)
        defer { progress.end(output, subscriber, notes, source.damaged) }
        // Packets that came before a keyframe are in no file.
        var skipped = 0
        do {
            try source.follow(
                subscriber,
                notes: notes,
                stop: stop,
                frames: command.frames,
                seconds: command.seconds
            ) {
                try output.lookForTriggers()
                progress.look(output, subscriber)
            } noteLoss: {
                output.noteLoss()
            } changed: { stream in
                try output.change(to: stream)
            } write: { packet throws(VideoError) in
                try output.write(packet)
            } isLeftOut: {
                defer { skipped = output.skipped }
                return output.skipped > skipped
            }
        } catch {
            // A channel that was lost ends the file in order. What ended the recording is the error that counts.
            do { try output.finish() } catch let second {
                Terminal.errors.writeLine("frameshare: the file's end: \(second)")
            }
            throw error
        }
        try output.finish()
    }

    private func output(_ stream: VideoStream) throws -> RecordOutput {
        var options = VideoRecorder.Options(path: command.output)
        options.splitDuration = command.splitTime
        options.splitBytes = command.splitSize
        options.sidecar = command.sidecar
        options.overwrite = command.overwrite
        guard command.onTrigger else { return .file(try VideoRecorder(stream, options: options)) }
        let recorder = try PreEventRecorder(stream, options: options, pre: command.pre ?? .seconds(5))
        let triggers = RecordTriggers(
            socket: try TriggerSocket(channel: channel),
            signal: signal,
            post: command.post ?? .seconds(10)
        )
        return .clips(recorder, triggers)
    }
}
#endif
