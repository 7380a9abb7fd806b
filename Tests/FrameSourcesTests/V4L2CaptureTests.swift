import FrameShare
import FrameSources
import Glibc
import PixelFormats
import Synchronization
import Testing

extension VividTests {
    /// A camera's frames through a channel.
    @Suite("V4L2 capture")
    struct Capture {
        private let directory: ChannelDirectory

        init() throws {
            var template = Array("/tmp/v4l2-capture-XXXXXX".utf8CString)
            let made = template.withUnsafeMutableBufferPointer { $0.baseAddress.flatMap { mkdtemp($0) } != nil }
            try #require(made)
            directory = ChannelDirectory(
                path: String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            )
        }

        private func capture(
            _ configuration: V4L2CameraConfiguration,
            _ change: (inout V4L2Capture.Options) -> Void = { _ in }
        ) throws -> RunningCapture {
            var options = V4L2Capture.Options()
            options.publisher.directory = directory
            change(&options)
            return try RunningCapture(configuration, options)
        }

        private func subscriber(_ policy: Policy, reconnect: Bool = false) throws(ChannelError) -> Subscriber {
            var options = Subscriber.Options()
            options.directory = directory
            options.reconnect = reconnect
            return try Subscriber(channel: "camera", policy: policy, options: options)
        }

        @Test("every subscriber reads the driver's memory, and buffers go round", arguments: Vivid.memories)
        func frames(memory: V4L2Memory) throws {
            let running = try capture(Vivid.still(slots: 8, memory: memory)) { $0.frameLimit = 40 }
            let every = try subscriber(.everyFrame)
            let queue = try subscriber(.queue(4))
            let latest = try subscriber(.latest)
            running.start()
            var last: UInt64?
            var gaps: UInt64 = 0
            var count = 0
            var picture: [UInt8] = []
            while let frame = try every.nextBlocking(timeout: .seconds(120)) {
                if let last { gaps += frame.sequence - last - 1 }
                last = frame.sequence
                count += 1
                let pixels = frame["main"].withBytes { $0.withUnsafeBytes { Array($0) } }
                if picture.isEmpty { picture = pixels }
                let isSame = pixels == picture
                #expect(isSame)
                #expect(frame["main"].memory.isDMABuf)
                #expect(frame.timestamp.clock == .monotonic)
            }
            #expect(try running.join() == nil)
            // More than there are buffers, so each was filled several times.
            #expect(count > 8)
            // The camera waits for nobody: on a slow machine some are this reader's own loss.
            #expect(gaps == every.statistics.lost.total)
            _ = try queue.frame()
            _ = try latest.frame()
        }

        @Test("a new set-up is a new generation; what is held of the old one stays as it was")
        func reconfigure() throws {
            let running = try capture(Vivid.still(slots: 6))
            let subscriber = try subscriber(.latest)
            running.start()
            let old = try subscriber.frame()
            let before = old["main"].withBytes { $0.withUnsafeBytes { Array($0) } }
            running.capture.reconfigure(Vivid.still(size: V4L2Size(width: 1280, height: 720), slots: 6))
            var width = 0
            var sequence: UInt64 = 0
            for _ in 0..<300 where width != 1280 {
                let frame = try subscriber.frame()
                width = frame["main"].layout.width
                sequence = frame.sequence
            }
            #expect(width == 1280)
            #expect(sequence > old.sequence)
            #expect(old["main"].withBytes { $0.withUnsafeBytes { Array($0) } } == before)
            running.stop.stop()
            #expect(try running.join() == nil)
        }

        @Test("a set-up that the camera can't do is refused, and frames go on as before")
        func refusedReconfiguration() throws {
            let refusals = Atomic<Int>(0)
            let running = try capture(Vivid.still(slots: 6)) { options in
                options.onEvent = { if case .refused = $0 { refusals.add(1, ordering: .relaxed) } }
            }
            let subscriber = try subscriber(.latest)
            running.start()
            let first = try subscriber.frame()
            let generation = first.generation
            first.release()
            var impossible = Vivid.still()
            impossible.format = .h264
            running.capture.reconfigure(impossible)
            var after = generation
            for _ in 0..<300 where after == generation {
                let frame = try subscriber.frame()
                #expect(frame["main"].layout.width == 640)
                after = frame.generation
            }
            #expect(after != generation)
            #expect(refusals.load(ordering: .relaxed) == 1)
            running.stop.stop()
            #expect(try running.join() == nil)
        }

        @Test("unplugging ends the channel with the reason")
        func unplug() throws {
            let running = try capture(Vivid.still(slots: 6))
            let subscriber = try subscriber(.latest)
            running.start()
            _ = try subscriber.frame()
            try running.capture.camera?.device.setControl("disconnect", to: true)
            let error = #expect(throws: ChannelError.self) {
                for _ in 0..<300 { _ = try subscriber.frame() }
            }
            let ended = try #require(try running.join())
            guard case .camera(.unplugged) = ended else {
                Issue.record("\(ended)")
                return
            }
            #expect(error == .sourceFailed(ended.description))
        }

        @Test("a camera that comes back is offered again, and its frames are counted on")
        func comeBack() throws {
            let running = try capture(Vivid.still(slots: 6)) { $0.returnsAfterUnplug = true }
            let subscriber = try subscriber(.latest, reconnect: true)
            running.start()
            let first = try subscriber.frame()
            let (sequence, publisher) = (first.sequence, running.capture.publisher)
            first.release()
            try running.capture.camera?.device.setControl("disconnect", to: true)
            for _ in 0..<300 where running.capture.publisher === publisher {
                do throws(ChannelError) {
                    _ = try subscriber.nextBlocking(timeout: .milliseconds(100))
                } catch {
                    switch error {
                    case .timedOut, .sourceFailed: continue
                    default: throw error
                    }
                }
            }
            var again: UInt64?
            for _ in 0..<10 where again == nil {
                do throws(ChannelError) {
                    again = try subscriber.nextBlocking(timeout: .seconds(120))?.sequence
                } catch {
                    guard case .sourceFailed = error else { throw error }
                }
            }
            #expect(try #require(again) > sequence)
            running.stop.stop()
            #expect(try running.join() == nil)
        }

        @Test("a camera that gives nothing is told of, restarted, and heard when it speaks again")
        func noFrames() throws {
            let troubles = Atomic<Int>(0)
            let recoveries = Atomic<Int>(0)
            let running = try capture(Vivid.still(slots: 6)) { options in
                options.frameTimeout = .milliseconds(500)
                options.onEvent = { event in
                    switch event {
                    case .troubled(.noFrames): troubles.add(1, ordering: .relaxed)
                    case .recovered: recoveries.add(1, ordering: .relaxed)
                    default: break
                    }
                }
            }
            let device = try Vivid.device()
            defer { _ = try? device.setControl("percentage_of_dropped_buffers", to: 0) }
            let subscriber = try subscriber(.latest)
            running.start()
            let before = try subscriber.frame().sequence
            try device.setControl("percentage_of_dropped_buffers", to: 100)
            while running.capture.publisher.statistics.sourceTrouble.isEmpty { usleep(10_000) }
            #expect(running.capture.publisher.statistics.sourceTrouble.contains("gave no frame"))
            try device.setControl("percentage_of_dropped_buffers", to: 0)
            while !running.capture.publisher.statistics.sourceTrouble.isEmpty { usleep(10_000) }
            var frame = try subscriber.frame()
            while frame.flags.isDisjoint(with: .discontinuity), frame.sequence < before + 1000 {
                frame = try subscriber.frame()
            }
            #expect(frame.sequence > before)
            #expect(troubles.load(ordering: .relaxed) == 1)
            #expect(recoveries.load(ordering: .relaxed) == 1)
            running.stop.stop()
            #expect(try running.join() == nil)
        }

        @Test("a source's new resolution is a new generation")
        func sourceChange() throws {
            let device = try Vivid.device()
            let hdmi = try #require(try device.inputs().firstIndex { $0.hasPrefix("HDMI") })
            defer {
                _ = try? device.setControl("dv_timings_signal_mode", to: 0)
                try? device.setInput(0)
            }
            try device.setInput(hdmi)
            try device.setControl("dv_timings", to: "1280x720p30")
            try device.setControl("dv_timings_signal_mode", to: "Selected DV Timings")
            var configuration = V4L2CameraConfiguration(format: .yuyv, slots: 6)
            configuration.input = hdmi
            let running = try capture(configuration)
            let subscriber = try subscriber(.latest)
            running.start()
            #expect(try subscriber.frameWidth() == 1280)
            try device.setControl("dv_timings", to: "720x480p59")
            var width = 1280
            for _ in 0..<300 where width == 1280 {
                width = try subscriber.frameWidth()
            }
            #expect(width == 720)
            running.stop.stop()
            #expect(try running.join() == nil)
        }

        @Test("a capture runs once")
        func once() throws {
            let running = try capture(Vivid.still()) { $0.frameLimit = 1 }
            running.start()
            #expect(try running.join() == nil)
            #expect(throws: V4L2CaptureError.hasRun(channel: "camera")) { try running.capture.run(until: running.stop) }
        }
    }
}

extension Subscriber {
    /// The next frame; that there is none is an error.
    fileprivate func frame() throws -> Frame {
        guard let frame = try nextBlocking(timeout: .seconds(120)) else { throw ChannelError.closed }
        return frame
    }

    fileprivate func frameWidth() throws -> Int {
        let frame = try frame()
        return frame["main"].layout.width
    }
}

/// A capture on a thread of its own.
private final class RunningCapture: Sendable {
    let capture: V4L2Capture
    let stop: StopSignal
    private let outcome = Mutex<V4L2CaptureError?>(nil)
    private let thread = Mutex<pthread_t?>(nil)

    init(_ configuration: V4L2CameraConfiguration, _ options: V4L2Capture.Options) throws {
        stop = try StopSignal()
        capture = try V4L2Capture(
            channel: "camera",
            device: Vivid.path ?? "",
            configuration: configuration,
            options: options
        )
    }

    func start() {
        let argument = Unmanaged.passRetained(self).toOpaque()
        thread.withLock { thread in
            var made = pthread_t()
            let result = pthread_create(
                &made,
                nil,
                { argument in
                    guard let argument else { return nil }
                    Unmanaged<RunningCapture>.fromOpaque(argument).takeRetainedValue().run()
                    return nil
                },
                argument
            )
            thread = result == 0 ? made : nil
        }
    }

    private func run() {
        do throws(V4L2CaptureError) {
            try capture.run(until: stop)
        } catch {
            outcome.withLock { $0 = error }
        }
    }

    /// Waits for the end.
    /// - Returns: what `run(until:)` threw
    func join() throws -> V4L2CaptureError? {
        pthread_join(try #require(thread.withLock { $0 }), nil)
        return outcome.withLock { $0 }
    }
}
