#if FFmpeg
import FrameShare
import FrameSinks

/// One run of `frameshare record`.
struct RecordSession {
    let command: Record
    let source: String
    let stop: StopRequest
    let signal: TriggerSignal?

    func run() throws {
        let status = try ChannelMonitor(channel: source).snapshot()
        let wanted =
            command.stream.map { name in status.streams.first { $0.stream.name == name } } ?? status.streams.first
        let packets = wanted.flatMap { VideoCodec($0.stream.layout.format) }
        // Packets are small and many may wait; of frames the camera needs its own.
        let policy = command.policy ?? .queue(packets == nil ? 4 : max(1, status.slots / 2))
        let subscriber = try Subscriber.ofOneStream(
            channel: source,
            stream: command.stream,
            policy: policy,
            name: "record"
        )
        defer { subscriber.close() }
        if let packets {
            try record(packets, subscriber)
        } else {
            try encode(subscriber)
        }
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
            socket: try TriggerSocket(channel: source),
            signal: signal,
            post: command.post ?? .seconds(10)
        )
        return .clips(recorder, triggers)
    }

    /// Packets, as they are.
    private func record(_ codec: VideoCodec, _ subscriber: Subscriber) throws {
        let layout = subscriber.streams[0].layout
        if let wanted = command.codec, wanted != codec { throw VideoError.compressedAlready(layout.format) }
        guard let stream = VideoStream(layout, framesPerSecond: try rate(subscriber)) else { return }
        let output = try output(stream)
        try run(output, subscriber, finish: {}) { frame in
            if frame.lost.total > 0 { output.noteLoss() }
            try Self.write(frame, codec, to: output)
        }
    }

    private func rate(_ subscriber: Subscriber) throws -> Double {
        if let rate = command.encoding.rate { return rate }
        guard VideoContainer(path: command.output) == .avi else { return 30 }
        return try subscriber.sourceRate() ?? 30
    }

    private static func write(_ frame: borrowing Frame, _ codec: VideoCodec, to output: RecordOutput) throws {
        try output.write(try VideoPacket(frame, codec))
    }

    /// Frames, encoded here.
    private func encode(_ subscriber: Subscriber) throws {
        // Nothing else needs to know it.
        let needsRate = command.encoding.bitRate != nil || VideoContainer(path: command.output) == .avi
        let options = command.encoding.options(
            command.codec ?? .h264,
            frameRate: needsRate && command.encoding.rate == nil ? try subscriber.sourceRate() : nil
        )
        let encoder = try VideoEncoder(layout: subscriber.streams[0].layout, options: options)
        let output = try output(VideoStream(of: encoder))
        try run(output, subscriber) {
            try encoder.finish { packet throws(VideoError) in try output.write(packet) }
        } take: { frame in
            try encoder.encode(frame) { packet throws(VideoError) in try output.write(packet) }
        }
    }

    private func run(
        _ output: RecordOutput,
        _ subscriber: Subscriber,
        finish: () throws -> Void,
        take: (consuming Frame) throws -> Void
    ) throws {
        let progress = RecordProgress(command: command, terminal: .output)
        progress.begin(source, subscriber.streams[0].layout)
        let follower = FrameFollower(subscriber, stop: stop, frames: command.frames, seconds: command.seconds)
        do {
            try follower.follow {
                try output.lookForTriggers()
                progress.look(output, subscriber)
            } _: { frame in
                try take(frame)
            }
            try finish()
            try output.finish()
        } catch {
            // A channel that was lost ends the file in order. What ended the recording is the error that counts.
            try? finish()
            try? output.finish()
            progress.end(output, subscriber)
            throw error
        }
        progress.end(output, subscriber)
    }
}
#endif
