public import FrameMemory
public import FrameShare
internal import Glibc
internal import LibcameraShim
internal import PixelFormats
internal import Synchronization
internal import SystemPackage

/// A camera of libcamera's that has been set up: its buffers, filled request by request.
///
/// ```swift
/// let camera = try LibcameraCamera(system: LibcameraSystem(), configuration: .init())
/// try camera.start()
/// for slot in camera.buffers.indices { try camera.queue(slot) }
/// while let frame = try camera.nextFrame(timeout: .seconds(5)) {
///     use(camera.buffers[frame.slot], camera.metadata(of: frame))
///     try camera.queue(frame.slot)
/// }
/// ```
///
/// libcamera runs its own threads in this process, and may abort it: 0.3 does when a camera is unplugged and no udevd
/// tells it. So a camera belongs into a publisher's process, never into its readers'. All calls may come from any thread;
/// one at a time gets through.
public final class LibcameraCamera: Sendable {
    public let id: String
    /// What was asked.
    public let configuration: LibcameraConfiguration
    /// What libcamera made of it.
    public let setup: LibcameraSetup
    /// The memory: by slot, then by stream, then by buffer (see `PlaneLayout.buffer`).
    public let buffers: [[[FrameBuffer]]]
    private let system: LibcameraSystem
    /// For how many frames a number that was left out may still come: uvcvideo now and then completes two in the wrong order.
    private let patience: Int
    /// The most requests that libcamera is given at a time.
    private let limit: Int
    private let state: Mutex<State>

    private struct State: ~Copyable {
        // Used under the lock alone.
        nonisolated(unsafe) var camera: OpaquePointer?
        var counter = SequenceCounter()
        var queued = 0
        /// By slot: whether libcamera has its request.
        var isQueued: [Bool]
        /// Slots that wait for their turn.
        var waiting: [Int] = []
        var hasStarved = false
    }

    /// Takes a camera, sets it up and makes its buffers.
    /// - Parameter id: libcamera's; nil: its first camera
    /// - Throws: whatever the camera does not do.
    public init(
        system: LibcameraSystem,
        id: String? = nil,
        configuration: LibcameraConfiguration = LibcameraConfiguration()
    ) throws(LibcameraError) {
        let streams = configuration.streams
        guard (1...FS_LC_MAX_STREAMS).contains(streams.count) else {
            throw .badStreams("a camera gives one to four streams, not \(streams.count)")
        }
        guard Set(streams.map(\.name)).count == streams.count else {
            throw .badStreams("two streams have one name: \(streams.map(\.name).joined(separator: ", "))")
        }
        let known = system.cameraIDs
        guard let id = id ?? known.first else { throw .noCamera }
        guard known.contains(id) else { throw .noSuchCamera(id: id, known: known) }
        let handle = try LibcameraHandle(system: system, id: id)
        let configured = try handle.configure(configuration)
        try handle.set(configuration.controls, known: { system.info(of: id)?.controls.map(\.name) ?? [] })
        let pool =
            switch configuration.memory {
            case .driver: try handle.exported(streams, configured.streams)
            case .imported(let preference):
                try handle.imported(streams, configured.streams, slots: configuration.slots, preference)
            }
        let (layouts, buffers) = (pool.layouts, pool.slots)
        guard buffers.count >= 2 else { throw .tooFewBuffers(id: id, given: buffers.count) }
        let slots = buffers.count
        var adjustments = configured.adjustments
        if slots != configuration.slots {
            adjustments.append(
                LibcameraAdjustment(
                    stream: streams[0].name,
                    what: "slots",
                    asked: "\(configuration.slots)",
                    given: "\(slots)"
                )
            )
        }
        if configuration.exact, !adjustments.isEmpty { throw .adjusted(id: id, adjustments) }
        var notes: [String] = []
        if buffers.contains(where: { $0.joined().contains { $0.writeProtection == .none } }) {
            notes.append("libcamera exports its buffers writable: readers could write to them")
        }
        self.id = id
        self.configuration = configuration
        self.system = system
        self.buffers = buffers
        // 2: an external camera, which is a USB camera.
        patience = system.info(of: id)?.properties["Location"]?.integer == 2 ? 2 : 0
        setup = LibcameraSetup(layouts: layouts, slots: slots, adjustments: adjustments, notes: notes)
        // A pipeline is prepared for so many requests at a time.
        limit = configuration.memory == .driver ? slots : Int(configured.streams.map(\.buffers).min() ?? 1)
        state = Mutex(State(camera: handle.take(), isQueued: Array(repeating: false, count: slots)))
    }

    deinit { close() }

    /// Stops the camera and lets go of it. Buffers that were handed out stay valid for those who hold them.
    public func close() {
        state.withLock { state in
            fs_lc_close(state.camera)
            state.camera = nil
        }
    }

    private func withCamera<T>(
        _ body: (OpaquePointer, inout State) throws(LibcameraError) -> T
    ) throws(LibcameraError) -> T {
        let result: Result<T, LibcameraError> = state.withLock { state in
            guard let camera = state.camera else { return .failure(.unplugged(id: id)) }
            do throws(LibcameraError) {
                return .success(try body(camera, &state))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    // MARK: frames

    /// Starts capturing. Queue slots before or after.
    public func start() throws(LibcameraError) {
        try withCamera { camera, state throws(LibcameraError) in
            try LibcameraHandle.check(id) { fs_lc_start(camera, $0) }
            state.counter = SequenceCounter(patience: patience)
            (state.queued, state.hasStarved, state.waiting) = (0, false, [])
            for slot in state.isQueued.indices { state.isQueued[slot] = false }
        }
    }

    /// Stops capturing.
    ///
    /// - Returns: the slots that were queued and are the program's again, filled or not
    func stopAndTakeBack() -> [Int] {
        state.withLock { state in
            if let camera = state.camera { fs_lc_stop(camera) }
            let slots = state.isQueued.indices.filter { state.isQueued[$0] } + state.waiting
            (state.queued, state.waiting) = (0, [])
            for slot in state.isQueued.indices { state.isQueued[slot] = false }
            return slots
        }
    }

    /// Stops capturing; what is queued is the program's again.
    public func stop() { state.withLock { if let camera = $0.camera { fs_lc_stop(camera) } } }

    /// Queues a request with the slot's buffers of all streams, after ``start()``.
    public func queue(_ slot: Int) throws(LibcameraError) {
        try withCamera { camera, state throws(LibcameraError) in
            guard state.queued < limit else { return state.waiting.append(slot) }
            try queue(slot, camera, &state)
        }
    }

    private func queue(_ slot: Int, _ camera: OpaquePointer, _ state: inout State) throws(LibcameraError) {
        try LibcameraHandle.check(id) { fs_lc_queue(camera, UInt32(clamping: slot), $0) }
        state.queued += 1
        state.isQueued[slot] = true
    }

    /// Readable when a frame has completed, or the camera has gone. The camera's own: don't close it.
    public var descriptor: Int32 { state.withLock { $0.camera.map { fs_lc_descriptor($0) } ?? -1 } }

    /// How many requests libcamera has.
    public var queuedCount: Int { state.withLock { $0.queued } }

    /// A completed frame, nil if there is none yet.
    /// - Throws: `unplugged`, `call`.
    public func dequeue() throws(LibcameraError) -> LibcameraFrame? {
        try withCamera { camera, state throws(LibcameraError) in
            var raw = fs_lc_frame()
            let result = fs_lc_next(camera, &raw)
            guard result >= 0 else {
                throw -result == ENODEV
                    ? .unplugged(id: id) : .call("a frame can't be taken", id: id, Errno(rawValue: -result))
            }
            guard result == 1 else { return nil }
            // What was stopped is no longer counted.
            if state.isQueued.indices.contains(Int(raw.slot)), state.isQueued[Int(raw.slot)] {
                state.isQueued[Int(raw.slot)] = false
                state.queued -= 1
            }
            if raw.status == 0, !state.waiting.isEmpty { try queue(state.waiting.removeFirst(), camera, &state) }
            guard raw.status == 0 else {
                return LibcameraFrame(raw, SequenceCounter.Frame(sequence: 0), layouts: setup.layouts)
            }
            let count = state.counter.next(raw.sequence, starved: state.hasStarved)
            state.hasStarved = state.queued == 0
            return LibcameraFrame(raw, count, layouts: setup.layouts)
        }
    }

    /// Waits for a frame and takes it. Blocks the thread.
    /// - Returns: nil when `timeout` has passed.
    public func nextFrame(timeout: Duration? = nil) throws(LibcameraError) -> LibcameraFrame? {
        let deadline = timeout.map { ContinuousClock.now + $0 }
        while true {
            if let frame = try dequeue() { return frame }
            let left = deadline.map { $0 - .now }
            if let left, left <= .zero { return nil }
            var wait = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
            PollSet.wait(&wait, timeout: left)
        }
    }

    /// What libcamera says of a frame, by its own names, until its slot is queued again.
    public func metadata(of frame: LibcameraFrame) -> Metadata {
        state.withLock { state in
            guard let camera = state.camera else { return Metadata() }
            return LibcameraValues.collect { body, context in
                fs_lc_metadata(camera, UInt32(frame.slot), body, context)
                return 0
            } ?? Metadata()
        }
    }

    /// Sets a control by libcamera's name, from text ("8000", "true", "1.5,2.0"), with the next request that is queued.
    /// - Throws: `noSuchControl`, `badControlValue`.
    public func set(_ name: String, to value: String) throws(LibcameraError) {
        let system = system
        let id = id
        try withCamera { camera, _ throws(LibcameraError) in
            try LibcameraHandle.set(name, value, on: camera, id: id) { system.info(of: id)?.controls.map(\.name) ?? [] }
        }
    }

    /// The camera's buffers as a pool: slots and requests have the same numbers.
    public func pool() throws(ChannelError) -> FramePool {
        try FramePool(
            streams: zip(configuration.streams, setup.layouts).map { Stream(name: $0.name, layout: $1) },
            slots: buffers
        )
    }
}
