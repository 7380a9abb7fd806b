@testable import FrameShare

/// Control messages, as either side reads them from a peer it does not trust.
///
/// Nothing but a whole message is read; what was read can be written, is then no longer than it was, and reads the same.
func fuzzMessages(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count <= Message.maximumSize, let message = try? Message(bytes: Array(bytes)[...]) else { return }
    let written = message.encoded
    precondition(written.count <= bytes.count, "it grew")
    precondition((try? Message(bytes: written[...])) == message, "it reads differently")
    if case .generation(let offer) = message {
        precondition(offer.descriptorCount >= 1 && offer.descriptorCount <= SlotSet.capacity * Stream.maximumCount * 4)
        for stream in offer.streams { checkPlanes(of: stream.stream.layout) }
        precondition(
            FrameTable.size(slots: offer.slots, recordStride: offer.recordStride) >= offer.slots * offer.recordStride
        )
    }
}
