/// Where the bytes of a generation's buffers are in this process: a plain table, so that whoever touches an image counts no
/// reference and walks no array of arrays.
///
/// A plain value. Whoever makes it keeps the mappings, and ends it by ``free()`` once no copy is used any more.
// @unchecked: nothing of it changes after it was made.
struct BufferBytesTable: @unchecked Sendable {
    private struct Entry {
        var address: UnsafeMutableRawPointer?
        var size: Int
    }

    private let entries: UnsafeMutablePointer<Entry>
    /// For each stream, where its buffers begin in a slot, and how many there are.
    private let streams: UnsafeMutablePointer<(first: Int, count: Int)>
    private let slotCount: Int
    private let streamCount: Int
    private let buffersPerSlot: Int

    /// Makes the table of `slots[slot][stream][buffer]`, each with as many streams and buffers as the first. A buffer that the
    /// CPU can't map has no address.
    init(_ slots: [[[(address: UnsafeMutableRawPointer?, size: Int)]]]) {
        let shape = slots.first?.map(\.count) ?? []
        slotCount = slots.count
        streamCount = shape.count
        buffersPerSlot = shape.reduce(0, +)
        streams = .allocate(capacity: max(1, streamCount))
        var first = 0
        for (i, count) in shape.enumerated() {
            (streams + i).initialize(to: (first, count))
            first += count
        }
        let all = slots.joined().joined()
        entries = .allocate(capacity: max(1, slotCount * buffersPerSlot))
        for (i, buffer) in all.enumerated() {
            precondition(i < slotCount * buffersPerSlot, "all slots have the same buffers")
            (entries + i).initialize(to: Entry(address: buffer.address, size: buffer.size))
        }
    }

    func free() {
        entries.deallocate()
        streams.deallocate()
    }

    /// The bytes of a buffer; nil for one that is not there, or that the CPU can't map.
    @inline(__always)
    func bytes(_ slot: Int, stream: Int, buffer: Int) -> UnsafeMutableRawBufferPointer? {
        // As unsigned numbers, those below zero are too large.
        guard UInt(bitPattern: slot) < UInt(bitPattern: slotCount),
            UInt(bitPattern: stream) < UInt(bitPattern: streamCount)
        else { return nil }
        let (first, count) = streams[stream]
        guard UInt(bitPattern: buffer) < UInt(bitPattern: count) else { return nil }
        let entry = entries[slot &* buffersPerSlot &+ first &+ buffer]
        guard let address = entry.address else { return nil }
        return UnsafeMutableRawBufferPointer(start: address, count: entry.size)
    }
}
