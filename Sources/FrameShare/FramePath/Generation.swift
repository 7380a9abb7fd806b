internal import FrameMemory
internal import LeaseProtocol
internal import Synchronization

/// One configuration of a channel: its buffers, frame table, lease table and lanes. A new one takes over at each
/// reconfiguration; the old one stays until nobody holds a frame of it.
struct Generation {
    /// What never changes of it, as one reference: a slot that is being filled takes it along.
    final class Memory: Sendable {
        let number: UInt32
        let pool: FramePool
        let copies: (any FrameCopies)?
        let frames: FrameTable
        /// Mappings of compressed images that this process did not map for writing, made at their first use.
        private let mappings = Mutex<[Int: Mapping]>([:])
        /// Where this process writes: the pool's buffers, slot after slot.
        private let bytes: BufferBytesTable
        private let anyDMABuf: Bool
        /// The first stream's name, in a string of its own.
        private let firstName: String
        /// Whether buffers lie elsewhere than at the beginning of a descriptor of their own.
        let sharesDescriptors: Bool

        init(number: UInt32, pool: FramePool, copies: (any FrameCopies)?, frames: FrameTable) {
            self.number = number
            self.pool = pool
            self.copies = copies
            self.frames = frames
            firstName = pool.streams.first?.name ?? ""
            let slots = pool.slots + (copies?.buffers ?? [])
            sharesDescriptors = slots.contains { $0.contains { $0.contains { $0.offset > 0 } } }
            anyDMABuf = pool.slots.contains { $0.contains { $0.contains { $0.kind.isDMABuf } } }
            bytes = BufferBytesTable(
                pool.slots.map { $0.map { $0.map { ($0.writableMapping?.baseAddress, $0.size) } } }
            )
        }

        deinit { bytes.free() }

        /// Where the bytes of a buffer are, to be written. The pool keeps them.
        func bytes(_ slot: Int, stream: Int, buffer: Int) -> UnsafeMutableRawBufferPointer? {
            bytes.bytes(slot, stream: stream, buffer: buffer)
        }

        /// The same, once the CPU's access to them has begun where the memory needs that.
        @inline(__always)
        func beginWriting(_ slot: Int, stream: Int, buffer: Int) -> UnsafeMutableRawBufferPointer? {
            let bytes = bytes.bytes(slot, stream: stream, buffer: buffer)
            if anyDMABuf, bytes != nil { sync(slot, stream, buffer) { try? $0.beginCPUAccess(.write) } }
            return bytes
        }

        @inline(__always)
        func endWriting(_ slot: Int, stream: Int, buffer: Int) {
            if anyDMABuf { sync(slot, stream, buffer) { try? $0.endCPUAccess(.write) } }
        }

        @inline(never)
        private func sync(_ slot: Int, _ stream: Int, _ buffer: Int, _ body: (FrameBuffer) -> Void) {
            let buffers = pool.slots[slot][stream]
            if buffers[0].kind.isDMABuf { body(buffers[buffer]) }
        }

        /// The place of a stream in the channel's order.
        @inline(__always)
        func streamIndex(_ name: String) -> Int? { name == firstName ? 0 : furtherStreamIndex(name) }

        @inline(never)
        private func furtherStreamIndex(_ name: String) -> Int? { pool.streams.firstIndex { $0.name == name } }

        /// What the CPU can read of a stream's first buffer; nil where it can't map it.
        func mapping(_ slot: Int, stream: Int) -> Mapping? {
            let buffer = pool.slots[slot][stream][0]
            if let mapping = buffer.writableMapping { return mapping }
            return mappings.withLock { mappings in
                let place = slot * pool.streams.count + stream
                if let mapping = mappings[place] { return mapping }
                let mapping = try? buffer.map(.read)
                mappings[place] = mapping
                return mapping
            }
        }
    }

    let memory: Memory
    var number: UInt32 { memory.number }
    var pool: FramePool { memory.pool }
    var copies: (any FrameCopies)? { memory.copies }
    var frames: FrameTable { memory.frames }
    var leases: LeaseTable
    /// The lanes' memory, by subscriber; `leases` has pointers into it.
    var lanes: [LeaseTable.SubscriberID: SharedMemory] = [:]

    init(
        number: UInt32,
        pool: FramePool,
        channel: String,
        metadataCapacity: Int,
        settings: PublisherCore.Settings
    ) throws(ChannelError) {
        let copies = try settings.makeCopies?(pool, metadataCapacity)
        do throws(MemoryError) {
            let frames = try FrameTable(
                creating: channel,
                generation: number,
                slots: pool.slots.count + (copies?.count ?? 0),
                metadataCapacity: metadataCapacity
            )
            memory = Memory(number: number, pool: pool, copies: copies, frames: frames)
        } catch {
            throw .memory(error)
        }
        if memory.sharesDescriptors {
            let (places, _) = BufferPlaces.of(pool.slots + (copies?.buffers ?? []))
            let runs = places.runCount
            guard runs <= BufferPlaces.maximumRuns else {
                throw .poolShape(
                    "its buffers lie in \(runs) places of no order, of which \(BufferPlaces.maximumRuns) are the most:"
                        + " keep the slots in the order in which they were allocated"
                )
            }
        }
        leases = LeaseTable(
            slots: pool.slots.count,
            sourceNeed: settings.sourceNeed,
            copySlots: copies?.count ?? 0,
            floor: copies?.floor ?? 0
        )
    }

    /// Forgets a subscriber and all that it held.
    mutating func remove(_ id: LeaseTable.SubscriberID) {
        if let lane = lanes[id] {
            // REVOKE: before its slots are free. Whoever rewrites one has seen this store, by the lock that guards the
            // table.
            LaneMemory(at: lane.mapping.baseAddress, depth: 1).revoked.pointee.store(
                1,
                ordering: .sequentiallyConsistent
            )
            atomicMemoryFence(ordering: .sequentiallyConsistent)
        }
        leases.remove(id)
        lanes[id] = nil
    }

    /// What a subscriber with these streams is told.
    func offer(streams names: [String], depth: Int) -> GenerationOffer {
        let streams = chosen(names).map { index in
            let buffers = pool.slots[0][index]
            return StreamOffer(
                stream: pool.streams[index],
                index: index,
                memory: buffers[0].kind,
                protection: buffers[0].writeProtection,
                bufferSizes: buffers.map(\.size)
            )
        }
        return GenerationOffer(
            generation: number,
            slots: frames.slots,
            copySlots: frames.slots - pool.firstCopy,
            copyProtection: copies?.protection ?? pool.slots[pool.slots.count - 1][0][0].writeProtection,
            depth: depth,
            laneSize: LaneMemory.size(depth: depth),
            recordStride: frames.recordStride,
            metadataCapacity: frames.metadataCapacity,
            streams: streams
        )
    }

    /// The descriptors of the chosen streams, in the order in which they are sent, and where the buffers lie in them. No
    /// places where each buffer has a descriptor of its own.
    func descriptors(streams names: [String]) -> (descriptors: [Int32], places: BufferPlaces?) {
        let indices = chosen(names)
        let buffers = (pool.slots + (copies?.buffers ?? [])).map { slot in indices.map { slot[$0] } }
        guard memory.sharesDescriptors else {
            return (buffers.joined().joined().map(\.descriptor), nil)
        }
        let (places, descriptors) = BufferPlaces.of(buffers)
        return (descriptors, places)
    }

    /// Why a subscriber of such a version can't read this generation; nil: it can.
    func refusal(to version: ProtocolVersion) -> String? {
        guard memory.sharesDescriptors, version < BufferPlaces.version else { return nil }
        let reason = "many slots of this channel's pool lie in one descriptor"
        return "\(reason), which takes protocol \(BufferPlaces.version); "
            + ProtocolVersion.comparison(of: "the publisher", with: "the program", version)
    }

    /// The places of the named streams, in the channel's order; all when none is named.
    private func chosen(_ names: [String]) -> [Int] {
        pool.streams.indices.filter { names.isEmpty || names.contains(pool.streams[$0].name) }
    }

    /// The first of these names that is no stream here.
    func firstUnknown(_ names: [String]) -> String? {
        names.first { name in !pool.streams.contains { $0.name == name } }
    }
}
