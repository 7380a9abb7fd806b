internal import FrameShare
internal import Glibc
internal import SystemPackage

/// The frames between two set-ups of a camera: each request goes to the camera, comes back filled, is published, and goes
/// to the camera again when nobody holds its frame.
///
/// Errors that may pass are borne, as ``V4L2CaptureLoop`` does.
struct LibcameraCaptureLoop {
    /// Why it ended without an error.
    enum End {
        case stopped
        case reconfigure
        /// On demand: nobody wants frames any more.
        case unwanted
    }

    private let camera: LibcameraCamera
    private let publisher: Publisher
    private let stop: StopSignal
    private let attention: StopSignal
    private let framesLeft: UInt64?
    private let options: LibcameraCapture.Options
    private var recovery: StreamRecovery
    /// On demand: who wants frames.
    private(set) var gate: DemandGate?
    private var warmUp: WarmUpCount
    /// Added to the camera's count, which begins anew with each start.
    private var sequenceBase: UInt64
    private var lastFrame = ContinuousClock.now
    private var isAfterBreak: Bool
    private var hasToldStreaming = false
    /// Requests that can't be queued; they are tried again.
    private var refused: [Int] = []
    /// Requests that were refused or cancelled since the last frame, and the last reason.
    private var refusals = 0
    private var refusal: LibcameraError?
    /// The number that the next frame would have had.
    private(set) var nextSequence: UInt64
    /// How many frames were published.
    private(set) var published: UInt64 = 0

    init(
        camera: LibcameraCamera,
        publisher: Publisher,
        sequenceBase: UInt64,
        stop: StopSignal,
        attention: StopSignal,
        framesLeft: UInt64?,
        options: LibcameraCapture.Options,
        gate: DemandGate? = nil
    ) {
        self.gate = gate
        warmUp = WarmUpCount(options.onDemand?.warmUp ?? .none)
        (self.camera, self.publisher, self.sequenceBase) = (camera, publisher, sequenceBase)
        (self.stop, self.attention, self.framesLeft, self.options) = (stop, attention, framesLeft, options)
        nextSequence = sequenceBase
        isAfterBreak = sequenceBase > 0
        recovery = StreamRecovery(frameTimeout: options.frameTimeout, restartLimit: options.restartLimit)
    }

    mutating func run() throws(LibcameraCaptureError) -> End {
        while true {
            let failure: LibcameraError
            do throws(LibcameraCaptureError) {
                let end = try capture()
                giveBack(camera.stopAndTakeBack() + refused)
                return end
            } catch {
                let slots = camera.stopAndTakeBack() + refused
                (refused, refusals, refusal) = ([], 0, nil)
                guard case .camera(let error) = error, error.mayPass else { throw error }
                giveBack(slots)
                sequenceBase = nextSequence
                failure = error
            }
            guard let pause = recovery.pauseBeforeRestart(isSilence: failure.isSilence) else { throw .camera(failure) }
            bear(failure)
            if let end = wait(pause) { return end }
        }
    }

    private mutating func capture() throws(LibcameraCaptureError) -> End {
        try onCamera { () throws(LibcameraError) in try camera.start() }
        if !hasToldStreaming { options.onEvent?(.streaming(camera.id, camera.setup)) }
        hasToldStreaming = true
        lastFrame = .now
        var set = [
            camera.descriptor, publisher.freeSlotDescriptor, stop.descriptor, attention.descriptor,
            gate?.descriptor ?? -1,
        ].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        while framesLeft.map({ published < $0 }) ?? true {
            try queueFreeSlots()
            PollSet.wait(&set, timeout: timeToWait())
            if set[2].revents != 0 { return .stopped }
            if set[3].revents != 0 {
                attention.clear()
                return .reconfigure
            }
            if gate != nil, isUnwanted(set[4].revents != 0) { return .unwanted }
            if set[1].revents != 0 { publisher.clearFreeSlotEvent() }
            while let frame = try onCamera({ () throws(LibcameraError) in try camera.dequeue() }) {
                try take(frame)
                // What came back meanwhile is for the camera before the next frame is looked at.
                try queueFreeSlots()
            }
            try checkSilence()
        }
        return .stopped
    }

    private mutating func take(_ frame: LibcameraFrame) throws(LibcameraCaptureError) {
        guard !frame.isCancelled else {
            publisher.giveBack(slot: frame.slot)
            try noteRefusal(.call("a request was cancelled", id: camera.id, .ioError))
            return
        }
        refusals = 0
        if gate != nil { noteFrameOnDemand() }
        if recovery.noteFrame() {
            publisher.setSourceTrouble("")
            options.onEvent?(.recovered)
        }
        try publish(frame)
        lastFrame = .now
    }

    /// Waits for nobody: a subscriber without room loses the frame, and the camera gets its next request in time.
    private mutating func publish(_ frame: LibcameraFrame) throws(LibcameraCaptureError) {
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
        var entries = camera.metadata(of: frame)
        if let more = options.metadata?(frame, camera) { for entry in more { entries[entry.key] = entry.value } }
        do throws(ChannelError) {
            try publisher.publish(slot: frame.slot, description, metadata: entries)
        } catch {
            throw .channel(error)
        }
        published += 1
    }

    // MARK: requests

    private mutating func queueFreeSlots() throws(LibcameraCaptureError) {
        for _ in refused.indices {
            let slot = refused[0]
            try queue(slot)
            refused.removeFirst()
        }
        let publisher = publisher
        try publisher.takeFreeSlots { slot throws(LibcameraCaptureError) in try queue(slot) }
    }

    /// A request that can't be queued is kept for the next turn. Throws when the camera is gone.
    private mutating func queue(_ slot: Int) throws(LibcameraCaptureError) {
        do throws(LibcameraError) {
            try camera.queue(slot)
        } catch {
            guard error.mayPass else { throw .camera(error) }
            // Before it is kept: if this is one too many, whoever called gives the slot back.
            try noteRefusal(error)
            refused.append(slot)
        }
    }

    private func giveBack(_ slots: [Int]) {
        for slot in slots { publisher.giveBack(slot: slot) }
    }

    // MARK: trouble

    /// Throws when it is one too many since the last frame.
    private mutating func noteRefusal(_ error: LibcameraError) throws(LibcameraCaptureError) {
        (refusals, refusal) = (refusals + 1, error)
        guard refusals <= max(8, camera.buffers.count) else { throw .camera(error) }
        bear(error)
    }

    /// Counts an error, and has the next frame say that something is missing before it.
    private mutating func bear(_ error: LibcameraError) {
        publisher.countSourceErrors(1)
        isAfterBreak = true
        let isNews = recovery.noteTrouble()
        let restarts = recovery.restarts
        publisher.setSourceTrouble(restarts > 1 ? "\(error) (\(restarts) restarts)" : "\(error)")
        if isNews { options.onEvent?(.troubled(error)) }
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

    /// Refused requests are tried again soon, where the camera has no others whose frames would be the occasion.
    private static let retryInterval: Duration = .milliseconds(50)

    /// How long to sleep at most.
    private mutating func timeToWait() -> Duration? {
        // A camera without requests isn't late.
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
    private func checkSilence() throws(LibcameraCaptureError) {
        guard let limit = recovery.silenceLimit else { return }
        let silence = lastFrame.duration(to: .now)
        guard silence >= limit else { return }
        throw .camera(.noFrames(id: camera.id, seconds: silence.tenthsOfSeconds))
    }

    private func onCamera<T>(_ body: () throws(LibcameraError) -> T) throws(LibcameraCaptureError) -> T {
        do throws(LibcameraError) {
            return try body()
        } catch {
            throw .camera(error)
        }
    }
}
