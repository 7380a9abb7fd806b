import Foundation
import FrameShare
import FrameSources
import PixelFormats
import Testing

/// A channel of its own in a folder of its own, fed by a pattern on a thread of its own.
private final class RunningPattern: Sendable {
    let publisher: Publisher
    let directory: ChannelDirectory
    private let pattern: TestPattern
    private let result: Task<PatternError?, Never>

    /// - Parameters:
    ///   - waits: whether the first frame waits for a subscriber
    ///   - stallLimit: how long readers that want every frame are waited for
    init(
        _ pattern: TestPattern,
        streams: [FrameShare.Stream],
        slots: Int = 6,
        waits: Bool = false,
        stallLimit: Duration? = nil
    ) throws {
        let path = NSTemporaryDirectory() + "fs-" + String(UUID().uuidString.prefix(8))
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        directory = ChannelDirectory(path: path)
        var options = Publisher.Options()
        options.stallLimit = stallLimit
        options.directory = directory
        publisher = try Publisher(channel: "pattern", streams: streams, slots: slots, options: options)
        self.pattern = pattern
        let (pattern, publisher) = (pattern, publisher)
        result = Task {
            await withCheckedContinuation { continuation in
                Thread.detachNewThread {
                    while waits, publisher.statistics.subscribers.isEmpty {
                        usleep(1000)
                    }
                    do throws(PatternError) {
                        try pattern.run(on: publisher)
                        continuation.resume(returning: nil)
                    } catch {
                        continuation.resume(returning: error)
                    }
                }
            }
        }
    }

    /// What the run ended with, without being stopped.
    var outcome: PatternError? {
        get async { await result.value }
    }

    func stop() async -> PatternError? {
        pattern.stop()
        let outcome = await result.value
        publisher.close()
        try? FileManager.default.removeItem(atPath: directory.path)
        return outcome
    }

    func subscriber(_ policy: Policy, streams: [String] = []) throws -> Subscriber {
        var options = Subscriber.Options()
        options.directory = directory
        return try Subscriber(channel: "pattern", streams: streams, policy: policy, options: options)
    }
}

extension Subscriber {
    /// The next frame, where there must be one.
    fileprivate func frame() async throws -> Frame {
        guard let frame = try await next(timeout: .seconds(120)) else {
            throw ChannelError.closed
        }
        return frame
    }
}

extension Frame {
    /// The number in the pixels of a stream.
    fileprivate func drawnNumber(_ stream: String) -> UInt64? {
        let layout = self[stream].layout
        return self[stream].withBytes { PatternReader.frameNumber(in: layout, $0) }
    }

    /// Whether a stream's bytes start with these.
    fileprivate func starts(_ stream: String, with expected: [UInt8]) -> Bool {
        self[stream].withBytes { $0.withUnsafeBytes { $0.starts(with: expected) } }
    }
}

@Suite("Test pattern: the source", .timeLimit(.minutes(10)))
struct TestPatternRunTests {
    static func streams() throws -> [FrameShare.Stream] {
        [
            FrameShare.Stream(name: "main", layout: try .computed(width: 320, height: 240, format: .yuv420)),
            FrameShare.Stream(
                name: "lores",
                layout: try .computed(width: 160, height: 120, format: .rgb888, strideAlignment: 64)
            ),
            FrameShare.Stream(
                name: "raw",
                layout: try .computed(
                    width: 200,
                    height: 100,
                    format: #require(PixelFormat.bayer(.grbg, bits: 10, packing: .csi2))
                )
            ),
        ]
    }

    @Test("each stream of each frame shows the frame's sequence number, which is in the metadata too")
    func numbers() async throws {
        let running = try RunningPattern(TestPattern(framesPerSecond: 200, firstNumber: 1000), streams: Self.streams())
        let subscriber = try running.subscriber(.latest)
        for _ in 0..<40 {
            let frame = try await subscriber.frame()
            let sequence = frame.sequence
            #expect(sequence >= 1000)
            for stream in ["main", "lores", "raw"] {
                let number = frame.drawnNumber(stream)
                #expect(number == sequence, "\(stream)")
            }
            let metadata = ["PatternNumber", "FrameDuration", "ExposureTime"].map { frame.metadata[$0]?.integer }
            #expect(metadata == [Int64(sequence), 5000, 2500])
        }
        #expect(await running.stop() == nil)
    }

    @Test("the whole picture of every frame is right, whichever slot it lies in")
    func wholePicture() async throws {
        let running = try RunningPattern(TestPattern(framesPerSecond: 0), streams: Self.streams(), slots: 4)
        let subscriber = try running.subscriber(.queue(2))
        let painter = try PatternPainter(layout: Self.streams()[0].layout)
        for _ in 0..<30 {
            let frame = try await subscriber.frame()
            let expected = try painter.image(frame: frame.sequence).buffers[0]
            let isEqual = frame.starts("main", with: expected)
            #expect(isEqual)
        }
        #expect(await running.stop() == nil)
    }

    @Test("a subscriber that wants every frame gets each number once, in order, at full speed")
    func everyFrame() async throws {
        let running = try RunningPattern(TestPattern(framesPerSecond: 0), streams: Self.streams())
        let subscriber = try running.subscriber(.everyFrame)
        var last: UInt64?
        for _ in 0..<300 {
            let frame = try await subscriber.frame()
            let (sequence, drawn) = (frame.sequence, frame.drawnNumber("main"))
            #expect(drawn == sequence)
            if let last {
                #expect(sequence == last + 1)
            }
            last = sequence
        }
        #expect(await running.stop() == nil)
    }

    @Test("a paced pattern waits for a slow subscriber that wants every frame, and loses no number")
    func backPressure() async throws {
        let running = try RunningPattern(TestPattern(framesPerSecond: 500), streams: Self.streams())
        let subscriber = try running.subscriber(.everyFrame)
        var last: UInt64?
        for index in 0..<60 {
            let frame = try await subscriber.frame()
            let (sequence, lost) = (frame.sequence, frame.lost)
            if let last {
                // This process may get no time on a busy machine; such gaps are counted where they arise.
                #expect(sequence == last + 1 + lost.source)
                #expect(lost.policy == 0 && lost.noFreeSlot == 0)
            }
            last = sequence
            if index % 20 == 0 {
                try await Task.sleep(for: .milliseconds(120))
            }
        }
        #expect(await running.stop() == nil)
    }

    @Test("a live pattern waits for nobody: whoever wants every frame and takes none loses its own frames alone")
    func live() async throws {
        let running = try RunningPattern(
            TestPattern(framesPerSecond: 500, frameCount: 200),
            streams: Self.streams(),
            waits: true,
            stallLimit: .zero
        )
        let full = try running.subscriber(.everyFrame)
        #expect(await running.outcome == nil)
        let statistics = running.publisher.statistics
        // What its clock called for was published, or counted with its cause. None was lost for the one without room.
        #expect(statistics.published + statistics.lostBySource == 200 && statistics.lostNoFreeSlot == 0)
        let status = try #require(statistics.subscribers.first)
        #expect(status.queued == 2)
        #expect(status.droppedByBudget == statistics.published - 2)
        #expect(await running.stop() == nil)
        full.close()
    }

    @Test("every number is published or counted where it was lost, and a frame that is held is not painted over")
    func accounting() async throws {
        let running = try RunningPattern(
            TestPattern(framesPerSecond: 500, frameCount: 100),
            streams: Self.streams(),
            slots: 3,
            waits: true
        )
        let subscriber = try running.subscriber(.latest)
        let frame = try await subscriber.frame()
        #expect(await running.outcome == nil)
        let statistics = running.publisher.statistics
        #expect(statistics.published + statistics.lostNoFreeSlot + statistics.lostBySource == 100)
        let (sequence, drawn) = (frame.sequence, ["main", "lores", "raw"].map { frame.drawnNumber($0) })
        #expect(drawn == [sequence, sequence, sequence])
        #expect(await running.stop() == nil)
    }

    @Test("frameCount numbers are used up, no more")
    func frameCount() async throws {
        let running = try RunningPattern(TestPattern(framesPerSecond: 0, frameCount: 25), streams: Self.streams())
        #expect(await running.outcome == nil)
        #expect(running.publisher.statistics.published == 25)
        let paced = try RunningPattern(TestPattern(framesPerSecond: 1000, frameCount: 25), streams: Self.streams())
        #expect(await paced.outcome == nil)
        let statistics = paced.publisher.statistics
        #expect(statistics.published + statistics.lostBySource + statistics.lostNoFreeSlot == 25)
        #expect(await running.stop() == nil)
        #expect(await paced.stop() == nil)
    }

    @Test("a publisher that is reconfigured gets the pattern in its new streams")
    func reconfigured() async throws {
        let running = try RunningPattern(TestPattern(framesPerSecond: 0), streams: Self.streams())
        let small = FrameShare.Stream(name: "main", layout: try .computed(width: 64, height: 64, format: .yuyv))
        try running.publisher.reconfigure(streams: [small], slots: 3)
        let subscriber = try running.subscriber(.latest)
        for _ in 0..<10 {
            let frame = try await subscriber.frame()
            let expected = try PatternPainter(layout: small.layout).image(frame: frame.sequence).buffers[0]
            let isEqual = frame.starts("main", with: expected)
            #expect(isEqual)
        }
        #expect(await running.stop() == nil)
    }

    @Test("a closed publisher ends the run with an error, and a stopped one without")
    func closed() async throws {
        let running = try RunningPattern(TestPattern(framesPerSecond: 50), streams: Self.streams())
        running.publisher.close()
        #expect(await running.outcome == .channel(.closed))
        #expect(await running.stop() == .channel(.closed))
        let stopped = try RunningPattern(TestPattern(framesPerSecond: 0.1), streams: Self.streams())
        #expect(await stopped.stop() == nil)
    }

    @Test("streams that can't be painted, and impossible rates, are errors before the first frame")
    func refused() async throws {
        let layout = try ImageLayout.opaque(width: 640, height: 480, format: .h264, capacity: 100_000)
        let running = try RunningPattern(TestPattern(), streams: [FrameShare.Stream(name: "main", layout: layout)])
        #expect(await running.outcome == .unsupportedFormat(.h264))
        #expect(running.publisher.statistics.published == 0)
        _ = await running.stop()
        for rate in [-1, .nan, .infinity, 1e9] as [Double] {
            #expect(throws: PatternError.self) { try TestPattern(framesPerSecond: rate) }
        }
    }

    #if Snapshot
    @Test("an MJPEG stream says how many bytes of the buffer the JPEG takes")
    func motionJPEG() async throws {
        let layout = try ImageLayout.opaque(width: 320, height: 240, format: .mjpeg, capacity: 150_000)
        let running = try RunningPattern(
            TestPattern(framesPerSecond: 100),
            streams: [FrameShare.Stream(name: "main", layout: layout)]
        )
        let subscriber = try running.subscriber(.latest)
        for _ in 0..<5 {
            let frame = try await subscriber.frame()
            let used = frame["main"].bytesUsed(plane: 0)
            #expect((1000..<150_000).contains(used))
            let end = frame["main"].withBytes { $0.withUnsafeBytes { Array($0[used - 2..<used]) } }
            #expect(end == [0xFF, 0xD9])
            let (sequence, drawn) = (frame.sequence, frame.drawnNumber("main"))
            #expect(drawn == sequence)
        }
        #expect(await running.stop() == nil)
    }
    #endif
}
