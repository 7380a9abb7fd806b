internal import CLinuxMedia
public import FrameMemory
internal import Glibc
internal import PixelFormats
internal import Synchronization
internal import SystemPackage

/// A camera that has been set up: its buffers, which the driver fills and the program takes and gives back by number.
///
/// To change the size or format, ``release()`` it and make another of the same device. What others hold of the old
/// buffers stays valid.
///
/// ```swift
/// let camera = try V4L2Camera(device: V4L2Device(path: "/dev/video0"), configuration: .init(format: .yuyv))
/// try camera.start()                                   // queues all buffers
/// while let frame = try camera.nextFrame() {
///     use(camera.buffers[frame.buffer], camera.setup.layout)
///     try camera.queue(frame.buffer)
/// }
/// ```
///
/// All calls may come from any thread; one at a time gets through.
public final class V4L2Camera: Sendable {
    /// The device.
    public let device: V4L2Device

    /// What was asked.
    public let configuration: V4L2CameraConfiguration

    /// What the driver made of it.
    public let setup: V4L2CameraSetup

    /// The memory: by buffer number, then by V4L2's plane (see `PlaneLayout.buffer`).
    public let buffers: [[FrameBuffer]]

    private let state: Mutex<State>

    private struct State {
        var isStreaming = false
        var isReleased = false
        var isQueued: [Bool]
        var queuedCount = 0
        /// Whether the driver's queue has run empty since the last frame.
        var hasStarved = false
        var counter: SequenceCounter
        /// What `VIDIOC_QBUF` gets, by buffer.
        let forQueueing: [fs_v4l2_buffer]
        let forDequeueing: fs_v4l2_buffer
        /// By V4L2's plane.
        let dataOffsets: [Int]
        /// Whether the driver has said how many bytes a buffer holds, by V4L2's plane. Some drivers leave it 0 in
        /// multi-planar buffers, for all frames.
        var tellsLength: [Bool]
    }

    /// Sets the device up and allocates its buffers.
    ///
    /// - Throws: ``V4L2Error/busy(path:call:holders:)`` while another program has buffers of the device, and whatever
    ///   else the driver doesn't do.
    public init(device: V4L2Device, configuration: V4L2CameraConfiguration) throws(V4L2Error) {
        guard (1...32).contains(configuration.slots) else { throw .badBufferCount(configuration.slots) }
        var plan = try V4L2CameraPlan(device: device, configuration: configuration)
        // What a driver says of itself may be impossible: better known before memory is taken.
        _ = try plan.format.layout(path: device.path)
        let set: V4L2BufferSet
        let layout: ImageLayout
        do throws(V4L2Error) {
            set =
                switch configuration.memory {
                case .driver: try .exported(device, format: plan.format, count: configuration.slots)
                case .imported(let preference):
                    try .imported(device, format: plan.format, count: configuration.slots, from: preference)
                }
            plan.note("slots", asked: configuration.slots, given: set.buffers.count)
            if configuration.exact, !plan.adjustments.isEmpty {
                throw .adjusted(path: device.path, plan.adjustments)
            }
            try device.subscribeSourceChange()
            let offsets = try set.dataOffsets(device)
            for (plane, offset) in offsets.enumerated() where plan.format.planes.indices.contains(plane) {
                plan.format.planes[plane].dataOffset = offset
            }
            layout = try plan.format.layout(path: device.path)
        } catch {
            _ = try? device.requestBuffers(0, configuration.memory == .driver ? .mmap : .dmaBuf)
            throw error
        }
        self.device = device
        self.configuration = configuration
        buffers = set.buffers
        setup = V4L2CameraSetup(plan, set, layout)
        state = Mutex(
            State(
                isQueued: Array(repeating: false, count: set.buffers.count),
                counter: SequenceCounter(driver: device.info.driver),
                forQueueing: set.buffers.indices.map { set.flat($0, device) },
                forDequeueing: device.flatBuffer(set.memory, planes: plan.format.planes.count),
                dataOffsets: plan.format.planes.map(\.dataOffset),
                tellsLength: plan.format.planes.map { _ in !device.info.isMultiPlanar }
            )
        )
    }

    deinit {
        try? release()
    }

    /// The buffers that the driver has.
    var queuedBuffers: [Int] { state.withLock { state in state.isQueued.indices.filter { state.isQueued[$0] } } }

    /// Finds the buffers that the driver no longer has, though it did not give them back: with an error, `VIDIOC_DQBUF` may
    /// take one out of the queue and not say which. They are the program's again.
    func reclaimLost() -> [Int] {
        state.withLock { state in
            var lost: [Int] = []
            for index in state.isQueued.indices where state.isQueued[index] {
                let flags = device.flags(ofBuffer: index, state.forDequeueing)
                // An unknown state is no loss.
                guard let flags, flags & UInt32(V4L2_BUF_FLAG_QUEUED | V4L2_BUF_FLAG_DONE) == 0 else { continue }
                lost.append(index)
            }
            // A driver that says so of every buffer doesn't tell.
            guard lost.count < state.queuedCount else { return [] }
            for index in lost { state.isQueued[index] = false }
            state.queuedCount -= lost.count
            return lost
        }
    }

    /// How many buffers the driver has.
    public var queuedCount: Int { state.withLock { $0.queuedCount } }

    /// Whether ``start(queueingAll:)`` was called.
    public var isStreaming: Bool { state.withLock { $0.isStreaming } }

    /// Gives a buffer to the driver, to be filled.
    ///
    /// - Throws: ``V4L2Error/badBuffer(path:index:)`` if the driver has it already.
    public func queue(_ buffer: Int) throws(V4L2Error) {
        try state.withLock { state throws(V4L2Error) in try queue(buffer, &state) }
    }

    private func queue(_ buffer: Int, _ state: inout State) throws(V4L2Error) {
        guard state.isQueued.indices.contains(buffer), !state.isQueued[buffer], !state.isReleased else {
            throw .badBuffer(path: device.path, index: buffer)
        }
        var flat = state.forQueueing[buffer]
        let result = device.raw { fs_v4l2_queue_buffer(device.descriptor, &flat) }
        guard result == 0 else { throw device.error("VIDIOC_QBUF", "buffer \(buffer)", -result) }
        state.isQueued[buffer] = true
        state.queuedCount += 1
    }

    /// Begins streaming.
    ///
    /// - Parameter queueingAll: gives the driver every buffer first. Else ``queue(_:)`` them before or after.
    /// - Throws: ``V4L2Error/busy(path:call:holders:)``; ``V4L2Error/call(_:path:value:_:)`` with `ENOSPC` where a USB bus
    ///   has no bandwidth left for another camera.
    public func start(queueingAll: Bool = true) throws(V4L2Error) {
        try state.withLock { state throws(V4L2Error) in
            if queueingAll {
                for buffer in buffers.indices where !state.isQueued[buffer] { try queue(buffer, &state) }
            }
            try device.streamOn()
            state.isStreaming = true
            state.counter = SequenceCounter(driver: device.info.driver)
            state.hasStarved = false
        }
    }

    /// Ends streaming. All buffers are the program's again.
    public func stop() throws(V4L2Error) {
        try state.withLock { state throws(V4L2Error) in try stop(&state) }
    }

    private func stop(_ state: inout State) throws(V4L2Error) {
        // Queued buffers are given back even if streaming never began.
        state.isStreaming = false
        for index in state.isQueued.indices { state.isQueued[index] = false }
        state.queuedCount = 0
        try device.streamOff()
    }

    /// Ends streaming and frees the driver's buffers, so that the device can be set up anew. Buffers that were handed
    /// out stay valid for those who hold them.
    public func release() throws(V4L2Error) {
        try state.withLock { state throws(V4L2Error) in
            guard !state.isReleased else { return }
            state.isReleased = true
            try stop(&state)
            _ = try device.requestBuffers(0, configuration.memory == .driver ? .mmap : .dmaBuf)
        }
    }

    /// Takes a filled buffer, nil if there is none yet. It is the program's until ``queue(_:)``.
    ///
    /// - Throws: ``V4L2Error/unplugged(path:card:)``, ``V4L2Error/sourceChanged(path:)``,
    ///   ``V4L2Error/streamFailed(path:call:_:)``, ``V4L2Error/unexpectedDataOffset(path:plane:offset:)``.
    public func dequeue() throws(V4L2Error) -> V4L2Frame? {
        try state.withLock { state throws(V4L2Error) in
            guard state.isStreaming else { throw .notStreaming(path: device.path) }
            var flat = state.forDequeueing
            let result = device.raw { fs_v4l2_dequeue_buffer(device.descriptor, &flat) }
            if result == -EAGAIN { return nil }
            guard result == 0 else { throw dequeueError(-result) }
            let index = Int(flat.index)
            guard state.isQueued.indices.contains(index), state.isQueued[index] else {
                throw .badBuffer(path: device.path, index: index)
            }
            state.isQueued[index] = false
            state.queuedCount -= 1
            let count = state.counter.next(flat.sequence, starved: state.hasStarved)
            state.hasStarved = state.queuedCount == 0
            for (plane, expected) in state.dataOffsets.enumerated() {
                let offset = Int(element(flat.data_offset, plane))
                guard offset == expected else {
                    throw .unexpectedDataOffset(path: device.path, plane: plane, offset: offset)
                }
            }
            for plane in state.tellsLength.indices where element(flat.bytesused, plane) > 0 {
                state.tellsLength[plane] = true
            }
            return V4L2Frame(flat, layout: setup.layout, count: count, tellsLength: state.tellsLength)
        }
    }

    private func dequeueError(_ code: Int32) -> V4L2Error {
        switch code {
        // A source change ends the stream so in some drivers.
        case EPIPE: .sourceChanged(path: device.path)
        case EIO, EINVAL: .streamFailed(path: device.path, call: "VIDIOC_DQBUF", .init(rawValue: code))
        default: device.error("VIDIOC_DQBUF", "", code)
        }
    }

    /// Takes the device's events.
    ///
    /// - Throws: ``V4L2Error/sourceChanged(path:)`` if its source has another resolution now.
    public func checkEvents() throws(V4L2Error) {
        if try device.takeEvents() { throw .sourceChanged(path: device.path) }
    }

    /// Waits for a filled buffer and takes it. Blocks the thread.
    ///
    /// - Returns: nil when `timeout` has passed.
    public func nextFrame(timeout: Duration? = nil) throws(V4L2Error) -> V4L2Frame? {
        let deadline = timeout.map { ContinuousClock.now + $0 }
        while true {
            if let frame = try dequeue() { return frame }
            let left = deadline.map { $0 - .now }
            if let left, left <= .zero { return nil }
            var wait = [pollfd(fd: device.descriptor, events: pollEvents, revents: 0)]
            PollSet.wait(&wait, timeout: left)
            try check(wait[0].revents)
        }
    }

    /// What to wait for. A driver without buffers reports an error to those who wait for a frame, not an event.
    var pollEvents: Int16 { Int16(queuedCount > 0 ? POLLIN | POLLPRI : POLLPRI) }

    /// Takes what `poll(2)` said of the device, other than that there is a frame.
    func check(_ events: Int16) throws(V4L2Error) {
        if events & Int16(POLLPRI) != 0 { try checkEvents() }
        guard events & Int16(POLLERR | POLLHUP | POLLNVAL) != 0, events & Int16(POLLIN) == 0 else { return }
        // The device's own answer says more than the poll.
        var capability = v4l2_capability()
        try device.ioctl("VIDIOC_QUERYCAP") { fs_v4l2_query_capability(device.descriptor, &capability) }
        throw .streamFailed(path: device.path, call: "poll", .ioError)
    }
}
