import FrameShare
import FrameShareTestKit
import Testing

@Suite("A frame recorder", .timeLimit(.minutes(10)))
struct FrameRecorderTests {
    @Test("it keeps what frames showed and holds none of them")
    func recording() async throws {
        let camera = try FakeCamera()
        let recorder = FrameRecorder(try camera.subscribe(policy: .everyFrame))
        for value in 0..<20 { try await camera.send(.filled(UInt8(value)), flags: value == 0 ? .keyframe : []) }
        let frames = try await recorder.frames(atLeast: 20)
        #expect(frames.map { $0.bytes["main"]?.last } == (0..<20).map { UInt8($0) })
        #expect(frames.filter { $0.flags.contains(.keyframe) }.count == 1)
        try await camera.wait { $0.slotsFree == $0.slots }
    }

    @Test("it can do without the bytes")
    func withoutBytes() async throws {
        let camera = try FakeCamera()
        let recorder = FrameRecorder(try camera.subscribe(), keepsBytes: false)
        try await camera.send(metadata: ["a": 1])
        let frame = try #require(try await recorder.frames(atLeast: 1).first)
        #expect(frame.bytes.isEmpty)
        #expect(frame.metadata == ["a": 1])
    }

    @Test("waiting for more frames than come times out, or tells of the end")
    func waitingInVain() async throws {
        let camera = try FakeCamera()
        let recorder = FrameRecorder(try camera.subscribe())
        await #expect(throws: ChannelError.timedOut()) {
            _ = try await recorder.frames(atLeast: 1, timeout: .milliseconds(10))
        }
        await #expect(throws: ChannelError.timedOut()) { _ = try await recorder.end(timeout: .milliseconds(10)) }
        camera.end()
        #expect(try await recorder.end() == .ended)
        await #expect(throws: ChannelError.closed) { _ = try await recorder.frames(atLeast: 1) }
    }

    @Test("stopping it leaves the channel")
    func stopping() async throws {
        let camera = try FakeCamera()
        let recorder = FrameRecorder(try camera.subscribe())
        recorder.stop()
        guard case .failed = try await recorder.end() else {
            Issue.record("it ended in order")
            return
        }
        try await camera.wait { $0.subscribers.isEmpty }
    }
}
