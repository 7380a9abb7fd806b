internal import FrameShare
internal import Glibc

/// The frames between two set-ups of a camera: each request goes to the camera, comes back filled, is published, and goes
/// to the camera again when nobody holds its frame.
struct LibcameraCaptureLoop {
    /// Why it ended without an error.
    enum End {
        case stopped
        case reconfigure
    }

    let camera: LibcameraCamera
    let publisher: Publisher
    let sequenceBase: UInt64
    let stop: StopSignal
    let attention: StopSignal
    let frameTimeout: Duration?
    let framesLeft: UInt64?
    let mayStallForEver: Bool
    let metadata: (@Sendable (LibcameraFrame, LibcameraCamera) -> Metadata)?

    private var lastFrame = ContinuousClock.now
    private var isFirst = true
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
        frameTimeout: Duration?,
        framesLeft: UInt64?,
        mayStallForEver: Bool,
        metadata: (@Sendable (LibcameraFrame, LibcameraCamera) -> Metadata)?
    ) {
        (self.camera, self.publisher, self.sequenceBase) = (camera, publisher, sequenceBase)
        (self.stop, self.attention, self.frameTimeout) = (stop, attention, frameTimeout)
        (self.framesLeft, self.mayStallForEver, self.metadata) = (framesLeft, mayStallForEver, metadata)
        nextSequence = sequenceBase
    }

    mutating func run() throws(LibcameraCaptureError) -> End {
        try onCamera { () throws(LibcameraError) in try camera.start() }
        defer { camera.stop() }
        lastFrame = .now
        var set = [camera.descriptor, publisher.freeSlotDescriptor, stop.descriptor, attention.descriptor].map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        while framesLeft.map({ published < $0 }) ?? true {
            try queueFreeSlots()
            PollSet.wait(&set, timeout: try timeLeft())
            if set[2].revents != 0 { return .stopped }
            if set[3].revents != 0 {
                attention.clear()
                return .reconfigure
            }
            if set[1].revents != 0 { publisher.clearFreeSlotEvent() }
            while let frame = try onCamera({ () throws(LibcameraError) in try camera.dequeue() }) {
                lastFrame = .now
                guard try publish(frame) else { return .stopped }
                // What came back meanwhile is for the camera before the next frame is looked at.
                try queueFreeSlots()
            }
        }
        return .stopped
    }

    /// - Returns: false if it was stopped meanwhile.
    private mutating func publish(_ frame: LibcameraFrame) throws(LibcameraCaptureError) -> Bool {
        guard !frame.isCancelled else {
            publisher.giveBack(slot: frame.slot)
            return true
        }
        publisher.countLost(frame.lost, starved: frame.starved)
        nextSequence = sequenceBase &+ frame.sequence &+ 1
        var description = frame.description(sequenceBase: sequenceBase)
        if isFirst, sequenceBase > 0 { description.flags.insert(.discontinuity) }
        isFirst = false
        var entries = camera.metadata(of: frame)
        if let more = metadata?(frame, camera) { for entry in more { entries[entry.key] = entry.value } }
        do throws(ChannelError) {
            guard try publisher.waitForRoom(hearing: stop, mayStallForEver: mayStallForEver) else {
                publisher.giveBack(slot: frame.slot)
                return false
            }
            try publisher.publish(slot: frame.slot, description, metadata: entries)
        } catch {
            throw .channel(error)
        }
        published += 1
        return true
    }

    private func queueFreeSlots() throws(LibcameraCaptureError) {
        try onCamera { () throws(LibcameraError) in
            try publisher.takeFreeSlots { slot throws(LibcameraError) in try camera.queue(slot) }
        }
    }

    /// How long to wait for a frame. A camera without requests isn't late.
    private mutating func timeLeft() throws(LibcameraCaptureError) -> Duration? {
        guard let frameTimeout else { return nil }
        guard camera.queuedCount > 0 else {
            lastFrame = .now
            return frameTimeout
        }
        let left = frameTimeout - lastFrame.duration(to: .now)
        if left > .zero { return left }
        let (seconds, attoseconds) = frameTimeout.components
        throw .camera(.noFrames(id: camera.id, seconds: Double(seconds) + Double(attoseconds) / 1e18))
    }

    private func onCamera<T>(_ body: () throws(LibcameraError) -> T) throws(LibcameraCaptureError) -> T {
        do throws(LibcameraError) {
            return try body()
        } catch {
            throw .camera(error)
        }
    }
}
