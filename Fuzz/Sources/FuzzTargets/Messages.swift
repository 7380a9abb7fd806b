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
    if case .places(_, let places) = message { checkPlaces(places) }
    if case .generation(let offer) = message {
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

/// Where a peer says that buffers lie: whatever it says, finding a place overflows nowhere. Whether the places fit an offer is
/// asked before anything is opened (`BufferPlaces.fault`).
private func checkPlaces(_ places: BufferPlaces) {
    precondition(places.runCount <= Stream.maximumCount * 4 * BufferPlaces.maximumRuns)
    for (stream, buffers) in places.runs.enumerated() {
        for (buffer, runs) in buffers.enumerated() {
            let slots = runs.reduce(0) { $0 + $1.slots }
            for slot in [0, slots / 2, slots - 1] where slot >= 0 {
                guard let place = places.place(slot: slot, stream: stream, buffer: buffer) else { continue }
                precondition(place.descriptor >= 0 && place.offset >= 0, "a place before the beginning")
            }
        }
    }
}
