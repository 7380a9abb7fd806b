import FrameShare
import Glibc

/// A channel's own copies for who lags (`LagCopies`), beside memcpy of the same bytes from the same slots: a reader that takes
/// nothing has a copy made of each frame.
final class LagCell {
    private let bytes: Int
    private let folder: ScratchFolder
    private let publisher: Publisher
    private let reader: Subscriber
    private let scratch: UnsafeMutableRawPointer
    private let copies: Int
    private var turn = 0

    init(_ image: CopyCell.Image) throws {
        bytes = image.layout.bufferSize(0)
        copies = max(6, (128 << 20) / bytes)
        folder = try ScratchFolder()
        var options = Publisher.Options()
        options.directory = folder.directory
        options.lagCopies = LagCopies(.slots(copies), floor: 6)
        publisher = try Publisher(channel: "lag", streams: ["main": image.layout], slots: 6, options: options)
        var reading = Subscriber.Options()
        reading.directory = options.directory
        reading.budget = copies
        reader = try Subscriber(channel: "lag", policy: .queue(copies - 1), options: reading)
        scratch = .allocate(byteCount: copies * bytes, alignment: 4096)
        scratch.initializeMemory(as: UInt8.self, repeating: 1, count: copies * bytes)
        for _ in 0..<copies * 2 { try publisher.publish(try publisher.nextSlotBlocking(timeout: .seconds(5))) }
    }

    deinit {
        publisher.close()
        scratch.deallocate()
        folder.remove(["lag"])
    }

    /// The mean time of a frame, in ns: memcpy's, and that of publishing with a copy.
    func round() throws -> (memcpy: Double, publish: Double) {
        var sum = (memcpy: 0.0, publish: 0.0)
        let turns = max(12, (512 << 20) / bytes / 2)
        for _ in 0..<turns * 2 {
            turn += 1
            let slot = try publisher.nextSlotBlocking(timeout: .seconds(5))
            let began = now()
            if turn % 2 == 0 {
                try publisher.publish(slot)
                sum.publish += Double(now() - began)
                continue
            }
            slot["main"].withUnsafeMutableBytes { source in
                guard let from = source.baseAddress else { return }
                memcpy(scratch + turn % copies * bytes, from, bytes)
            }
            sum.memcpy += Double(now() - began)
            try publisher.publish(slot)
        }
        guard publisher.statistics.copies?.copied ?? 0 > UInt64(turns) else { throw ChannelError.timedOut() }
        return (sum.memcpy / Double(turns), sum.publish / Double(turns))
    }

    private func now() -> Int64 { FrameTimestamp.now().nanoseconds }
}
