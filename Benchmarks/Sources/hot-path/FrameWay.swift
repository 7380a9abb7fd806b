import CAllocationCount
import FrameShare
import Glibc

/// A channel with its subscribers, all in this process.
struct FrameWay {
    private let publisher: Publisher
    private let subscribers: [Subscriber]
    private let takes: Bool
    private let metadata: Metadata

    init(_ chosen: HotPath.Case) throws {
        var options = Publisher.Options()
        options.directory = ChannelDirectory(path: "/tmp/hot-path-\(getpid())")
        let layout = try ImageLayout.computed(width: 64, height: 64, format: .yuv420)
        publisher = try Publisher(channel: "hot-path", streams: ["main": layout], slots: 24, options: options)
        var subscriberOptions = Subscriber.Options()
        subscriberOptions.directory = options.directory
        var subscribers: [Subscriber] = []
        for _ in 0..<chosen.subscribers {
            subscribers.append(try Subscriber(channel: "hot-path", options: subscriberOptions))
        }
        self.subscribers = subscribers
        takes = chosen != .withdraw
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

    func pass(frames: Int) throws {
        for _ in 0..<frames {
            mark_frame()
            let slot = try publisher.nextSlotBlocking()
            slot["main"].withMutableBytes { $0.storeBytes(of: 1, as: UInt8.self) }
            try publisher.publish(slot, metadata: metadata)
            guard takes else { continue }
            for subscriber in subscribers {
                if let frame = try subscriber.nextBlocking() { read(frame) }
            }
        }
    }
}
