internal import FrameShare
internal import Glibc

/// The frames between two set-ups of a camera: each buffer goes to the camera, comes back filled, is published, and goes to
/// the camera again when nobody holds its frame.
///
/// Errors that may pass are borne. A single failure to take a frame or to queue a buffer costs at most a frame. If it happens
/// again before a frame has come, or the camera has stopped, or no frame comes for too long, capturing is ended and begun
/// again, with the same buffers and so in the same generation of the channel.
struct CaptureLoop<Device: CaptureDevice> {
    /// Why it ended without an error.
    enum End {
        case stopped
        case reconfigure
        /// On demand: nobody wants frames any more.
        case unwanted
    }

    enum Failure: Error {
        case camera(Device.Failure)
        case channel(ChannelError)
    }

    /// What a program wants of it.
    struct Options {
        var framesLeft: UInt64?
        var frameTimeout: Duration?
        var restartLimit: Int?
        /// Whether an error may pass that the camera's own rule does not let pass.
        var bears: (Device.Failure) -> Bool = { _ in false }
        /// What is published beside a frame's pixels.
        var metadata: (Device.Frame) -> Metadata
        /// Is told of the first start.
        var onStreaming: () -> Void
        var onTrouble: (Device.Failure) -> Void
        var onRecovery: () -> Void
    }

    private let camera: Device
    private let publisher: Publisher
    private let stop: StopSignal
    private let attention: StopSignal
    private let options: Options
    private var recovery: StreamRecovery
    /// On demand: who wants frames.
    private(set) var gate: DemandGate?
    private var warmUp: WarmUpCount
    /// Added to the camera's count, which begins anew with each start.
    private var sequenceBase: UInt64
    private var lastFrame = ContinuousClock.now
    private var isAfterBreak: Bool
    private var hasToldStreaming = false
    /// Buffers that the camera has refused to take; they are tried again.
    private var refused: [Int] = []
    /// How many were refused, or came back with nothing in them, since the last frame; and the last reason.
    private var refusals = 0
    private var refusal: Device.Failure?
    private var hasFailedToTake = false
    private var emptyTurns = 0

    /// The number that the next frame would have had.
    private(set) var nextSequence: UInt64

    /// How many frames were published.
    private(set) var published: UInt64 = 0

    init(
        camera: Device,
        publisher: Publisher,
        sequenceBase: UInt64,
        stop: StopSignal,
        attention: StopSignal,
        options: Options,
        gate: DemandGate? = nil
    ) {
        (self.camera, self.publisher, self.sequenceBase) = (camera, publisher, sequenceBase)
        (self.stop, self.attention, self.options, self.gate) = (stop, attention, options, gate)
        warmUp = WarmUpCount(gate?.options.warmUp ?? .none)
        nextSequence = sequenceBase
        isAfterBreak = sequenceBase > 0
        recovery = StreamRecovery(
            frameTimeout: options.frameTimeout,
            restartLimit: options.restartLimit,
            interval: camera.frameInterval
        )
    }

    mutating func run() throws(Failure) -> End {
        while true {
            let failure: Device.Failure
            do throws(Failure) {
                let end = try capture()
                giveBack(camera.takeBackAtEnd() + refused)
                return end
            } catch {
                guard case .camera(let error) = error, mayPass(error) else { throw error }
                failure = error
            }
            guard let pause = recovery.pauseBeforeRestart(isSilence: failure.isSilence) else { throw .camera(failure) }
            bear(failure)
            giveBack(try onCamera { () throws(Device.Failure) in try camera.endCapture() } + refused)
            (refused, refusals, refusal, emptyTurns, hasFailedToTake) = ([], 0, nil, 0, false)
            sequenceBase = nextSequence
            if let end = wait(pause) { return end }
        }
    }

    private func mayPass(_ error: Device.Failure) -> Bool { error.mayPass || options.bears(error) }

    private mutating func capture() throws(Failure) -> End {
        if Device.queuesBeforeStart {
            try queueFreeSlots()
            if let refusal, camera.queuedCount == 0 { throw .camera(refusal) }
        }
        try onCamera { () throws(Device.Failure) in try camera.beginCapture() }
        if !hasToldStreaming { options.onStreaming() }
        hasToldStreaming = true
        lastFrame = .now
        var set = [
            camera.pollDescriptor, publisher.freeSlotDescriptor, stop.descriptor, attention.descriptor,
            gate?.descriptor ?? -1,
        ].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        while !isComplete {
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
            if try !takeFrames(set[0].revents) { try checkSilence() }
        }
        return .stopped
    }

    /// Whether as many frames as wanted are published.
    private var isComplete: Bool { options.framesLeft.map { published >= $0 } ?? false }

    /// Takes what the camera has, and publishes it.
    /// - Parameter events: what `poll(2)` said of the camera
    /// - Returns: whether there was a frame
    private mutating func takeFrames(_ events: Int16) throws(Failure) -> Bool {
        guard events != 0 else { return false }
        var hasFrame = false
        repeat {
            switch try take(events) {
            case .frame(let frame)?:
                noteFrame()
                try publish(frame)
                lastFrame = .now
                hasFrame = true
                // What came back meanwhile is for the camera before the next frame is looked at.
                if Device.givesSeveralFrames { try queueFreeSlots() }
            case .nothing(let buffer, let error)?:
                giveBack([buffer])
                try noteRefusal(error)
            case nil:
                guard !hasFrame else { return true }
                // A driver that says "ready" for ever and has nothing must not take the processor.
                emptyTurns += 1
                if emptyTurns > Self.mostEmptyTurns { _ = stop.wait(for: .milliseconds(5)) }
                return false
            }
        } while Device.givesSeveralFrames && !isComplete
        return hasFrame
    }

    private static var mostEmptyTurns: Int { 32 }

    private mutating func take(_ events: Int16) throws(Failure) -> Arrival<Device.Frame, Device.Failure>? {
        do throws(Device.Failure) {
            return try camera.take(events)
        } catch {
            guard mayPass(error), !hasFailedToTake, let lost = camera.lostBuffers(events) else { throw .camera(error) }
            hasFailedToTake = true
            bear(error)
            giveBack(lost)
            return nil
        }
    }

    private mutating func noteFrame() {
        (refusals, emptyTurns, hasFailedToTake) = (0, 0, false)
        if gate != nil { noteFrameOnDemand() }
        if recovery.noteFrame() {
            publisher.setSourceTrouble("")
            options.onRecovery()
        }
    }

    /// Waits for nobody: a subscriber without room loses the frame, and the camera gets its next buffer in time.
    private mutating func publish(_ frame: Device.Frame) throws(Failure) {
        publisher.countLost(frame.lost, starved: frame.starved)
        nextSequence = sequenceBase &+ frame.sequence &+ 1
        var description = frame.described(sequenceBase: sequenceBase)
        if isAfterBreak { description.flags.insert(.discontinuity) }
        isAfterBreak = false
        if gate != nil {
            let place = warmUp.note(isStartup: description.flags.contains(.startup), now: .now)
            if place.startup { description.flags.insert(.startup) }
            if place.first { description.flags.insert(.discontinuity) }
        }
        do throws(ChannelError) {
            try publisher.publish(slot: frame.buffer, description, metadata: options.metadata(frame))
        } catch {
            throw .channel(error)
        }
        published += 1
    }

    // MARK: buffers

    private mutating func queueFreeSlots() throws(Failure) {
        for _ in refused.indices {
            try queue(refused[0])
            refused.removeFirst()
        }
        let publisher = publisher
        try publisher.takeFreeSlots { slot throws(Failure) in try queue(slot) }
    }

    /// A buffer that the camera refuses is kept for the next turn. Throws when the camera is gone.
    private mutating func queue(_ slot: Int) throws(Failure) {
        do throws(Device.Failure) {
            try camera.queue(slot)
        } catch {
            guard mayPass(error) else { throw .camera(error) }
            // Before it is kept: if this is one too many, whoever called has the slot.
            try noteRefusal(error)
            refused.append(slot)
        }
    }

    private func giveBack(_ slots: [Int]) {
        for slot in slots { publisher.giveBack(slot: slot) }
    }

    // MARK: trouble

    /// Throws when it is one too many since the last frame.
    private mutating func noteRefusal(_ error: Device.Failure) throws(Failure) {
        (refusals, refusal) = (refusals + 1, error)
        guard refusals <= max(8, camera.bufferCount) else { throw .camera(error) }
        bear(error)
    }

    /// Counts an error, and has the next frame say that something is missing before it.
    private mutating func bear(_ error: Device.Failure) {
        publisher.countSourceErrors(1)
        isAfterBreak = true
        let isNews = recovery.noteTrouble()
        let restarts = recovery.restarts
        publisher.setSourceTrouble(restarts > 1 ? "\(error) (\(restarts) restarts)" : "\(error)")
        if isNews { options.onTrouble(error) }
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
            options.onRecovery()
        }
    }

    /// Refused buffers are tried again soon, where the camera has no others whose frames would be the occasion.
    private static var retryInterval: Duration { .milliseconds(50) }

    /// How long to sleep at most.
    private mutating func timeToWait() -> Duration? {
        // A camera without buffers isn't late.
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

    /// Throws when the last frame is too long ago. It comes after a look at the camera, so a process that was stopped itself
    /// finds its frames first.
    private func checkSilence() throws(Failure) {
        guard let limit = recovery.silenceLimit else { return }
        let silence = lastFrame.duration(to: .now)
        guard silence >= limit else { return }
        throw .camera(camera.silence(seconds: silence.tenthsOfSeconds))
    }

    private func onCamera<T>(_ body: () throws(Device.Failure) -> T) throws(Failure) -> T {
        do throws(Device.Failure) {
            return try body()
        } catch {
            throw .camera(error)
        }
    }
}
