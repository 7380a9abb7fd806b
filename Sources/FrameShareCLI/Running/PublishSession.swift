import FrameCommand
import FrameShare
import FrameSources

/// One run of `frameshare publish`: from the source to the channel, and what is told of it.
struct PublishSession {
    let command: Publish
    let stop: StopRequest
    /// The channel's socket, where a service manager has made it.
    let passed: PassedSocket?
    private let terminal = Terminal.output

    init(command: Publish, stop: StopRequest, passed: PassedSocket?) {
        self.command = command
        self.passed = passed
        self.stop = stop
    }

    func run() throws {
        switch command.source {
        case .pattern: try publishPattern()
        case .file(let path): try publishFile(path)
        case .device(let path): try CameraSession(command: command, device: path, stop: stop, passed: passed).run()
        case .libcamera(let id): try LibcameraSession(command: command, id: id, stop: stop, passed: passed).run()
        }
    }

    // MARK: a video file

    private func publishFile(_ path: String) throws {
        #if FFmpeg
        var playing = VideoFile.Options()
        (playing.loops, playing.speed, playing.framesPerSecond) = (command.loop, command.speed, command.rate)
        playing.frameCount = command.frames.map(UInt64.init)
        playing.onDemand = command.demand
        let file = try VideoFile(path: path, options: playing)
        var options = command.publisherOptions(passed)
        options.sourceName = path
        let publisher = try Publisher(
            channel: command.channelName,
            streams: ["main": file.layout],
            slots: command.slots,
            options: options
        )
        // Ends the run at once, also while a reader holds it up.
        stop.whenStopped {
            file.stop()
            publisher.close()
        }
        if let seconds = command.seconds { try stop.after(seconds) { file.stop() } }
        let report = PublishReport(command: command, terminal: terminal)
        report.started(publisher, notes: file.notes)
        defer {
            let statistics = publisher.statistics
            publisher.close()
            report.ended(statistics)
        }
        do {
            try file.run(on: publisher) { event in report.happened(event.kind, "\(event)") }
        } catch {
            publisher.fail("\(error)")
            throw error
        }
        #else
        throw VideoFileError.notInThisBuild
        #endif
    }

    // MARK: the pattern

    private func publishPattern() throws {
        let pattern = try TestPattern(
            framesPerSecond: command.rate ?? 30,
            frameCount: command.frames.map(UInt64.init),
            onDemand: command.demand
        )
        var options = command.publisherOptions(passed)
        let rate = pattern.framesPerSecond
        options.sourceName = rate > 0 ? "pattern at \(Quantities.fixed(rate, 0)) fps" : "pattern as fast as can be"
        let publisher = try Publisher(
            channel: command.channelName,
            streams: try patternStreams(),
            slots: command.slots,
            options: options
        )
        // Ends the run at once, also while a reader holds it up.
        stop.whenStopped {
            pattern.stop()
            publisher.close()
        }
        if let seconds = command.seconds { try stop.after(seconds) { pattern.stop() } }
        let report = PublishReport(command: command, terminal: terminal)
        report.started(publisher, notes: [])
        try pattern.run(on: publisher)
        let statistics = publisher.statistics
        publisher.close()
        report.ended(statistics)
    }

    private func patternStreams() throws -> [Stream] {
        let format = try command.format?.known() ?? .yuv420
        let main = command.size ?? ImageSize(width: 1280, height: 720)
        return try ([StreamArgument(name: "main", size: main, format: format)] + command.stream).map {
            Stream(name: $0.name, layout: try Self.layout($0.size, $0.format ?? format))
        }
    }

    private static func layout(_ size: ImageSize, _ format: PixelFormat) throws -> ImageLayout {
        guard PatternPainter.isSupported(format) else { throw PatternError.unsupportedFormat(format) }
        if format.isCompressed {
            // More than a compressed pattern ever takes.
            return try .opaque(
                width: size.width,
                height: size.height,
                format: format,
                capacity: size.width * size.height * 2 + 65536
            )
        }
        return try .computed(width: size.width, height: size.height, format: format)
    }
}
