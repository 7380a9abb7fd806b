import FrameShare
import Glibc

extension Publisher {
    /// Fills a slot and submits it, without a deadline.
    func submit(
        filledWith value: UInt8,
        group: String = "g",
        metadata: Metadata = [:],
        _ configure: (inout AskOptions) -> Void = { _ in }
    ) throws -> PendingAnswer {
        let slot = try nextSlotBlocking(timeout: .seconds(20))
        slot.fill(with: value)
        var options = AskOptions()
        options.deadline = nil
        configure(&options)
        return try submit(group, slot, metadata: metadata, options: options)
    }
}

/// Why there is no answer; nil when there is one.
func failure(of pending: PendingAnswer) async -> WorkError? {
    do throws(WorkError) {
        _ = try await pending.answer
        return nil
    } catch {
        return error
    }
}

/// A millisecond, on the calling thread.
func usleepShort() { usleep(1000) }
