import CContestant
import FrameShare
import Glibc

extension ChannelBench {
    /// What the C callbacks work on.
    private final class Publishing {
        let publisher: Publisher
        let run: UnsafeMutablePointer<contestant>
        private var next: WritableSlot?

        init(_ run: UnsafeMutablePointer<contestant>) throws {
            self.run = run
            var options = Publisher.Options()
            options.directory = run.pointee.directory
            // Its readers' pace is its own; one that is stuck ends it by the time-outs below.
            options.stallLimit = nil
            publisher = try Publisher(
                channel: run.pointee.channelName,
                streams: [
                    "main": try ImageLayout.computed(width: 1000, height: Int(run.pointee.size) / 1000, format: .r8)
                ],
                slots: run.pointee.poolSize,
                options: options
            )
        }

        func prepare() throws {
            if next == nil { next = try publisher.nextSlotBlocking(timeout: .seconds(10)) }
        }

        func publish(_ number: UInt64, _ stamp: Int64) throws {
            try prepare()
            guard let slot = next.take() else { return }
            fill(slot, number, stamp)
            try publisher.publish(slot, FrameDescription(timestamp: FrameTimestamp(nanoseconds: stamp)))
        }

        private func fill(_ slot: borrowing WritableSlot, _ number: UInt64, _ stamp: Int64) {
            slot["main"].withUnsafeMutableBytes { contestant_fill(run, $0.baseAddress, number, stamp) }
        }

        /// Every reader's budget is what may be in flight: there is room for one more when one less is.
        func waitForRoom() throws { try publisher.waitForRoom(timeout: .seconds(10)) }
    }

    /// What a callback was given; it outlives the call.
    private static func withPublishing(
        _ context: UnsafeMutableRawPointer?,
        _ body: (Publishing) throws -> Void
    ) -> Int32 {
        guard let context else { return EINVAL }
        do {
            try body(Unmanaged<Publishing>.fromOpaque(context).takeUnretainedValue())
            return 0
        } catch {
            contestant_fail("channel-bench: \(error)", 0)
        }
    }

    static func publish(_ run: UnsafeMutablePointer<contestant>) throws {
        let publishing = try Publishing(run)
        contestant_publisher_run(
            run,
            Unmanaged.passUnretained(publishing).toOpaque(),
            { context in ChannelBench.withPublishing(context) { try $0.prepare() } },
            { context, number, stamp in ChannelBench.withPublishing(context) { try $0.publish(number, stamp) } },
            { context, _ in ChannelBench.withPublishing(context) { try $0.waitForRoom() } }
        )
        publishing.publisher.close()
    }
}
