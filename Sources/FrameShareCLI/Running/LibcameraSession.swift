import FrameCommand
import FrameShare
import FrameSources
import Glibc

/// `frameshare publish` of a camera of libcamera's: its own buffers, all streams, until something ends it.
struct LibcameraSession {
    let command: Publish
    let id: String?
    let stop: StopRequest
    let passed: PassedSocket?
    private let report: PublishReport
    private let signal: StopSignal

    init(command: Publish, id: String?, stop: StopRequest, passed: PassedSocket?) throws {
        self.passed = passed
        self.command = command
        self.id = id
        self.stop = stop
        report = PublishReport(command: command, terminal: .output)
        let signal = try StopSignal()
        self.signal = signal
        stop.whenStopped { signal.stop() }
    }

    func run() throws {
        // libcamera tells on standard error what it does; only what is amiss is of interest here. Who wants more sets it.
        setenv("LIBCAMERA_LOG_LEVELS", "*:WARN", 0)
        let system = try LibcameraSystem()
        let takesRate = rateIsTaken(by: system)
        let capture = try LibcameraCapture(
            channel: command.channelName,
            system: system,
            camera: id,
            configuration: configuration(withRate: takesRate),
            options: captureOptions
        )
        let setup = capture.camera.setup
        var notes = setup.adjustments.map { "not as asked: \($0)" } + setup.notes
        if command.rate != nil, !takesRate { notes.append("not as asked: this camera's rate can't be set") }
        report.started(capture.publisher, notes: notes)
        if let seconds = command.seconds { try stop.after(seconds) { [signal] in signal.stop() } }
        do {
            try capture.run(until: signal)
        } catch {
            report.ended(capture.publisher.statistics)
            throw error
        }
        report.ended(capture.publisher.statistics)
    }

    /// Whether the camera has libcamera's control for it, which USB cameras have not.
    private func rateIsTaken(by system: LibcameraSystem) -> Bool {
        guard let camera = id ?? system.cameraIDs.first else { return false }
        return system.info(of: camera)?.controls.contains { $0.name == "FrameDurationLimits" } ?? false
    }

    private func configuration(withRate takesRate: Bool) -> LibcameraConfiguration {
        let size = command.main?.size ?? command.size
        var streams = [
            LibcameraConfiguration.StreamRequest(
                "main",
                .video,
                width: size?.width,
                height: size?.height,
                format: command.main?.format ?? command.format?.format
            )
        ]
        if let lores = command.lores {
            streams.append(
                .init("lores", .viewfinder, width: lores.size.width, height: lores.size.height, format: lores.format)
            )
        }
        if command.raw { streams.append(.init("raw", .raw)) }
        var configuration = LibcameraConfiguration(streams: streams, slots: command.slots)
        if case .pool(let preference)? = command.memory { configuration.memory = .imported(preference) }
        configuration.controls = command.control.map { ControlSetting($0.name, $0.value) }
        if takesRate, let rate = command.rate, rate > 0 {
            let period = Int64(clamping: min(1e6 / rate, 1e15))
            configuration.controls.append(ControlSetting("FrameDurationLimits", "\(period),\(period)"))
        }
        return configuration
    }

    private var captureOptions: LibcameraCapture.Options {
        var options = LibcameraCapture.Options()
        options.publisher = command.publisherOptions(passed)
        options.frameTimeout = (command.frameTimeout ?? Publish.defaultFrameTimeout).duration
        options.onDemand = command.demand
        options.frameLimit = command.frames.map(UInt64.init)
        if command.checksum {
            let checksum = CameraChecksum()
            options.metadata = { checksum.metadata($0, $1) }
        }
        options.onEvent = { [report] event in
            switch event {
            case .streaming(_, let setup):
                let streams = setup.layouts.map { "\($0)" }.joined(separator: "; ")
                report.happened("streaming", "streaming \(streams)")
            case .troubled(let error): report.happened("trouble", "\(error). It is tried again")
            case .recovered: report.happened("recovered", "frames come again")
            case .refused(let error): report.happened("refused", "\(error)")
            }
        }
        return options
    }
}
