import FrameShare
import FrameShareTestKit
import Glibc
import Testing

@Suite("A fake camera", .timeLimit(.minutes(10)))
struct FakeCameraTests {
    private func layout(_ format: PixelFormat = .r8, _ width: Int = 8, _ height: Int = 4) -> ImageLayout {
        ImageLayout(
            width: width,
            height: height,
            format: format,
            planes: [PlaneLayout(offset: 0, stride: format.isCompressed ? 0 : width, size: width * height)]
        )
    }

    private func takeOne(from subscriber: Subscriber) async throws {
        let frame = try await subscriber.next()
        if frame == nil { Issue.record("the channel has ended") }
    }

    @Test("it publishes when it is told to, with timestamps and sequences that are the same in each run")
    func sending() async throws {
        let camera = try FakeCamera()
        let recorder = FrameRecorder(try camera.subscribe(policy: .everyFrame))
        var sent: [FakeCamera.SentFrame] = []
        for n in 0..<5 { sent.append(try await camera.send(metadata: ["n": .int32(Int32(n))])) }
        camera.end()
        #expect(try await recorder.end() == .ended)
        let frames = recorder.frames
        #expect(frames.map(\.sequence) == [0, 1, 2, 3, 4])
        #expect(frames.map(\.number) == sent.map(\.number))
        #expect(frames.map(\.timestamp) == sent.map(\.timestamp))
        #expect(frames.map(\.timestamp.nanoseconds) == (0..<5).map { 1_000_000_000 + $0 * 33_333_333 })
        #expect(frames.map { $0.metadata["n"] } == (0..<5).map { .int32($0) })
        #expect(frames.allSatisfy { $0.lost.total == 0 && $0.bytes["main"]?.count == 64 * 48 * 3 / 2 })
    }

    @Test("its pattern is right in every byte of every buffer, and another frame's is not")
    func pattern() async throws {
        let twoBuffers = ImageLayout(
            width: 16,
            height: 8,
            format: .nv12,
            planes: [
                PlaneLayout(offset: 0, stride: 16, size: 128), PlaneLayout(offset: 0, stride: 16, size: 64, buffer: 1),
            ]
        )
        let camera = try FakeCamera(streams: ["main": twoBuffers, "lores": layout()])
        let subscriber = try camera.subscribe()
        for sequence in 0..<20 as Range<UInt64> {
            try await camera.send()
            guard let frame = try await subscriber.next() else { break }
            #expect(frame.sequence == sequence)
            #expect(FakeImage.firstDifference(in: frame["main"], sequence: sequence, stream: 0) == nil)
            #expect(FakeImage.firstDifference(in: frame["lores"], sequence: sequence, stream: 1) == nil)
            #expect(FakeImage.firstDifference(in: frame["lores"], sequence: sequence, stream: 0) != nil)
            #expect(FakeImage.firstDifference(in: frame["main"], sequence: sequence + 1) != nil)
        }
        try await camera.send(.filled(9))
        guard let last = try await subscriber.next() else { return }
        let difference = FakeImage.firstDifference(in: last["main"], sequence: last.sequence)
        #expect(difference != nil)
    }

    @Test("given bytes are published as they are, the rest is zero")
    func bytes() async throws {
        let camera = try FakeCamera(streams: ["main": layout(), "lores": layout(), "jpeg": layout(.mjpeg)])
        let recorder = FrameRecorder(try camera.subscribe())
        try await camera.send(.bytes(["main": Array(1...32), "jpeg": [0xff, 0xd8]]))
        let frame = try #require(try await recorder.frames(atLeast: 1).first)
        #expect(frame.bytes["main"] == Array(1...32))
        #expect(frame.bytes["lores"] == Array(repeating: 0, count: 32))
        #expect(frame.bytes["jpeg"]?.prefix(3) == [0xff, 0xd8, 0])
        let subscriber = try camera.subscribe(["jpeg"])
        try await camera.send(.bytes(["jpeg": [1, 2, 3]]))
        guard let compressed = try await subscriber.next() else { return }
        let used = compressed["jpeg"].bytesUsed(plane: 0)
        #expect(used == 3)
        camera.end()
    }

    @Test("frames that it drops are losses of the source")
    func dropping() async throws {
        let camera = try FakeCamera()
        let recorder = FrameRecorder(try camera.subscribe(policy: .everyFrame))
        try await camera.send()
        camera.drop(3)
        camera.drop(0)
        camera.drop(-1)
        try await camera.send()
        let frames = try await recorder.frames(atLeast: 2)
        #expect(frames.map(\.sequence) == [0, 4])
        #expect(frames[1].lost == FrameLoss(source: 3))
        #expect(frames[1].timestamp.nanoseconds - frames[0].timestamp.nanoseconds == 4 * 33_333_333)
        #expect(camera.statistics.lostBySource == 3)
        camera.end()
    }

    @Test("without a free slot it loses the frame, and says so, or waits and times out")
    func noFreeSlot() async throws {
        var options = FakeCamera.Options()
        options.slots = 2
        let camera = try FakeCamera(options: options)
        var subscribing = Subscriber.Options()
        subscribing.budget = 1
        let subscriber = try camera.subscribe(policy: .everyFrame, options: subscribing)
        let first = try await camera.send()
        #expect(first.number == 1)
        #expect(try camera.sendOrLose() == nil)
        await #expect(throws: ChannelError.timedOut()) { try await camera.send(timeout: .milliseconds(20)) }
        try await takeOne(from: subscriber)
        let third = try #require(try camera.sendOrLose())
        #expect(third.sequence == 2)
        guard let frame = try await subscriber.next() else { return }
        #expect(frame.lost == FrameLoss(noFreeSlot: 1))
    }

    @Test("it reconfigures, fails with a reason, and ends")
    func endings() async throws {
        let camera = try FakeCamera()
        let recorder = FrameRecorder(try camera.subscribe(policy: .queue(2)))
        try await camera.send()
        _ = try await recorder.frames(atLeast: 1)
        try camera.reconfigure(streams: ["main": layout(.r8, 16, 16)])
        try await camera.send()
        let frames = try await recorder.frames(atLeast: 2)
        #expect(frames.map(\.generation) == [1, 2])
        #expect(frames.map(\.sequence) == [0, 1])
        #expect(frames[1].bytes["main"]?.count == 256)
        camera.fail("it was unplugged")
        #expect(try await recorder.end() == .failed(.sourceFailed("it was unplugged")))
        await #expect(throws: ChannelError.closed) { try await camera.send() }
        await #expect(throws: ChannelError.sourceFailed("it was unplugged")) {
            _ = try await recorder.frames(atLeast: 3)
        }
    }

    @Test("two cameras don't meet, and their folders go with them")
    func privateFolders() throws {
        var first: FakeCamera? = try FakeCamera()
        let second = try FakeCamera()
        let path = try #require(first?.directory.path)
        #expect(first?.channel != second.channel)
        #expect(path != second.directory.path)
        #expect(access(path, F_OK) == 0)
        let monitor = try first?.monitor()
        #expect(try monitor?.snapshot().sourceName == "fake camera")
        first = nil
        #expect(access(path, F_OK) != 0)
    }

    @Test("it waits for what its statistics say, and not for ever")
    func waiting() async throws {
        let camera = try FakeCamera()
        let subscriber = try camera.subscribe()
        try await camera.wait { $0.subscribers.count == 1 }
        await #expect(throws: ChannelError.timedOut()) {
            try await camera.wait(timeout: .milliseconds(10)) { $0.subscribers.isEmpty }
        }
        subscriber.close()
        #expect(try await camera.wait { $0.subscribers.isEmpty }.slotsFree == 4)
    }
}
