internal import FrameShare
internal import Glibc

extension V4L2Camera: CaptureDevice {
    // VIDIOC_QBUF comes before VIDIOC_STREAMON: some drivers need buffers to start.
    static var queuesBeforeStart: Bool { true }
    static var givesSeveralFrames: Bool { false }

    var pollDescriptor: Int32 { device.descriptor }
    var bufferCount: Int { buffers.count }
    var frameInterval: Duration? { setup.interval.map { .seconds(1 / $0.framesPerSecond) } }

    func beginCapture() throws(V4L2Error) { try start(queueingAll: false) }

    func endCapture() throws(V4L2Error) -> [Int] {
        let queued = queuedBuffers
        do throws(V4L2Error) {
            try stop()
        } catch {
            // What is left in a queue that can't be ended is found by the next start.
            if error.isUnplugged { throw error }
        }
        return queued
    }

    /// Nothing: ``release()``, which comes next, ends streaming.
    func takeBackAtEnd() -> [Int] { [] }

    func take(_ events: Int16) throws(V4L2Error) -> Arrival<V4L2Frame, V4L2Error>? {
        try check(events)
        guard events & Int16(POLLIN) != 0 else { return nil }
        return try dequeue().map { .frame($0) }
    }

    func lostBuffers(_ events: Int16) -> [Int]? { events & Int16(POLLERR | POLLHUP) == 0 ? reclaimLost() : nil }

    func silence(seconds: Double) -> V4L2Error { .noFrames(path: device.path, seconds: seconds) }
}

extension V4L2Error: CaptureFailure {}

extension V4L2Frame: CapturedFrame {
    func described(sequenceBase: UInt64) -> FrameDescription { description(sequenceBase: sequenceBase) }
}

extension Metadata {
    /// The source's nominal rate, as libcamera names it: microseconds from frame to frame.
    init(frameDuration interval: V4L2Interval) {
        let microseconds = 1_000_000 / interval.framesPerSecond
        self = ["FrameDuration": .int64(microseconds < 1e15 ? Int64(microseconds.rounded()) : 0)]
    }
}
