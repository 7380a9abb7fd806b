internal import FrameShare
internal import Glibc

/// The frames between two set-ups of a camera: each goes from the driver to the publisher, and back when it is free.
///
/// Errors that may pass are borne. A single failure of `VIDIOC_DQBUF` or `VIDIOC_QBUF` costs at most a frame. If it happens
/// again before a frame has come, or the driver has stopped, or no frame comes for too long, the stream is restarted
/// (`VIDIOC_STREAMOFF`, `VIDIOC_STREAMON`), with the same buffers and so in the same generation of the channel.
struct V4L2CaptureLoop {
    /// Why it ended without an error.
    enum End {
        case stopped
        case reconfigure
        /// On demand: nobody wants frames any more.
        case unwanted
    }

    private let camera: V4L2Camera
    private let publisher: Publisher
    private let stop: StopSignal
    private let attention: StopSignal
    private let options: V4L2Capture.Options
    private let framesLeft: UInt64?
    /// What is told with each frame of this set-up.
    private let fixedMetadata: Metadata
    private var recovery: StreamRecovery
    /// On demand: who wants frames.
    private(set) var gate: DemandGate?
    private var warmUp: WarmUpCount
    /// Added to the driver's count, which begins at 0 with each start.
    private var sequenceBase: UInt64
    private var lastFrame = ContinuousClock.now
    private var isAfterBreak: Bool
    private var hasToldStreaming = false
    /// Buffers that the driver has refused to queue; they are tried again.
    private var refused: [Int] = []
    /// How often it has refused one since the last frame, and the last reason.
    private var refusals = 0
    private var refusal: V4L2Error?
    private var hasFailedToDequeue = false
    private var emptyTurns = 0

    /// The number that the next frame would have had.
    private(set) var nextSequence: UInt64

    /// How many frames were published.
    private(set) var published: UInt64 = 0

    init(
        camera: V4L2Camera,
        publisher: Publisher,
        sequenceBase: UInt64,
        stop: StopSignal,
        attention: StopSignal,
        framesLeft: UInt64?,
        options: V4L2Capture.Options,
        gate: DemandGate? = nil
    ) {
        self.camera = camera
        self.publisher = publisher
        self.sequenceBase = sequenceBase
        self.stop = stop
        self.attention = attention
        self.framesLeft = framesLeft
        self.options = options
        self.gate = gate
        warmUp = WarmUpCount(options.onDemand?.warmUp ?? .none)
        nextSequence = sequenceBase
        isAfterBreak = sequenceBase > 0
        let interval = camera.setup.interval
        recovery = StreamRecovery(
            frameTimeout: options.frameTimeout,
            restartLimit: options.returnsAfterUnplug ? nil : options.restartLimit,
            interval: interval.map { .seconds(1 / $0.framesPerSecond) }
        )
        fixedMetadata = interval.map { Metadata(frameDuration: $0) } ?? Metadata()
    }

    mutating func run() throws(V4L2CaptureError) -> End {
        while true {
            let failure: V4L2Error
            do throws(V4L2CaptureError) {
                let end = try stream()
                giveBack(refused)
                return end
            } catch {
                guard case .camera(let error) = error, mayPass(error) else { throw error }
                failure = error
            }
            guard let pause = recovery.pauseBeforeRestart(isSilence: failure.isSilence) else { throw .camera(failure) }
            bear(failure)
            try endStream()
            if let end = wait(pause) { return end }
        }
    }

    /// Who waits for an unplugged camera waits for one that another program uses, too.
    private func mayPass(_ error: V4L2Error) -> Bool {
        error.mayPass || options.returnsAfterUnplug && error.isInTheWay
    }

    private mutating func stream() throws(V4L2CaptureError) -> End {
        try queueFreeSlots()
        if let refusal, camera.queuedCount == 0 { throw .camera(refusal) }
        try onCamera { () throws(V4L2Error) in try camera.start(queueingAll: false) }
        if !hasToldStreaming { options.onEvent?(.streaming(camera.device.info, camera.setup)) }
        hasToldStreaming = true
        lastFrame = .now
        var set = [
            camera.device.descriptor, publisher.freeSlotDescriptor, stop.descriptor, attention.descriptor,
            gate?.descriptor ?? -1,
        ].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        while framesLeft.map({ published < $0 }) ?? true {
            try queueFreeSlots()
            set[0].events = camera.pollEvents
            PollSet.wait(&set, timeout: timeToWait())
            if set[2].revents != 0 { return .stopped }
            if set[3].revents != 0 {
                attention.clear()
                return .reconfigure
            }
            if gate != nil, isUnwanted(set[4].revents != 0) { return .unwanted }
            if set[1].revents != 0 { publisher.clearFreeSlotEvent() }
            guard let frame = try takeFrame(set[0].revents) else {
                try checkSilence()
                continue
            }
            try publish(frame)
            lastFrame = .now
        }
        return .stopped
    }

    /// - Parameter events: what `poll(2)` said of the device
    private mutating func takeFrame(_ events: Int16) throws(V4L2CaptureError) -> V4L2Frame? {
        if events == 0 { return nil }
        do throws(V4L2Error) {
            try camera.check(events)
            if events & Int16(POLLIN) != 0, let frame = try camera.dequeue() {
                noteFrame()
                return frame
            }
        } catch {
            guard mayPass(error), !hasFailedToDequeue, events & Int16(POLLERR | POLLHUP) == 0 else {
                throw .camera(error)
            }
            hasFailedToDequeue = true
            bear(error)
            giveBack(camera.reclaimLost())
        }
        // A driver that says "ready" for ever and has nothing must not take the processor.
        emptyTurns += 1
        if emptyTurns > Self.mostEmptyTurns { _ = stop.wait(for: .milliseconds(5)) }
        return nil
    }

    private static let mostEmptyTurns = 32

    private mutating func noteFrame() {
        (refusals, emptyTurns, hasFailedToDequeue) = (0, 0, false)
        if gate != nil { noteFrameOnDemand() }
        if recovery.noteFrame() {
            publisher.setSourceTrouble("")
            options.onEvent?(.recovered)
        }
    }

    /// Waits for nobody: a subscriber without room loses the frame, and the driver gets its next buffer in time.
    private mutating func publish(_ frame: V4L2Frame) throws(V4L2CaptureError) {
        publisher.countLost(frame.lost, starved: frame.starved)
        nextSequence = sequenceBase &+ frame.sequence &+ 1
        var description = frame.description(sequenceBase: sequenceBase)
        if isAfterBreak { description.flags.insert(.discontinuity) }
        isAfterBreak = false
        if gate != nil {
            let place = warmUp.note(isStartup: description.flags.contains(.startup), now: .now)
            if place.startup { description.flags.insert(.startup) }
            if place.first { description.flags.insert(.discontinuity) }
        }
        var metadata = fixedMetadata
        if let field = frame.field.name { metadata["Field"] = .string(field) }
        if let more = options.metadata?(frame, camera) { for entry in more { metadata[entry.key] = entry.value } }
        do throws(ChannelError) {
            try publisher.publish(slot: frame.buffer, description, metadata: metadata)
        } catch {
            throw .channel(error)
        }
        published += 1
    }

    // MARK: buffers

    private mutating func queueFreeSlots() throws(V4L2CaptureError) {
        for _ in refused.indices { try queue(refused.removeFirst()) }
        let publisher = publisher
        try publisher.takeFreeSlots { slot throws(V4L2CaptureError) in try queue(slot) }
        if let refusal, refusals > max(8, camera.buffers.count) { throw .camera(refusal) }
    }

    /// A buffer that the driver refuses is kept for the next turn. Throws when the device is gone.
    private mutating func queue(_ slot: Int) throws(V4L2CaptureError) {
        do throws(V4L2Error) {
            try camera.queue(slot)
        } catch {
            guard mayPass(error) else { throw .camera(error) }
            refused.append(slot)
            (refusals, refusal) = (refusals + 1, error)
            bear(error)
        }
    }

    private func giveBack(_ slots: [Int]) {
        for slot in slots { publisher.giveBack(slot: slot) }
    }

    // MARK: trouble

    /// Counts an error, and has the next frame say that something is missing before it.
    private mutating func bear(_ error: V4L2Error) {
        publisher.countSourceErrors(1)
        isAfterBreak = true
        let isNews = recovery.noteTrouble()
        let restarts = recovery.restarts
        publisher.setSourceTrouble(restarts > 1 ? "\(error) (\(restarts) restarts)" : "\(error)")
        if isNews { options.onEvent?(.troubled(error)) }
    }

    /// Ends streaming; all buffers but those under a lease are free slots again.
    private mutating func endStream() throws(V4L2CaptureError) {
        let queued = camera.queuedBuffers
        do throws(V4L2Error) {
            try camera.stop()
        } catch {
            // What is left in a queue that can't be ended is found by the next start.
            if error.isUnplugged { throw .camera(error) }
        }
        giveBack(queued + refused)
        refused = []
        (refusals, refusal, emptyTurns, hasFailedToDequeue) = (0, nil, 0, false)
        sequenceBase = nextSequence
    }

    /// Waits before a restart.
    ///
    /// - Returns: why the capture is to end, nil if it isn't
    private mutating func wait(_ pause: Duration) -> End? {
        let end = ContinuousClock.now + pause
        var set = [stop.descriptor, attention.descriptor, gate?.descriptor ?? -1].map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        repeat {
            let left = max(.zero, end - .now)
            PollSet.wait(&set, timeout: gate?.timeLeft.map { min($0, left) } ?? left)
            if set[0].revents != 0 { return .stopped }
            if set[1].revents != 0 {
                attention.clear()
                return .reconfigure
            }
            if gate != nil, isUnwanted(true) { return .unwanted }
        } while ContinuousClock.now < end
        return nil
    }

    // MARK: demand

    /// - Parameter hasNews: subscribers have come or gone
    private mutating func isUnwanted(_ hasNews: Bool) -> Bool {
        guard hasNews || gate?.timeLeft != nil else { return false }
        return gate?.isToStop() ?? false
    }

    private mutating func noteFrameOnDemand() {
        if gate?.gotFrame() ?? false {
            publisher.setSourceTrouble("")
            options.onEvent?(.recovered)
        }
    }

    /// Refused buffers are tried again soon, where the driver has no others whose frames would be the occasion.
    private static let retryInterval: Duration = .milliseconds(50)

    /// How long to sleep at most.
    private mutating func timeToWait() -> Duration? {
        // A driver without buffers isn't late.
        guard camera.queuedCount > 0 else {
            lastFrame = .now
            return soonest(refused.isEmpty ? nil : Self.retryInterval)
        }
        return soonest(recovery.silenceLimit.map { max($0 - lastFrame.duration(to: .now), .zero) })
    }

    /// The shorter of a time and what is left until the source may have to stop.
    private func soonest(_ time: Duration?) -> Duration? {
        guard let left = gate?.timeLeft else { return time }
        return time.map { min($0, left) } ?? left
    }

    /// Throws when the last frame is too long ago. It comes after a look at the device, so a process that was stopped itself
    /// finds its frames first.
    private func checkSilence() throws(V4L2CaptureError) {
        guard let limit = recovery.silenceLimit else { return }
        let silence = lastFrame.duration(to: .now)
        guard silence >= limit else { return }
        throw .camera(.noFrames(path: camera.device.path, seconds: silence.tenthsOfSeconds))
    }

    private func onCamera<T>(_ body: () throws(V4L2Error) -> T) throws(V4L2CaptureError) -> T {
        do throws(V4L2Error) {
            return try body()
        } catch {
            throw .camera(error)
        }
    }
}

extension Metadata {
    /// The source's nominal rate, as libcamera names it: microseconds from frame to frame.
    init(frameDuration interval: V4L2Interval) {
        let microseconds = 1_000_000 / interval.framesPerSecond
        self = ["FrameDuration": .int64(microseconds < 1e15 ? Int64(microseconds.rounded()) : 0)]
    }
}
