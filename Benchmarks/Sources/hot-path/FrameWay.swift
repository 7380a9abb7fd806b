import CAllocationCount
import FrameShare
import Glibc
import Synchronization

/// A channel with its subscribers, all in this process.
struct FrameWay {
    private let publisher: Publisher
    private let subscribers: [Subscriber]
    private let takes: Bool
    private let isPaced: Bool
    private let metadata: Metadata

    init(_ chosen: HotPath.Case) throws {
        var options = Publisher.Options()
        options.directory = ChannelDirectory(path: "/tmp/hot-path-\(getpid())")
        let layout = try ImageLayout.computed(width: 64, height: 64, format: .yuv420)
        publisher = try Publisher(channel: "hot-path", streams: ["main": layout], slots: 24, options: options)
        var subscriberOptions = Subscriber.Options()
        subscriberOptions.directory = options.directory
        subscriberOptions.connectTimeout = .seconds(300)  // a simulator is slow
        var subscribers: [Subscriber] = []
        for _ in 0..<chosen.subscribers {
            subscribers.append(try Subscriber(channel: "hot-path", options: subscriberOptions))
        }
        self.subscribers = subscribers
        takes = chosen != .withdraw
        isPaced = chosen == .paced1
        metadata =
            chosen == .metadata
            ? [
                "ExposureTime": 8_000, "AnalogueGain": .float(2.5), "DigitalGain": .float(1),
                "ColourTemperature": 4_500,
                "FrameDuration": .int64(33_333), "Lux": .float(410), "SensorTimestamp": .int64(1_234_567_890_123),
                "AeLocked": .bool(true),
            ] : [:]
    }

    /// A function of its own: a `let frame` whose images are borrowed in the same scope gets a heap box (Swift 6.3).
    private func read(_ frame: borrowing Frame) {
        frame["main"].bytes.withUnsafeBytes { _ = $0.load(as: UInt8.self) }
        guard !metadata.isEmpty else { return }
        _ = frame.metadata["ExposureTime"]
        _ = frame.metadata["Lux"]
        _ = frame.metadata["SensorTimestamp"]
    }

    /// A function of its own: no reference to the subscriber is counted.
    private func take(_ subscriber: borrowing Subscriber) throws {
        if let frame = try subscriber.nextBlocking() { read(frame) }
    }

    private func publish() throws {
        let slot = try publisher.nextSlotBlocking()
        slot["main"].withMutableBytes { $0.storeBytes(of: 1, as: UInt8.self) }
        try publisher.publish(slot, metadata: metadata)
    }

    func pass(frames: Int) throws {
        if isPaced { return try passPaced(frames: frames) }
        for _ in 0..<frames {
            mark_frame()
            try publish()
            guard takes else { continue }
            mark_readers()
            for i in subscribers.indices { try take(subscribers[i]) }
        }
    }

    /// Frames with pauses, to a reader on a thread of its own that sleeps until each.
    private func passPaced(frames: Int) throws {
        let reader = SleepingReader(subscribers[0], frames: frames)
        reader.start()
        for number in 0..<frames {
            usleep(20_000)  // it falls asleep
            mark_frame()
            try publish()
            while reader.count <= number { usleep(1_000) }
        }
        reader.join()
    }
}

/// Takes frames on a thread of its own.
private final class SleepingReader: Sendable {
    private let subscriber: Subscriber
    private let frames: Int
    private let taken = Atomic<Int>(0)
    private let thread = Mutex<pthread_t>(0)

    init(_ subscriber: Subscriber, frames: Int) {
        self.subscriber = subscriber
        self.frames = frames
    }

    var count: Int { taken.load(ordering: .acquiring) }

    func start() {
        thread.withLock { thread in
            let context = Unmanaged.passRetained(self).toOpaque()
            let status = pthread_create(
                &thread,
                nil,
                { context in
                    guard let context else { return nil }
                    Unmanaged<SleepingReader>.fromOpaque(context).takeRetainedValue().takeAll()
                    return nil
                },
                context
            )
            precondition(status == 0, "no thread")
        }
    }

    func join() { _ = pthread_join(thread.withLock { $0 }, nil) }

    private func takeAll() {
        for _ in 0..<frames {
            guard let frame = try? subscriber.nextBlocking() else { return }
            frame["main"].bytes.withUnsafeBytes { _ = $0.load(as: UInt8.self) }
            taken.wrappingAdd(1, ordering: .releasing)
        }
    }
}
