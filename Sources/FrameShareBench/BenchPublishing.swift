import FrameCommand
import FrameJSON
import FrameShare
import Glibc

/// Publishes a benchmark's frames: waits for its readers, then sends so many, at a pace or as fast as they follow.
struct BenchPublishing {
    var channel: String
    /// Bytes of a frame.
    var size: Int
    var readers: Int
    /// Frames a second; 0: as fast as the readers follow, losing none.
    var rate: Double
    var frames: Int
    var fill: BenchTouch
    /// Slots of the pool; nil: what the readers need.
    var slots: Int?
    var memory: MemoryPreference
    /// How long to wait for the readers.
    var patience: Duration

    /// The budget that a reader of `bench-subscriber` asks for when it wants every frame.
    static let readerBudget = 4
    /// The first frames find cold caches and unmapped pages: they are sent, and not counted.
    static let warmUp = 8

    static func slots(readers: Int, budget: Int = readerBudget) -> Int { max(8, 2 + budget * readers) }

    func run(_ stop: StopRequest) throws -> ContestantReport {
        var options = Publisher.Options()
        options.memory = memory
        // A benchmark waits for its readers, for ever: they are its own.
        options.stallLimit = nil
        options.sourceName = "benchmark"
        // Bytes of any number, as a compressed image is.
        let layout = ImageLayout(
            width: 1,
            height: 1,
            format: .mjpeg,
            planes: [PlaneLayout(offset: 0, stride: 0, size: size)]
        )
        let publisher = try Publisher(
            channel: channel,
            streams: ["main": layout],
            slots: slots ?? Self.slots(readers: readers),
            options: options
        )
        try waitForReaders(publisher, stop) { _ in true }

        var report = ContestantReport(
            side: "publisher",
            channel: channel,
            frames: 0,
            lost: 0,
            latency: LatencyHistogram(),
            cpu: 0,
            wall: 0
        )
        let period = rate > 0 ? Int64(min(1e9 / rate, 1e18)) : 0
        var due = ProcessUsage.now.addingClamped(period)
        var (began, cpu): (Int64, Int64) = (0, 0)
        for i in 0..<frames.addingClamped(Self.warmUp) {
            if stop.isStopped { break }
            if i == Self.warmUp { (began, cpu) = (ProcessUsage.now, ProcessUsage.cpuNow) }
            let slot = try nextSlot(publisher, stop)
            guard let slot else { break }
            if fill == .all { Self.fillAll(slot, UInt8(truncatingIfNeeded: i)) }
            if period > 0 {
                Self.sleep(until: due, stop)
                if stop.isStopped { break }
                due = due.addingClamped(period)
            }
            let stamp = ProcessUsage.now
            Self.stamp(slot, number: Int64(i), stamp)
            try publisher.publish(slot, FrameDescription(timestamp: FrameTimestamp(nanoseconds: stamp)))
            if i >= Self.warmUp {
                report.latency.record(nanoseconds: ProcessUsage.now - stamp)
                report.frames += 1
            }
            if i == 0 {
                // Who was let in may not have its descriptors yet: it is there when it has a frame.
                try waitForReaders(publisher, stop) { $0.delivered > 0 }
                due = ProcessUsage.now.addingClamped(period)
            }
        }
        if report.frames > 0 {
            (report.cpu, report.wall) = (ProcessUsage.cpuNow - cpu, ProcessUsage.now - began)
        }
        report.usage = .current
        report.lost = publisher.statistics.lostNoFreeSlot
        report.more = [
            .init(key: "readers", value: .number(readers)), .init(key: "size", value: .number(size)),
            .init(key: "slots", value: .number(publisher.slotCount)),
            .init(key: "memory", value: .string(publisher.allocationReport?.source ?? "memfd")),
        ]
        publisher.close()
        return report
    }

    /// A slot; nil when the command is to stop. Un-paced, it is there when every reader has room.
    private func nextSlot(_ publisher: Publisher, _ stop: StopRequest) throws -> WritableSlot? {
        while !stop.isStopped {
            do throws(ChannelError) {
                return try publisher.nextSlotBlocking(timeout: .milliseconds(500))
            } catch {
                guard error.isTimeout else { throw error }
            }
        }
        return nil
    }

    /// Waits until as many readers as asked for are there and `isReady`.
    private func waitForReaders(
        _ publisher: Publisher,
        _ stop: StopRequest,
        isReady: (ChannelStatistics.SubscriberStatus) -> Bool
    ) throws {
        let limit = ProcessUsage.now.addingClamped(patience.nanoseconds)
        while true {
            let ready = publisher.statistics.subscribers.count(where: isReady)
            if ready >= readers { return }
            guard ProcessUsage.now < limit else {
                throw CommandFailure(
                    "\(ready) of \(readers) readers came within \(patience). "
                        + "Start each: 'frameshare bench-subscriber --channel \(channel)'"
                )
            }
            guard stop.sleep(nanoseconds: 2_000_000) else { return }
        }
    }

    private static func stamp(_ slot: borrowing WritableSlot, number: Int64, _ stamp: Int64) {
        slot["main"].withUnsafeMutableBytes { BenchHeader.write(number: number, stamp: stamp, to: $0) }
    }

    private static func fillAll(_ slot: borrowing WritableSlot, _ value: UInt8) {
        slot["main"].withUnsafeMutableBytes { bytes in
            if let start = bytes.baseAddress { memset(start, Int32(value), bytes.count) }
        }
    }

    /// Sleeps until a moment, or until the command is to stop: a low rate has moments far apart.
    static func sleep(until moment: Int64, _ stop: StopRequest) {
        while !stop.isStopped {
            let next = min(moment, ProcessUsage.now + 100_000_000)
            var time = timespec(tv_sec: Int(next / 1_000_000_000), tv_nsec: Int(next % 1_000_000_000))
            while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil) == EINTR {}
            if next == moment { return }
        }
    }
}
