public import FrameShare
internal import Synchronization

/// Publishes a camera's frames in the camera's own buffers: ties a ``V4L2Camera`` to a `Publisher`.
///
/// ```swift
/// let capture = try V4L2Capture(channel: "camera0", device: "/dev/video0", configuration: .init(format: .yuyv))
/// let stop = try StopSignal()
/// try capture.run(until: stop)                          // on a thread of its own: it blocks
/// ```
///
/// The loop sleeps in one `poll(2)` on the camera, on released slots and on the stop signal. A frame's buffer goes back to
/// the driver as soon as no subscriber holds it. Missing frames are counted where they were lost: by the camera, or for
/// want of a free slot.
///
/// Errors that may pass are borne: a buffer that can't be dequeued or queued once costs a frame, a stream that has failed is
/// restarted, and so is one whose camera gives no frame for ``Options/frameTimeout``. The next frame has
/// `FrameFlags.discontinuity`; meanwhile `ChannelStatistics.sourceTrouble` says what is amiss.
///
/// A change of the source's resolution, or ``reconfigure(_:)``, begins a new generation of the channel. When the camera
/// is unplugged the channel ends with the reason; with ``Options/returnsAfterUnplug`` it is offered again once the camera
/// is back at the same place of the bus.
public final class V4L2Capture: Sendable {
    /// How to capture.
    public struct Options: Sendable {
        /// The name of the camera's stream.
        public var stream = "main"
        /// How the channel is offered. `sourceNeed` is raised to what the driver needs, `sourceName` set if it is empty.
        /// A camera waits for nobody, so `stallLimit` does not count.
        public var publisher = Publisher.Options()
        /// Whether to wait for an unplugged camera and go on with it.
        public var returnsAfterUnplug = false
        /// How many frames to publish before ``V4L2Capture/run(until:)`` returns; nil: no limit.
        public var frameLimit: UInt64?
        /// The longest time without a frame, or three times the camera's own interval if that is longer; nil: for ever.
        /// Then the trouble is told, and the stream is restarted, more and more seldom, until frames come. An HDMI input
        /// gives none without a signal, a triggered camera none without a trigger.
        public var frameTimeout: Duration? = .seconds(5)
        /// How many times in succession the stream is restarted after errors before ``V4L2Capture/run(until:)`` throws the
        /// last of them; nil: without limit, as with ``returnsAfterUnplug``. A camera that has never given a frame is
        /// restarted at most twice. Silence (``frameTimeout``) has no limit.
        public var restartLimit: Int? = 5
        /// Streams only while somebody subscribes, if set. Then the channel stays when the camera fails or is unplugged:
        /// those who wait are told why, and it is tried again. ``returnsAfterUnplug`` and ``restartLimit`` don't count.
        public var onDemand: OnDemand?
        /// Makes what is published beside a frame's pixels. Called on the capturing thread, after the frame came from the
        /// driver and before anyone else has it; what it takes in time is taken from the capture.
        public var metadata: (@Sendable (V4L2Frame, V4L2Camera) -> Metadata)?
        /// Is told what happens, on the capturing thread.
        public var onEvent: (@Sendable (V4L2CaptureEvent) -> Void)?

        public init() {}
    }

    private let channel: String
    let options: Options
    private let current: Mutex<Current>
    /// Raised by ``reconfigure(_:)``.
    let attention: StopSignal

    private struct Current {
        /// Nil while it is unplugged: an open file would keep its device alive in the kernel.
        var camera: V4L2Camera?
        var publisher: Publisher
        var wanted: V4L2CameraConfiguration?
        var isRunning = false
        /// What the camera was set up with last.
        var configuration: V4L2CameraConfiguration
        /// Added to the driver's frame count, which begins at 0 with each start.
        var sequenceBase: UInt64 = 0
        /// Frames published up to the last new set-up.
        var published: UInt64 = 0
        /// The device's file while the camera sleeps.
        var sleepingPath: String?
        /// Controls that were set since the start, each once, by their keys.
        var live: [V4L2ControlSetting] = []
    }

    /// Opens and sets up the camera, and offers the channel. Frames come with ``run(until:)``.
    public convenience init(
        channel: String,
        device path: String,
        configuration: V4L2CameraConfiguration = V4L2CameraConfiguration(),
        options: Options = Options()
    ) throws(V4L2CaptureError) {
        let camera: V4L2Camera
        do throws(V4L2Error) {
            camera = try Self.setUp(configuration) { () throws(V4L2Error) in try V4L2Device(path: path) }
        } catch {
            throw .camera(error)
        }
        try self.init(channel: channel, camera: camera, options: options)
    }

    /// Offers a channel for a camera that is set up and not streaming. Frames come with ``run(until:)``.
    public init(channel: String, camera: V4L2Camera, options: Options = Options()) throws(V4L2CaptureError) {
        self.channel = channel
        self.options = options
        do throws(ChannelError) {
            attention = try StopSignal()
        } catch {
            throw .channel(error)
        }
        let publisher = try Self.publisher(channel, camera, options)
        current = Mutex(Current(camera: camera, publisher: publisher, configuration: camera.configuration))
        try offerControls(by: publisher)
    }

    /// Sets a device up. An error that may pass is given two more chances.
    static func setUp(
        _ configuration: V4L2CameraConfiguration,
        _ device: () throws(V4L2Error) -> V4L2Device
    ) throws(V4L2Error) -> V4L2Camera {
        var chances = 2
        while true {
            do throws(V4L2Error) {
                return try V4L2Camera(device: device(), configuration: configuration)
            } catch {
                guard error.mayPass, chances > 0 else { throw error }
                chances -= 1
            }
        }
    }

    private static func publisher(
        _ channel: String,
        _ camera: V4L2Camera,
        _ options: Options
    ) throws(V4L2CaptureError) -> Publisher {
        var settings = options.publisher
        settings.sourceNeed = max(settings.sourceNeed, camera.setup.buffersNeeded)
        settings.stallLimit = .zero
        if settings.sourceName.isEmpty { settings.sourceName = "\(camera.device.info.card) (\(camera.device.path))" }
        do throws(ChannelError) {
            return try Publisher(channel: channel, pool: camera.pool(stream: options.stream), options: settings)
        } catch {
            throw .channel(error)
        }
    }

    private func offerControls(by publisher: Publisher) throws(V4L2CaptureError) {
        do throws(ChannelError) {
            try publisher.offerControls(of: self)
        } catch {
            throw .channel(error)
        }
    }

    /// Has a control set anew whenever the camera is set up anew.
    func keep(_ setting: V4L2ControlSetting) {
        current.withLock { current in
            current.live.removeAll { $0.name == setting.name }
            current.live.append(setting)
        }
    }

    /// The camera as it is set up now, nil while it is unplugged. Its controls may be set at any time.
    public var camera: V4L2Camera? { current.withLock { $0.camera } }

    /// What offers the channel. Another one after the camera was unplugged and came back.
    public var publisher: Publisher { current.withLock { $0.publisher } }

    /// Sets the camera up anew: ``run(until:)`` stops streaming and goes on with a new generation of the channel. If the
    /// camera can't do it, it goes on as before and ``V4L2CaptureEvent/refused(_:)`` tells why.
    ///
    /// Returns at once. From any thread.
    public func reconfigure(_ configuration: V4L2CameraConfiguration) {
        current.withLock { $0.wanted = configuration }
        attention.stop()
    }

    /// Streams until `stop` is raised; then the channel is closed and the camera released. Blocks the thread.
    ///
    /// - Throws: what ended the capture. Subscribers get the same text, as `ChannelError.sourceFailed`.
    public func run(until stop: StopSignal) throws(V4L2CaptureError) {
        let mayRun = current.withLock { current in
            defer { current.isRunning = true }
            return !current.isRunning && current.camera != nil
        }
        guard mayRun else { throw .hasRun(channel: channel) }
        while true {
            do throws(V4L2CaptureError) {
                if let onDemand = options.onDemand {
                    try streamOnDemand(onDemand, until: stop)
                } else {
                    try stream(until: stop)
                }
                publisher.close()
                dropCamera()
                return
            } catch {
                publisher.fail(error.description)
                let info = camera?.device.info
                dropCamera()
                guard options.returnsAfterUnplug, case .camera(let failure) = error, failure.isUnplugged, let info
                else {
                    throw error
                }
                options.onEvent?(.unplugged(info))
                guard try comeBack(info, stop) else { return }
            }
        }
    }

    /// Streams, through all reconfigurations, until `stop` is raised.
    private func stream(until stop: StopSignal) throws(V4L2CaptureError) {
        var everyone: DemandGate?
        while let camera {
            do throws(V4L2CaptureError) {
                if try run(camera, &everyone, until: stop) == .stopped { return }
            } catch {
                guard case .camera(.sourceChanged) = error else { throw error }
            }
            try renew(camera)
        }
    }

    /// Captures from a camera until something ends it, and books what came.
    /// - Parameter gate: on demand: who wants frames
    private func run(
        _ camera: V4L2Camera,
        _ gate: inout DemandGate?,
        until stop: StopSignal
    ) throws(V4L2CaptureError) -> CaptureLoop<V4L2Camera>.End {
        let now = current.withLock { $0 }
        var loop = CaptureLoop(
            camera: camera,
            publisher: now.publisher,
            sequenceBase: now.sequenceBase,
            stop: stop,
            attention: attention,
            options: loopOptions(camera, options.frameLimit.map { $0 - min($0, now.published) }),
            gate: gate
        )
        defer {
            gate = loop.gate
            let (next, published) = (loop.nextSequence, loop.published)
            current.withLock { current in
                current.sequenceBase = next
                current.published += published
            }
        }
        do throws(CaptureLoop<V4L2Camera>.Failure) {
            return try loop.run()
        } catch {
            switch error {
            case .camera(let error): throw .camera(error)
            case .channel(let error): throw .channel(error)
            }
        }
    }

    private func loopOptions(_ camera: V4L2Camera, _ framesLeft: UInt64?) -> CaptureLoop<V4L2Camera>.Options {
        let options = options
        // What is told with each frame of this set-up.
        let fixed = camera.setup.interval.map { Metadata(frameDuration: $0) } ?? Metadata()
        return CaptureLoop<V4L2Camera>.Options(
            framesLeft: framesLeft,
            frameTimeout: options.frameTimeout,
            restartLimit: options.returnsAfterUnplug ? nil : options.restartLimit,
            // Who waits for an unplugged camera waits for one that another program uses, too.
            bears: { options.returnsAfterUnplug && $0.isInTheWay },
            metadata: { frame in
                var metadata = fixed
                if let field = frame.field.name { metadata["Field"] = .string(field) }
                if let more = options.metadata?(frame, camera) {
                    for entry in more { metadata[entry.key] = entry.value }
                }
                return metadata
            },
            onStreaming: { options.onEvent?(.streaming(camera.device.info, camera.setup)) },
            onTrouble: { options.onEvent?(.troubled($0)) },
            onRecovery: { options.onEvent?(.recovered) }
        )
    }

    /// Sets the device up again, as wanted, and begins a generation with its new buffers.
    private func renew(_ old: V4L2Camera) throws(V4L2CaptureError) {
        let wanted = current.withLock { current in
            defer { current.wanted = nil }
            return current.wanted
        }
        let camera: V4L2Camera
        do throws(V4L2Error) {
            try old.release()
            camera = try reopened(old.device, wanted: wanted, before: old.configuration)
        } catch {
            throw .camera(error)
        }
        current.withLock { ($0.camera, $0.configuration) = (camera, camera.configuration) }
        do throws(ChannelError) {
            try publisher.reconfigure(pool: camera.pool(stream: options.stream))
        } catch {
            throw .channel(error)
        }
    }

    private func reopened(
        _ device: V4L2Device,
        wanted: V4L2CameraConfiguration?,
        before: V4L2CameraConfiguration
    ) throws(V4L2Error) -> V4L2Camera {
        let live = current.withLock { $0.live }
        func setUp(_ configuration: V4L2CameraConfiguration) throws(V4L2Error) -> V4L2Camera {
            try Self.setUp(configuration.setting(live)) { () throws(V4L2Error) in device }
        }
        guard let wanted else { return try setUp(before) }
        do throws(V4L2Error) {
            return try setUp(wanted)
        } catch {
            if error.isUnplugged { throw error }
            options.onEvent?(.refused(error))
            return try setUp(before)
        }
    }

    // MARK: on demand

    /// Lets the camera go, so that it can power down; its device's path is kept.
    func sleep() {
        current.withLock { current in
            if let camera = current.camera { current.sleepingPath = camera.device.path }
        }
        dropCamera()
    }

    /// The device's file while the camera sleeps.
    var sleepingPath: String? { current.withLock(\.sleepingPath) }

    /// How the camera is to be set up at its next start: as it is wanted, if at all, and as it was before.
    func configurationsToStart() -> (wanted: V4L2CameraConfiguration?, before: V4L2CameraConfiguration) {
        current.withLock { current in
            defer { current.wanted = nil }
            return (current.wanted?.setting(current.live), current.configuration.setting(current.live))
        }
    }

    func take(_ camera: V4L2Camera) {
        current.withLock { ($0.camera, $0.configuration, $0.sleepingPath) = (camera, camera.configuration, nil) }
    }

    /// Streams from the camera that was taken, until it is no longer wanted or something ends it.
    func run(
        _ gate: inout DemandGate,
        until stop: StopSignal
    ) throws(V4L2CaptureError) -> CaptureLoop<V4L2Camera>.End {
        guard let camera else { return .unwanted }
        var wanted: DemandGate? = gate
        defer { if let wanted { gate = wanted } }
        return try run(camera, &wanted, until: stop)
    }

    private func dropCamera() {
        let camera = current.withLock { current in
            defer { current.camera = nil }
            return current.camera
        }
        // The kernel frees what a device that is gone can't.
        try? camera?.release()
    }

    /// Waits for the camera, and offers the channel anew.
    ///
    /// - Returns: false if `stop` was raised first.
    private func comeBack(_ info: V4L2DeviceInfo, _ stop: StopSignal) throws(V4L2CaptureError) -> Bool {
        while !stop.wait(for: .milliseconds(250)) {
            guard let found = V4L2Device.find(sameAs: info) else { continue }
            let configuration = current.withLock { $0.configuration.setting($0.live) }
            let camera: V4L2Camera
            do throws(V4L2Error) {
                camera = try V4L2Camera(device: V4L2Device(path: found.path), configuration: configuration)
            } catch {
                // Its file may not have its permissions yet, or it may be gone again.
                switch error {
                case .notPermitted, .unplugged, .noSuchDevice, .busy: continue
                default:
                    if error.mayPass { continue }
                    throw .camera(error)
                }
            }
            let publisher = try Self.publisher(channel, camera, options)
            current.withLock { ($0.camera, $0.publisher) = (camera, publisher) }
            try offerControls(by: publisher)
            return true
        }
        return false
    }
}
