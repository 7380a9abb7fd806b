public import FrameMemory
internal import LeaseProtocol
internal import PixelFormats

/// The buffers of one generation: for each slot, a buffer for each stream (several where an image has its planes in
/// different descriptors).
public struct FramePool: Sendable {
    /// The streams, in the order in which the buffers lie in a slot.
    public let streams: [Stream]
    /// `slots[slot][stream][buffer]`.
    public let slots: [[[FrameBuffer]]]
    /// The first slot that is in ordinary memory, whatever the others are in: another publisher's slots for copies.
    private(set) var firstCopy: Int
    /// How the buffers were made, where the library made them.
    public let allocationReport: AllocationReport?

    /// Registers buffers that a camera, or anyone else, has made.
    public init(
        streams: [Stream],
        slots: [[[FrameBuffer]]],
        allocationReport: AllocationReport? = nil
    ) throws(ChannelError) {
        try Self.check(streams)
        guard (2...SlotSet.capacity).contains(slots.count) else { throw .badSlotCount(slots.count) }
        for (number, slot) in slots.enumerated() {
            guard slot.count == streams.count else {
                throw .poolShape("slot \(number) has buffers for \(slot.count) streams, not \(streams.count)")
            }
            for (stream, buffers) in zip(streams, slot) {
                guard buffers.count == stream.layout.bufferCount else {
                    throw .poolShape(
                        "slot \(number) has \(buffers.count) buffers for '\(stream.name)', its layout"
                            + " \(stream.layout.bufferCount)"
                    )
                }
                for (i, buffer) in buffers.enumerated() where buffer.size < stream.layout.bufferSize(i) {
                    throw .poolShape(
                        "slot \(number): a buffer of '\(stream.name)' has \(buffer.size) bytes, its layout needs"
                            + " \(stream.layout.bufferSize(i))"
                    )
                }
            }
        }
        self.streams = streams
        self.slots = slots
        self.allocationReport = allocationReport
        firstCopy = slots.count
    }

    /// Registers the buffers of another publisher's pool, and of its slots for copies.
    init(streams: [Stream], slots: [[[FrameBuffer]]], firstCopy: Int) throws(ChannelError) {
        try self.init(streams: streams, slots: slots)
        self.firstCopy = firstCopy
    }

    /// Allocates a pool.
    public init(
        streams: [Stream],
        slots: Int,
        memory: MemoryPreference = .memfd,
        name: String = "pool"
    ) throws(ChannelError) {
        try Self.check(streams)
        guard (2...SlotSet.capacity).contains(slots) else { throw .badSlotCount(slots) }
        let allocator = BufferAllocator(preference: memory)
        var pool = [[[FrameBuffer]]](repeating: [], count: slots)
        var report: AllocationReport? = nil
        for stream in streams {
            var perBuffer: [[FrameBuffer]] = []
            for i in 0..<stream.layout.bufferCount {
                do throws(MemoryError) {
                    let (buffers, how) = try allocator.allocate(
                        count: slots,
                        size: stream.layout.bufferSize(i),
                        name: "\(name):\(stream.name)",
                        together: true
                    )
                    perBuffer.append(buffers)
                    report = report ?? how
                } catch {
                    throw .memory(error)
                }
            }
            for slot in 0..<slots { pool[slot].append(perBuffer.map { $0[slot] }) }
        }
        self.streams = streams
        self.slots = pool
        firstCopy = slots
        allocationReport = report
    }

    private static func check(_ streams: [Stream]) throws(ChannelError) {
        guard !streams.isEmpty else { throw .noStreams }
        guard streams.count <= Stream.maximumCount else { throw .tooManyStreams(streams.count) }
        var names: Set<String> = []
        for stream in streams {
            guard Stream.isValidName(stream.name) else { throw .badStreamName(stream.name) }
            guard names.insert(stream.name).inserted else { throw .duplicateStream(stream.name) }
            do throws(ImageLayoutError) {
                try stream.layout.validate()
            } catch {
                throw .layout(stream: stream.name, error)
            }
        }
    }
}
