#if FFmpeg
import FrameShare
import FrameSinks

/// One run of `frameshare record`.
struct RecordSession {
    let command: Record
    let channel: String
    let stop: StopRequest
    let signal: TriggerSignal?

    func run() throws {
        let source = try PacketSource(
            channel: channel,
            stream: command.stream,
            codec: command.codec,
            policy: command.policy,
            encoding: command.encoding,
            name: "record",
            // Nothing else needs to know it.
            needsRate: command.encoding.bitRate != nil || VideoContainer(path: command.output) == .avi,
            status: try ChannelMonitor(channel: channel).snapshot()
        )
        defer { source.subscriber.close() }
        let output = try output(source.video)
        let progress = RecordProgress(command: command, terminal: .output)
        progress.begin(channel, source.subscriber.streams[0].layout)
        defer { progress.end(output, source.subscriber) }
        do {
            try source.follow(stop: stop, frames: command.frames, seconds: command.seconds) {
                try output.lookForTriggers()
                progress.look(output, source.subscriber)
            } noteLoss: {
                output.noteLoss()
            } write: { packet throws(VideoError) in
                try output.write(packet)
            }
        } catch {
            // A channel that was lost ends the file in order. What ended the recording is the error that counts.
            try? output.finish()
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
