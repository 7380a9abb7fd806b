internal import FrameShare
internal import Glibc
internal import SystemPackage

extension LibcameraCamera: CaptureDevice {
    // libcamera takes requests from a camera's start on.
    static var queuesBeforeStart: Bool { false }
    // One wake-up may stand for several requests.
    static var givesSeveralFrames: Bool { true }

    var pollDescriptor: Int32 { descriptor }
    var pollEvents: Int16 { Int16(POLLIN) }
    var bufferCount: Int { buffers.count }
    var frameInterval: Duration? { nil }

    func beginCapture() throws(LibcameraError) { try start() }
    func endCapture() throws(LibcameraError) -> [Int] { stopAndTakeBack() }
    func takeBackAtEnd() -> [Int] { stopAndTakeBack() }

    func take(_ events: Int16) throws(LibcameraError) -> Arrival<LibcameraFrame, LibcameraError>? {
        guard let frame = try dequeue() else { return nil }
        guard frame.isCancelled else { return .frame(frame) }
        return .nothing(buffer: frame.slot, .call("a request was cancelled", id: id, .ioError))
    }

    func lostBuffers(_ events: Int16) -> [Int]? { nil }

    func silence(seconds: Double) -> LibcameraError { .noFrames(id: id, seconds: seconds) }
}

extension LibcameraError: CaptureFailure {}

extension LibcameraFrame: CapturedFrame {
    var buffer: Int { slot }
    func described(sequenceBase: UInt64) -> FrameDescription { description(sequenceBase: sequenceBase) }
}
