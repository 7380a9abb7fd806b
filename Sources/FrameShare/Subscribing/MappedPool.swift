public import FrameMemory
public import PixelFormats

/// All buffers of a subscriber's pool at once, as they are mapped: to import them into a GPU, an encoder or another program's
/// pool once, before the first frame comes.
///
/// Pixels are read through a ``Frame``, whose ``Frame/slot`` says which of these buffers it lies in: without a lease, the
/// publisher writes to them at any time. The descriptors and the mapping last as long as this value, also after the channel
/// was reconfigured; then it is the pool of an old generation, and ``Subscriber/pool`` is another.
public struct MappedPool: Sendable {
    private let received: ReceivedGeneration

    init(_ received: ReceivedGeneration) { self.received = received }

    /// One buffer of a slot.
    public struct Buffer: Sendable {
        /// What kind of memory it is.
        public let memory: MemoryKind
        /// The descriptor it lies in: the library's, so duplicate it to keep it.
        public let descriptor: Int32
        /// Where it begins in the descriptor, in bytes.
        public let offset: Int
        /// Its bytes.
        public let byteCount: Int
        /// Where it is mapped, read-only; nil where the CPU can't map the memory.
        public let address: UInt?
    }

    /// The generation whose frames lie in it: ``Frame/generation``.
    public var generation: UInt32 { received.offer.generation }

    /// How many slots it has. Those from ``firstCopySlot`` on are for copies (``LagCopies``).
    public var slotCount: Int { received.offer.slots }

    /// The first slot for copies, in ordinary memory; ``slotCount`` where there is none.
    public var firstCopySlot: Int { min(received.offer.firstCopy, received.offer.slots) }

    /// The streams subscribed to.
    public var streams: [Stream] { received.offer.streams.map(\.stream) }

    /// The buffers of a stream's image in a slot; none for a slot or a stream that the pool has not.
    public func buffers(slot: Int, stream: String) -> [Buffer] {
        guard let index = received.streamIndex(stream) else { return [] }
        return buffers(slot: slot, streamAt: index)
    }

    package func buffers(slot: Int, streamAt index: Int) -> [Buffer] {
        guard received.offer.streams.indices.contains(index), 0..<slotCount ~= slot else { return [] }
        let stream = received.offer.streams[index]
        return stream.bufferSizes.enumerated().map { number, size in
            let buffer = received.buffer(slot: slot, stream: index, buffer: number)
            return Buffer(
                memory: received.isCopy(slot) ? .memfd : stream.memory,
                descriptor: buffer.descriptor,
                offset: buffer.offset,
                byteCount: size,
                address: received.bytes(slot: slot, stream: index, buffer: number)?
                    .baseAddress.map(UInt.init(bitPattern:))
            )
        }
    }

    /// What keeps readers from writing to a stream's buffers in a slot; nil for a slot or a stream that the pool has not.
    package func protection(slot: Int, streamAt index: Int) -> WriteProtection? {
        guard received.offer.streams.indices.contains(index), 0..<slotCount ~= slot else { return nil }
        return received.isCopy(slot) ? received.offer.copyProtection : received.offer.streams[index].protection
    }
}

extension Subscriber {
    /// The buffers that frames of the present generation lie in. Look again when a frame has another ``Frame/generation``.
    public var pool: MappedPool { MappedPool(received) }
}
