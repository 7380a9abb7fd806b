public import FrameShare
internal import Glibc
internal import Synchronization

/// Publishes a camera's frames, all streams of a request together with its metadata, in the camera's own buffers: ties a
/// ``LibcameraCamera`` to a `Publisher`.
///
/// ```swift
/// let capture = try LibcameraCapture(channel: "camera0", system: LibcameraSystem())
/// let stop = try StopSignal()
/// try capture.run(until: stop)                          // on a thread of its own: it blocks
/// ```
///
/// A request goes back to the camera as soon as no subscriber holds its frame. Missing frames are counted where they were
/// lost: by the camera, or for want of a free slot. Errors that may pass are borne as ``V4L2Capture`` does: requests that
/// are cancelled or can't be queued, a camera that gives no frame for ``Options/frameTimeout``. ``reconfigure(_:)`` begins a new generation of the channel.
public final class LibcameraCapture: Sendable {
    /// How to capture.
    public struct Options: Sendable {
        /// How the channel is offered. `sourceNeed` is raised to what a camera needs, `sourceName` set if it is empty. A camera
        /// waits for nobody, so `stallLimit` does not count.
        public var publisher = Publisher.Options()
        /// How many frames to publish before ``LibcameraCapture/run(until:)`` returns; nil: no limit.
        public var frameLimit: UInt64?
        /// The longest time without a frame; nil: for ever. Then the trouble is told, and the camera is stopped and started
        /// again, more and more seldom, until frames come.
        public var frameTimeout: Duration? = .seconds(5)
        /// How many times in succession the camera is started again after errors before ``LibcameraCapture/run(until:)``
        /// throws the last of them; nil: without limit. A camera that has never given a frame is started again at most
        /// twice. Silence (``frameTimeout``) has no limit.
        public var restartLimit: Int? = 5
        /// Captures only while somebody subscribes, if set. Then the channel stays when the camera fails: those who wait are
        /// told why, and it is tried again. ``restartLimit`` does not count.
        public var onDemand: OnDemand?
        /// Makes what is published beside libcamera's own metadata. Called on the capturing thread.
        public var metadata: (@Sendable (LibcameraFrame, LibcameraCamera) -> Metadata)?
        /// Is told what happens, on the capturing thread.
        public var onEvent: (@Sendable (LibcameraCaptureEvent) -> Void)?

        public init() {}
    }

    /// What a camera must have queued to lose no frame: one that is being filled, and one to come.
    private static let requestsNeeded = 2

    let options: Options
    let system: LibcameraSystem
    private let current: Mutex<Current>
    /// Raised by ``reconfigure(_:)``.
    let attention: StopSignal
    /// What offers the channel.
    public let publisher: Publisher

    private struct Current {
        var camera: LibcameraCamera
        var wanted: LibcameraConfiguration?
        var isRunning = false
        /// On demand: nobody wants frames, and the camera is let go.
        var isAsleep = false
        /// Added to the camera's frame count, which begins anew with each start.
        var sequenceBase: UInt64 = 0
        var published: UInt64 = 0
        /// Controls that were set since the start, each once.
        var live: [ControlSetting] = []
    }

    /// Takes a camera, sets it up, and offers the channel. Frames come with ``run(until:)``.
    /// - Parameter id: libcamera's id; nil: its first
    public init(
        channel: String,
        system: LibcameraSystem,
        camera id: String? = nil,
        configuration: LibcameraConfiguration = LibcameraConfiguration(),
        options: Options = Options()
    ) throws(LibcameraCaptureError) {
        self.options = options
        self.system = system
        let camera: LibcameraCamera
        do throws(LibcameraError) {
            camera = try LibcameraCamera(system: system, id: id, configuration: configuration)
        } catch {
            throw .camera(error)
        }
        var settings = options.publisher
        settings.stallLimit = .zero
        settings.sourceNeed = min(max(settings.sourceNeed, Self.requestsNeeded), camera.buffers.count)
        if settings.sourceName.isEmpty {
            settings.sourceName = "\(system.info(of: camera.id)?.model ?? "camera") (libcamera \(camera.id))"
        }
        do throws(ChannelError) {
            attention = try StopSignal()
            publisher = try Publisher(channel: channel, pool: camera.pool(), options: settings)
        } catch {
            throw .channel(error)
        }
        current = Mutex(Current(camera: camera))
        do throws(ChannelError) {
            try publisher.offerControls(of: self)
        } catch {
            throw .channel(error)
        }
    }

    /// The camera as it is set up now. Its controls may be set at any time.
    public var camera: LibcameraCamera { current.withLock { $0.camera } }

    /// Controls that are to stay as they are through reconfigurations.
    var liveControls: [ControlSetting] { current.withLock { $0.live } }

    func keep(_ setting: ControlSetting) {
        current.withLock { current in
            current.live.removeAll { $0.name == setting.name }
            current.live.append(setting)
        }
    }

    /// Sets the camera up anew: another size, format or mode. ``run(until:)`` stops the camera and goes on with a new
    /// generation of the channel; what subscribers hold of the old buffers stays valid. If the camera can't do it, it goes on
    /// as before and ``LibcameraCaptureEvent/refused(_:)`` tells why.
    ///
    /// Returns at once. From any thread.
    public func reconfigure(_ configuration: LibcameraConfiguration) {
        current.withLock { $0.wanted = configuration }
        attention.stop()
    }

    /// Captures until `stop` is raised; then the channel is closed and the camera let go. Blocks the thread.
    /// - Throws: what ended the capture. Subscribers get the same text, as `ChannelError.sourceFailed`.
    public func run(until stop: StopSignal) throws(LibcameraCaptureError) {
        let mayRun = current.withLock { current in
            defer { current.isRunning = true }
            return !current.isRunning
        }
        guard mayRun else { throw .hasRun(channel: publisher.channel) }
        defer { camera.close() }
        do throws(LibcameraCaptureError) {
            if let onDemand = options.onDemand {
                try captureOnDemand(onDemand, until: stop)
            } else {
                try capture(until: stop)
            }
            publisher.close()
        } catch {
            publisher.fail(error.description)
            throw error
        }
    }

    /// Captures, through all reconfigurations, until `stop` is raised.
    private func capture(until stop: StopSignal) throws(LibcameraCaptureError) {
        var everyone: DemandGate?
        while true {
            let camera = camera
            if try run(camera, &everyone, until: stop) == .stopped { return }
            try renew(camera)
        }
    }

    /// Captures from a camera until something ends it, and books what came.
    /// - Parameter gate: on demand: who wants frames
    private func run(
        _ camera: LibcameraCamera,
        _ gate: inout DemandGate?,
        until stop: StopSignal
    ) throws(LibcameraCaptureError) -> CaptureLoop<LibcameraCamera>.End {
        let now = current.withLock { $0 }
        var loop = CaptureLoop(
            camera: camera,
            publisher: publisher,
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
        do throws(CaptureLoop<LibcameraCamera>.Failure) {
            return try loop.run()
        } catch {
            switch error {
            case .camera(let error): throw .camera(error)
            case .channel(let error): throw .channel(error)
            }
        }
    }

    private func loopOptions(
        _ camera: LibcameraCamera,
        _ framesLeft: UInt64?
    ) -> CaptureLoop<LibcameraCamera>.Options {
        let options = options
        return CaptureLoop<LibcameraCamera>.Options(
            framesLeft: framesLeft,
            frameTimeout: options.frameTimeout,
            restartLimit: options.restartLimit,
            metadata: { frame in
                var entries = camera.metadata(of: frame)
                if let more = options.metadata?(frame, camera) {
                    for entry in more { entries[entry.key] = entry.value }
                }
                return entries
            },
            onStreaming: { options.onEvent?(.streaming(camera.id, camera.setup)) },
            onTrouble: { options.onEvent?(.troubled($0)) },
            onRecovery: { options.onEvent?(.recovered) }
        )
    }

    // MARK: on demand

    /// Whether the camera is let go while nobody wants its frames.
    var isAsleep: Bool { current.withLock(\.isAsleep) }

    /// Lets the camera go, so that it can power down.
    func sleep() {
        let camera = current.withLock { current in
            current.isAsleep = true
            return current.camera
        }
        camera.close()
    }

    /// Takes the camera again, set up as wanted, else as before, and begins a generation with its new buffers.
    func wakeUp() throws(LibcameraCaptureError) {
        try renew(camera)
        current.withLock { $0.isAsleep = false }
    }

    /// Captures from the camera that was taken, until it is no longer wanted or something ends it.
    func run(
        _ gate: inout DemandGate,
        until stop: StopSignal
    ) throws(LibcameraCaptureError) -> CaptureLoop<LibcameraCamera>.End {
        var wanted: DemandGate? = gate
        defer { if let wanted { gate = wanted } }
        return try run(camera, &wanted, until: stop)
    }

    /// Sets the camera up as wanted, else as before, and begins a generation with its new buffers.
    private func renew(_ old: LibcameraCamera) throws(LibcameraCaptureError) {
        let wanted = current.withLock { current in
            defer { current.wanted = nil }
            return current.wanted
        }
        // A camera is one program's, and one object's.
        old.close()
        let camera: LibcameraCamera
        do throws(LibcameraError) {
            camera = try reopened(old, wanted ?? old.configuration)
        } catch {
            throw .camera(error)
        }
        current.withLock { $0.camera = camera }
        do throws(ChannelError) {
            try publisher.reconfigure(pool: camera.pool())
        } catch {
            throw .channel(error)
        }
    }

    private func reopened(
        _ old: LibcameraCamera,
        _ wanted: LibcameraConfiguration
    ) throws(LibcameraError) -> LibcameraCamera {
        let live = liveControls
        do throws(LibcameraError) {
            return try LibcameraCamera(system: system, id: old.id, configuration: wanted.setting(live))
        } catch {
            options.onEvent?(.refused(error))
            return try LibcameraCamera(system: system, id: old.id, configuration: old.configuration.setting(live))
        }
    }
}

/// What a ``LibcameraCapture`` tells of itself.
public enum LibcameraCaptureEvent: Sendable {
    /// Capturing has begun, with a new set-up.
    case streaming(String, LibcameraSetup)
    /// Something failed that may pass, or the camera has given no frame for too long. The capture goes on. It is told once,
    /// until ``recovered``.
    case troubled(LibcameraError)
    /// Frames come again.
    case recovered
    /// The camera couldn't be set up as ``LibcameraCapture/reconfigure(_:)`` wanted; it goes on as before.
    case refused(LibcameraError)
}

/// Why a capture ended.
public enum LibcameraCaptureError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The camera failed.
    case camera(LibcameraError)
    /// The channel failed, or was closed through its publisher.
    case channel(ChannelError)
    /// A capture runs once; make another.
    case hasRun(channel: String)

    public var description: String {
        switch self {
        case .camera(let error): "\(error)"
        case .channel(let error): "\(error)"
        case .hasRun(let channel): "the capture of channel '\(channel)' runs already, or has ended; make another"
        }
    }
}
