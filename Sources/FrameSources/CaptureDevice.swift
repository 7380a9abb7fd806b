internal import FrameShare

/// What the loop of a capture needs of a camera: its buffers have the numbers of the channel's slots.
protocol CaptureDevice {
    associatedtype Failure: CaptureFailure
    associatedtype Frame: CapturedFrame

    /// Whether buffers are queued before the camera starts, else after.
    static var queuesBeforeStart: Bool { get }
    /// Whether one look at the camera may find several frames.
    static var givesSeveralFrames: Bool { get }

    /// Readable when there is something to take.
    var pollDescriptor: Int32 { get }
    /// What to wait for at it.
    var pollEvents: Int16 { get }
    /// How many buffers the camera has to fill.
    var queuedCount: Int { get }
    var bufferCount: Int { get }
    /// From frame to frame, where it is known.
    var frameInterval: Duration? { get }

    func beginCapture() throws(Failure)
    /// Ends capturing.
    /// - Returns: the buffers that are the program's again
    func endCapture() throws(Failure) -> [Int]
    /// Takes back what the camera has, at the end in order.
    func takeBackAtEnd() -> [Int]
    func queue(_ buffer: Int) throws(Failure)
    /// Takes a frame, nil if there is none.
    /// - Parameter events: what `poll(2)` said
    func take(_ events: Int16) throws(Failure) -> Arrival<Frame, Failure>?
    /// After a failure to take a frame: the buffers that the camera has lost by it; nil where the camera must be started again.
    func lostBuffers(_ events: Int16) -> [Int]?
    /// The failure of a camera that says nothing.
    func silence(seconds: Double) -> Failure
}

/// What a camera gives.
enum Arrival<Frame, Failure: Error> {
    case frame(Frame)
    /// The buffer comes back with nothing in it.
    case nothing(buffer: Int, Failure)
}

/// Why a camera failed.
protocol CaptureFailure: Error, CustomStringConvertible {
    /// Whether the same may work again.
    var mayPass: Bool { get }
    /// Whether the camera merely says nothing.
    var isSilence: Bool { get }
}

/// A frame in one of a camera's buffers.
protocol CapturedFrame {
    var buffer: Int { get }
    /// The camera's count since it was started.
    var sequence: UInt64 { get }
    /// How many frames are missing before it, and whether for want of a buffer.
    var lost: Int { get }
    var starved: Bool { get }
    /// - Parameter sequenceBase: is added to the camera's count
    func described(sequenceBase: UInt64) -> FrameDescription
}
