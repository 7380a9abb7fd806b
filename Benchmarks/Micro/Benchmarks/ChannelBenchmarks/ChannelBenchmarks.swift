import Benchmark
import FrameShare
import Glibc

/// A channel of small frames with its subscribers, all in this process, in a folder of its own.
private struct LocalChannel {
    let publisher: Publisher
    let folder = ChannelDirectory(path: "/tmp/channel-benchmarks-\(getpid())")

    init() throws {
        var options = Publisher.Options()
        options.directory = folder
        let layout = try ImageLayout.computed(width: 64, height: 64, format: .yuv420)
        publisher = try Publisher(channel: "micro", streams: ["main": layout], slots: 24, options: options)
    }

    func subscribe() throws -> Subscriber {
        var options = Subscriber.Options()
        options.directory = folder
        return try Subscriber(channel: "micro", options: options)
    }

    func publish(_ metadata: Metadata = [:]) throws {
        try publisher.publish(try publisher.nextSlotBlocking(), metadata: metadata)
    }
}

private let metadata: Metadata = [
    "ExposureTime": 8_000, "AnalogueGain": .float(2.5), "DigitalGain": .float(1), "ColourTemperature": 4_500,
    "FrameDuration": .int64(33_333), "Lux": .float(410), "SensorTimestamp": .int64(1_234_567_890_123),
    "AeLocked": .bool(true),
]

/// What one step of a frame's way costs while nobody sleeps. What waking somebody costs is `make bench`.
let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.wallClock, .cpuTotal],
        scalingFactor: .kilo,
        maxDuration: .seconds(2)
    )

    Benchmark("publish, to nobody") { benchmark in
        let channel = try LocalChannel()
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations { try channel.publish() }
        benchmark.stopMeasurement()
    }

    Benchmark("publish, to one that never takes") { benchmark in
        let channel = try LocalChannel()
        let subscriber = try channel.subscribe()
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations { try channel.publish() }
        benchmark.stopMeasurement()
        subscriber.close()
    }

    Benchmark("publish, take and release") { benchmark in
        let channel = try LocalChannel()
        let subscriber = try channel.subscribe()
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations {
            try channel.publish()
            if let frame = try subscriber.nextBlocking() { blackHole(frame.sequence) }
        }
        benchmark.stopMeasurement()
    }

    Benchmark("publish 8 entries of metadata, take, read 3") { benchmark in
        let channel = try LocalChannel()
        let subscriber = try channel.subscribe()
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations {
            try channel.publish(metadata)
            if let frame = try subscriber.nextBlocking() {
                blackHole(frame.metadata["ExposureTime"])
                blackHole(frame.metadata["Lux"])
                blackHole(frame.metadata["SensorTimestamp"])
            }
        }
        benchmark.stopMeasurement()
    }

    Benchmark("attach and leave", configuration: .init(scalingFactor: .one)) { benchmark in
        let channel = try LocalChannel()
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations { try channel.subscribe().close() }
        benchmark.stopMeasurement()
    }
}
