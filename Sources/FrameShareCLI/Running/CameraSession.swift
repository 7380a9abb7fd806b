import FrameCommand
import FrameShare
import FrameSources

/// `frameshare publish` of a V4L2 camera: its own buffers, until something ends it.
struct CameraSession {
    let command: Publish
    let device: String
    let stop: StopRequest
    let passed: PassedSocket?
    private let report: PublishReport
    private let signal: StopSignal

    init(command: Publish, device: String, stop: StopRequest, passed: PassedSocket?) throws {
        self.passed = passed
        self.command = command
        self.device = device
        self.stop = stop
        report = PublishReport(command: command, terminal: .output)
        let signal = try StopSignal()
        self.signal = signal
        stop.whenStopped { signal.stop() }
    }

    func run() throws {
        if let seconds = command.seconds { try stop.after(seconds) { [signal] in signal.stop() } }
        guard let capture = try openWhenThere() else {
            if stop.isStopped { return }
            throw CommandFailure("the camera \(device) did not come in the time that --seconds gives")
        }
        report.started(capture.publisher, notes: capture.camera.map { notes($0.setup) } ?? [])
        if let frames = command.frames { try stopAfter(UInt64(frames), of: capture) }
        do {
            try capture.run(until: signal)
        } catch {
            report.ended(capture.publisher.statistics)
            throw error
        }
        report.ended(capture.publisher.statistics)
    }

    /// Sets the camera up; with `--wait-for-camera`, as soon as it is plugged in.
    /// - Returns: nil when the command was stopped before that, or its time was over
    private func openWhenThere() throws -> V4L2Capture? {
        var hasTold = false
        while true {
            do {
                return try V4L2Capture(
                    channel: command.channelName,
                    device: device,
                    configuration: try configuration(),
                    options: captureOptions()
                )
            } catch V4L2CaptureError.camera(let error) where command.waitForCamera && Self.mayPass(error) {
                if !hasTold { report.happened("waiting", "\(error). Waiting for it") }
                hasTold = true
            }
            guard stop.sleep(nanoseconds: 300_000_000), !signal.isStopped else { return nil }
        }
    }

    /// Whether the camera may be there, and in order, in a while. Udev sets the permissions of a new device a moment after it appears.
    private static func mayPass(_ error: V4L2Error) -> Bool {
        switch error {
        case .noSuchDevice, .unplugged, .notPermitted, .busy: true
        case .cannotImport: false
        default: error.mayPass
        }
    }

    private func configuration() throws -> V4L2CameraConfiguration {
        var configuration = V4L2CameraConfiguration(
            size: command.size.map { V4L2Size(width: $0.width, height: $0.height) },
            framesPerSecond: command.rate,
            slots: command.slots,
            controls: command.control.map { V4L2ControlSetting($0.name, .text($0.value)) }
        )
        if let input = command.input {
            configuration.input = Int(input)
            if configuration.input == nil { configuration.inputName = input }
        }
        if let format = command.format { _ = configuration.setFormat(named: format.name) }
        if case .pool(let preference)? = command.memory { configuration.memory = .imported(preference) }
        return configuration
    }

    private func captureOptions() -> V4L2Capture.Options {
        var options = V4L2Capture.Options()
        options.publisher = command.publisherOptions(passed)
        options.returnsAfterUnplug = command.waitForCamera
        options.onDemand = command.demand
        options.frameTimeout = (command.frameTimeout ?? Publish.defaultFrameTimeout).duration
        if command.checksum {
            let (checksum, stream) = (CameraChecksum(), options.stream)
            options.metadata = { checksum.metadata($0, $1, stream: stream) }
        }
        options.onEvent = { [report] event in
            switch event {
            case .streaming(_, let setup):
                report.happened("streaming", "streaming \(setup.layout)")
            case .unplugged(let info):
                report.happened("unplugged", "the camera '\(info.card)' is gone. Waiting for it to come back")
            case .troubled(let error):
                report.happened("trouble", "\(error). It is tried again")
            case .recovered:
                report.happened("recovered", "frames come again")
            case .refused(let error):
                report.happened("refused", "\(error)")
            }
        }
        return options
    }

    /// What the driver gives otherwise than asked, and what else is worth knowing.
    private func notes(_ setup: V4L2CameraSetup) -> [String] {
        setup.adjustments.map { "not as asked: \($0)" } + setup.notes
    }

    /// The capture's loop sleeps in the kernel and takes no orders but to stop, so its count is looked at from outside: a
    /// few frames more than asked for may be published.
    private func stopAfter(_ frames: UInt64, of capture: V4L2Capture) throws {
        try stop.after(.zero) { [stop, signal] in
            while stop.sleep(nanoseconds: 5_000_000) {
                guard capture.publisher.statistics.published >= frames else { continue }
                return signal.stop()
            }
        }
    }
}
