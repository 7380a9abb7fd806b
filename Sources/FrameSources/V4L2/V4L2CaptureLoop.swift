internal import FrameShare
internal import Glibc

/// The frames between two set-ups of a camera: each goes from the driver to the publisher, and back when it is free.
struct V4L2CaptureLoop {
    /// Why it ended without an error.
    enum End {
        case stopped
        case reconfigure
    }

    private let camera: V4L2Camera
    private let publisher: Publisher
    private let sequenceBase: UInt64
    private let stop: StopSignal
    private let attention: StopSignal
    private let frameTimeout: Duration?
    private let mayStallForEver: Bool
    private let framesLeft: UInt64?
    private let metadata: (@Sendable (V4L2Frame, V4L2Camera) -> Metadata)?
    private var lastFrame = ContinuousClock.now
    private var isFirst = true

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
        frameTimeout: Duration?,
        framesLeft: UInt64?,
        mayStallForEver: Bool,
        metadata: (@Sendable (V4L2Frame, V4L2Camera) -> Metadata)?
    ) {
        self.camera = camera
        self.publisher = publisher
        self.sequenceBase = sequenceBase
        self.stop = stop
        self.attention = attention
        self.frameTimeout = frameTimeout
        self.mayStallForEver = mayStallForEver
        self.framesLeft = framesLeft
        self.metadata = metadata
        nextSequence = sequenceBase
    }

    mutating func run() throws(V4L2CaptureError) -> End {
        try queueFreeSlots()
        try onCamera { () throws(V4L2Error) in try camera.start(queueingAll: false) }
        lastFrame = .now
        var set = [camera.device.descriptor, publisher.freeSlotDescriptor, stop.descriptor, attention.descriptor].map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        while framesLeft.map({ published < $0 }) ?? true {
            try queueFreeSlots()
            set[0].events = camera.pollEvents
            PollSet.wait(&set, timeout: try timeLeft())
            if set[2].revents != 0 { return .stopped }
            if set[3].revents != 0 {
                attention.clear()
                return .reconfigure
            }
            if set[1].revents != 0 { publisher.clearFreeSlotEvent() }
            let events = set[0].revents
            if events == 0 { continue }
            let frame = try onCamera { () throws(V4L2Error) in
                try camera.check(events)
                return events & Int16(POLLIN) == 0 ? nil : try camera.dequeue()
            }
            guard let frame else { continue }
            lastFrame = .now
            guard try publish(frame) else { return .stopped }
        }
        return .stopped
    }

    /// - Returns: false if it was stopped meanwhile.
    private mutating func publish(_ frame: V4L2Frame) throws(V4L2CaptureError) -> Bool {
        publisher.countLost(frame.lost, starved: frame.starved)
        nextSequence = sequenceBase &+ frame.sequence &+ 1
        var description = frame.description(sequenceBase: sequenceBase)
        if isFirst, sequenceBase > 0 { description.flags.insert(.discontinuity) }
        isFirst = false
        let metadata = metadata?(frame, camera) ?? Metadata()
        do throws(ChannelError) {
            guard try publisher.waitForRoom(hearing: stop, mayStallForEver: mayStallForEver) else {
                publisher.giveBack(slot: frame.buffer)
                return false
            }
            try publisher.publish(slot: frame.buffer, description, metadata: metadata)
        } catch {
            throw .channel(error)
        }
        published += 1
        return true
    }

    private func queueFreeSlots() throws(V4L2CaptureError) {
        try onCamera { () throws(V4L2Error) in
            try publisher.takeFreeSlots { slot throws(V4L2Error) in try camera.queue(slot) }
        }
    }

    /// How long to wait for a frame. A driver without buffers isn't late.
    private mutating func timeLeft() throws(V4L2CaptureError) -> Duration? {
        guard let frameTimeout else { return nil }
        guard camera.queuedCount > 0 else {
            lastFrame = .now
            return frameTimeout
        }
        let left = frameTimeout - lastFrame.duration(to: .now)
        if left > .zero { return left }
        let (seconds, attoseconds) = frameTimeout.components
        throw .camera(.noFrames(path: camera.device.path, seconds: Double(seconds) + Double(attoseconds) / 1e18))
    }

    private func onCamera<T>(_ body: () throws(V4L2Error) -> T) throws(V4L2CaptureError) -> T {
        do throws(V4L2Error) {
            return try body()
        } catch {
            throw .camera(error)
        }
    }
}
