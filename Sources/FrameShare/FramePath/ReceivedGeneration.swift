internal import CLinuxMedia
internal import FrameMemory
internal import Synchronization

/// A subscriber's hold on one generation: its lane, the frame table and the buffers, mapped once. Frames keep it alive,
/// so a frame of an old generation stays valid after the channel was reconfigured, and after it has ended.
// @unchecked: `views` and all else are immutable after init, but for the atomics behind `syncMasks` and the lane.
final class ReceivedGeneration: @unchecked Sendable {
    let offer: Message.GenerationOffer
    let lane: LaneMemory
    let frames: FrameTable
    let page: ChannelPage
    private let laneMemory: SharedMemory
    let leases: SubscriberConnection
    private let views: [BufferView]
    /// Where those are mapped.
    private let mapped: BufferBytesTable
    private let buffersPerSlot: Int
    /// For each stream, where its buffers begin in a slot.
    private let firstBuffer: [Int]
    /// For each slot, the word of its ``CPUAccessGate``.
    private let syncMasks: UnsafeMutablePointer<Atomic<UInt32>>
    private let anyDMABuf: Bool

    /// A buffer and where it is mapped. `mapping` is nil where the CPU can't map it.
    struct BufferView {
        let buffer: FrameBuffer
        let mapping: Mapping?
    }

    /// Opens what the publisher sent. Every size and seal is checked before anything is mapped: a publisher that lies
    /// gets an error here, and can't make a reader fault later.
    init(
        offer: Message.GenerationOffer,
        page: ChannelPage,
        table: consuming OwnedDescriptor,
        lane laneDescriptor: consuming OwnedDescriptor,
        buffers: consuming [Int32],
        leases: SubscriberConnection
    ) throws(ChannelError) {
        self.offer = offer
        self.page = page
        self.leases = leases
        // Adopted one by one: from here on each is closed on every way out.
        var owned = buffers[...]
        defer { for number in owned { _ = OwnedDescriptor(owning: number) } }
        do throws(MemoryError) {
            laneMemory = try SharedMemory(
                adopting: laneDescriptor,
                size: offer.laneSize,
                access: .readWrite
            )
        } catch {
            throw .memory(error)
        }
        frames = try FrameTable(adopting: table, offer: offer)
        do throws(MemoryError) {
            var views: [BufferView] = []
            views.reserveCapacity(offer.descriptorCount)
            for slot in 0..<offer.slots {
                let isCopy = slot >= offer.firstCopy
                for stream in offer.streams {
                    let kind = isCopy ? .memfd : stream.memory
                    for size in stream.bufferSizes {
                        guard let number = owned.popFirst() else { break }
                        let buffer = try FrameBuffer(
                            adopting: OwnedDescriptor(owning: number),
                            kind: kind,
                            size: size,
                            writeProtection: isCopy ? offer.copyProtection : stream.protection
                        )
                        // A dma-buf may refuse to be mapped by a CPU; a memfd may not.
                        let mapping = kind.isDMABuf ? try? buffer.map(.read) : try buffer.map(.read)
                        views.append(BufferView(buffer: buffer, mapping: mapping))
                    }
                }
            }
            self.views = views
            var left = views[...]
            mapped = BufferBytesTable(
                (0..<offer.slots).map { _ in
                    offer.streams.map { stream in
                        stream.bufferSizes.map { size in (left.popFirst()?.mapping, size) }
                    }
                }
            )
        } catch {
            throw .memory(error)
        }
        lane = LaneMemory(at: laneMemory.mapping.baseAddress, depth: offer.depth)
        var first: [Int] = []
        var count = 0
        for stream in offer.streams {
            first.append(count)
            count += stream.bufferSizes.count
        }
        firstBuffer = first
        buffersPerSlot = count
        guard views.count == offer.descriptorCount else {
            syncMasks = .allocate(capacity: 1)
            anyDMABuf = false
            throw .protocolViolation("\(views.count) buffers came, not \(offer.descriptorCount)")
        }
        anyDMABuf = offer.streams.contains { $0.memory.isDMABuf }
        syncMasks = .allocate(capacity: offer.slots)
        for slot in 0..<offer.slots { (syncMasks + slot).initialize(to: Atomic<UInt32>(0)) }
    }

    deinit {
        syncMasks.deallocate()
        mapped.free()
    }

    /// Whether a slot is one of those for copies, in ordinary memory.
    func isCopy(_ slot: Int) -> Bool { slot >= offer.firstCopy }

    /// The place of a stream among those subscribed to.
    func streamIndex(_ name: String) -> Int? { offer.streams.firstIndex { $0.stream.name == name } }

    /// The bytes of a buffer, whose mapping this keeps; nil for one that is not there, or that the CPU can't map.
    @inline(__always)
    func bytes(slot: Int, stream: Int, buffer: Int) -> UnsafeMutableRawBufferPointer? {
        mapped.bytes(slot, stream: stream, buffer: buffer)
    }

    func buffer(slot: Int, stream: Int, buffer: Int) -> BufferView {
        views[slot * buffersPerSlot + firstBuffer[stream] + buffer]
    }

    /// Begins the CPU's access to a stream of a frame, once per frame; ended when the frame is released. Returns when it has
    /// begun, whichever thread does that.
    @inline(__always)
    func beginCPUAccess(slot: Int, stream: Int) {
        if anyDMABuf { beginAccessToDMABuf(slot, stream) }
    }

    @inline(never)
    private func beginAccessToDMABuf(_ slot: Int, _ stream: Int) {
        guard offer.streams[stream].memory.isDMABuf, !isCopy(slot) else { return }
        CPUAccessGate(syncMasks + slot).pass(stream: stream) {
            for i in offer.streams[stream].bufferSizes.indices {
                try? buffer(slot: slot, stream: stream, buffer: i).buffer.beginCPUAccess(.read)
            }
        }
    }

    /// Whether the publisher has taken back what is leased here.
    var isRevoked: Bool {
        // What was read of the pixels was read before this look: the other half of what `Generation.remove` does.
        atomicMemoryFence(ordering: .acquiring)
        return lane.revoked.pointee.load(ordering: .acquiring) != 0
    }

    /// RELEASE: ends a lease. Safe from any thread; a second call for the same lease does nothing.
    func release(_ slot: Int) {
        if anyDMABuf { endCPUAccess(slot) }
        defer { leases.end() }
        LaneTakes.release(slot, in: lane)
        // Sequentially consistent, after the released bit: the publisher announces its shortage before it looks.
        let shortage = page.shortage.pointee.load(ordering: .sequentiallyConsistent)
        guard shortage != 0 else { return }
        if shortage & FS_SHORT_FUTEX != 0 {
            lane.releaseWake.pointee.wrappingAdd(1, ordering: .sequentiallyConsistent)
            _ = fs_futex_wake(
                UnsafeMutableRawPointer(lane.releaseWake).assumingMemoryBound(to: UInt32.self),
                Int32.max
            )
        }
        // A full socket has messages that will wake the publisher anyway.
        if shortage & FS_SHORT_SOCKET != 0 { _ = leases.socket.send(bytes: Self.slotReleased) }
    }

    private static let slotReleased = Message.slotReleased.encoded

    private func endCPUAccess(_ slot: Int) {
        let mask = CPUAccessGate(syncMasks + slot).close()
        guard mask != 0 else { return }
        for stream in offer.streams.indices where mask & (1 << UInt32(stream)) != 0 {
            for i in offer.streams[stream].bufferSizes.indices {
                try? buffer(slot: slot, stream: stream, buffer: i).buffer.endCPUAccess(.read)
            }
        }
    }
}
