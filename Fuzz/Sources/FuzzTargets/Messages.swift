import LeaseProtocol

@testable import FrameShare

/// Control messages, as either side reads them from a peer it does not trust.
///
/// Nothing but a whole message is read; what was read can be written, fits a message, and reads the same.
func fuzzMessages(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count <= Message.maximumSize, let message = try? Message(bytes: Array(bytes)[...]) else { return }
    let written = message.encoded
    // What an older sender leaves out is written with its default.
    precondition(written.count <= Message.maximumSize, "it grew too long")
    precondition((try? Message(bytes: written[...])) == message, "it reads differently")
    if case .generation(let offer) = message {
        precondition(offer.descriptorCount >= 1 && offer.descriptorCount <= SlotSet.capacity * Stream.maximumCount * 4)
        for stream in offer.streams { checkPlanes(of: stream.stream.layout) }
        let size = FrameTable.size(
            headerSize: offer.tableHeaderSize,
            slots: offer.slots,
            recordStride: offer.recordStride
        )
        precondition(size >= FrameTable.headerSize + offer.slots * offer.recordStride)
        precondition(offer.recordStride >= offer.recordSize + offer.metadataCapacity)
        precondition(offer.laneSize >= LaneMemory.size(depth: offer.depth))
    }
}
