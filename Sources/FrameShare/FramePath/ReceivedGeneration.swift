internal import CLinuxMedia
internal import FrameMemory
internal import LeaseProtocol
internal import Synchronization

/// A subscriber's hold on one generation: its lane, the frame table and the buffers, mapped once. Frames keep it alive,
/// so a frame of an old generation stays valid after the channel was reconfigured, and after it has ended.
// @unchecked: `buffers` and all else are immutable after init, but for the atomics behind `syncMasks` and the lane.
final class ReceivedGeneration: @unchecked Sendable {
    // What each frame needs, side by side.
    let lane: LaneMemory
    let leases: LeaseCount
    let page: ChannelPage
    private let anyDMABuf: Bool
    /// Its number: the offer's.
    let generation: UInt32
    /// The first stream's name, in a string of its own.
    private let firstName: String
    /// Where the buffers are mapped; no address where the CPU can't map the memory.
    private let mapped: BufferBytesTable
    let offer: GenerationOffer
    let frames: FrameTable
    private let laneMemory: SharedMemory
    /// Slot after slot, in it stream after stream.
    private let buffers: [FrameBuffer]
    private let buffersPerSlot: Int
    /// For each stream, where its buffers begin in a slot.
    private let firstBuffer: [Int]
    /// For each slot, the word of its ``CPUAccessGate``.
    private let syncMasks: UnsafeMutablePointer<Atomic<UInt32>>

    /// Opens what the publisher sent. Every size and seal is checked before anything is mapped: a publisher that lies
    /// gets an error here, and can't make a reader fault later.
    init(
        offer: GenerationOffer,
        page: ChannelPage,
        table: consuming OwnedDescriptor,
        lane laneDescriptor: consuming OwnedDescriptor,
        places: BufferPlaces,
        buffers: consuming [Int32],
        leases: LeaseCount
    ) throws(ChannelError) {
        self.offer = offer
        generation = offer.generation
        firstName = offer.streams.first?.stream.name ?? ""
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
        let memories = try Self.adopt(&owned, offer, places)
        do throws(MemoryError) {
            self.buffers = try Self.lay(offer, places, memories)
        } catch {
            throw .memory(error)
        }
        var left = self.buffers[...]
        mapped = BufferBytesTable(
            (0..<offer.slots).map { _ in
                offer.streams.map { stream in
                    stream.bufferSizes.map { size in
                        let buffer = left.popFirst()
                        return (buffer.flatMap { $0.memory.mapping?.baseAddress.advanced(by: $0.offset) }, size)
                    }
                }
            }
        )
        lane = LaneMemory(at: laneMemory.mapping.baseAddress, depth: offer.depth)
        var first: [Int] = []
        var count = 0
        for stream in offer.streams {
            first.append(count)
            count += stream.bufferSizes.count
        }
        firstBuffer = first
        buffersPerSlot = count
        anyDMABuf = offer.streams.contains { $0.memory.isDMABuf }
        syncMasks = .allocate(capacity: offer.slots)
        for slot in 0..<offer.slots { (syncMasks + slot).initialize(to: Atomic<UInt32>(0)) }
    }

    /// What of the offer lies in a descriptor.
    private struct Content {
        var size = 0
        var kind: MemoryKind?
        var protection = WriteProtection.none
    }

    /// Verifies each descriptor for all that is said to lie in it, and maps it once.
    private static func adopt(
        _ descriptors: inout ArraySlice<Int32>,
        _ offer: GenerationOffer,
        _ places: BufferPlaces
    ) throws(ChannelError) -> [BufferMemory] {
        var contents = [Content](repeating: Content(), count: places.descriptorCount)
        for (runs, stream) in zip(places.runs, offer.streams) {
            for (runs, size) in zip(runs, stream.bufferSizes) {
                var slot = 0
                for run in runs {
                    for i in 0..<run.slots {
                        let isCopy = slot >= offer.firstCopy
                        let number = run.descriptor + i * run.descriptorStep
                        let kind = isCopy ? .memfd : stream.memory
                        guard contents[number].kind ?? kind == kind else {
                            throw .protocolViolation("a descriptor with memory of two kinds")
                        }
                        guard !kind.isDMABuf || (run.offset == 0 && run.stride == 0) else {
                            throw .protocolViolation("a dma-buf with more than one buffer")
                        }
                        // No overflow: the places' numbers were bounded as they were read.
                        contents[number].size = max(contents[number].size, run.offset + i * run.stride + size)
                        contents[number].kind = kind
                        contents[number].protection = isCopy ? offer.copyProtection : stream.protection
                        slot += 1
                    }
                }
            }
        }
        var memories: [BufferMemory] = []
        memories.reserveCapacity(contents.count)
        for content in contents {
            guard let kind = content.kind, let number = descriptors.popFirst() else {
                throw .protocolViolation("a descriptor that nothing lies in")
            }
            do throws(MemoryError) {
                memories.append(
                    try BufferMemory(
                        adopting: OwnedDescriptor(owning: number),
                        kind: kind,
                        size: content.size,
                        writeProtection: content.protection,
                        mapped: .read
                    )
                )
            } catch {
                throw .memory(error)
            }
        }
        return memories
    }

    private static func lay(
        _ offer: GenerationOffer,
        _ places: BufferPlaces,
        _ memories: [BufferMemory]
    ) throws(MemoryError) -> [FrameBuffer] {
        var buffers: [FrameBuffer] = []
        buffers.reserveCapacity(offer.slots * places.runs.reduce(0) { $0 + $1.count })
        for slot in 0..<offer.slots {
            for (stream, described) in offer.streams.enumerated() {
                for (i, size) in described.bufferSizes.enumerated() {
                    guard let place = places.place(slot: slot, stream: stream, buffer: i) else { throw .badSize(0) }
                    buffers.append(try FrameBuffer(in: memories[place.descriptor], offset: place.offset, size: size))
                }
            }
        }
        return buffers
    }

    deinit {
        syncMasks.deallocate()
        mapped.free()
    }

    /// Whether a slot is one of those for copies, in ordinary memory.
    func isCopy(_ slot: Int) -> Bool { slot >= offer.firstCopy }

    /// The place of a stream among those subscribed to.
    @inline(__always)
    func streamIndex(_ name: String) -> Int? {
        // Most frames have one stream, and each has a first one. A name is not empty.
        name == firstName ? 0 : furtherStreamIndex(name)
    }

    @inline(never)
    private func furtherStreamIndex(_ name: String) -> Int? { offer.streams.firstIndex { $0.stream.name == name } }

    /// The bytes of a buffer, once the CPU's access to them has begun; nil as ``bytes(slot:stream:buffer:)``.
    @section("frameshare_way")
    func readableBytes(slot: Int, stream: Int, buffer: Int) -> UnsafeMutableRawBufferPointer? {
        let bytes = bytes(slot: slot, stream: stream, buffer: buffer)
        if anyDMABuf, bytes != nil { beginAccessToDMABuf(slot, stream) }
        return bytes
    }

    /// The bytes of a buffer, whose mapping this keeps; nil for one that is not there, or that the CPU can't map.
    @inline(__always)
    func bytes(slot: Int, stream: Int, buffer: Int) -> UnsafeMutableRawBufferPointer? {
        mapped.bytes(slot, stream: stream, buffer: buffer)
    }

    func buffer(slot: Int, stream: Int, buffer: Int) -> FrameBuffer {
        buffers[slot * buffersPerSlot + firstBuffer[stream] + buffer]
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
                try? buffer(slot: slot, stream: stream, buffer: i).beginCPUAccess(.read)
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
    @section("frameshare_way")
    func release(_ slot: Int) {
        if anyDMABuf { endCPUAccess(slot) }
        LaneTakes.release(slot, in: lane)
        // Sequentially consistent, after the released bit: the publisher announces its shortage before it looks.
        let shortage = page.shortage.pointee.load(ordering: .sequentiallyConsistent)
        if shortage != 0 { tellOfRelease(shortage) }
        leases.end()
    }

    @inline(never)
    private func tellOfRelease(_ shortage: UInt32) {
        if shortage & FS_SHORT_FUTEX != 0 {
            lane.releaseWake.pointee.wrappingAdd(1, ordering: .sequentiallyConsistent)
            _ = fs_futex_wake(
                UnsafeMutableRawPointer(lane.releaseWake).assumingMemoryBound(to: UInt32.self),
                Int32.max
            )
        }
        if shortage & FS_SHORT_SOCKET != 0 { leases.connection.tellReleased() }
    }

    @inline(never)
    private func endCPUAccess(_ slot: Int) {
        let mask = CPUAccessGate(syncMasks + slot).close()
        guard mask != 0 else { return }
        for stream in offer.streams.indices where mask & (1 << UInt32(stream)) != 0 {
            for i in offer.streams[stream].bufferSizes.indices {
                try? buffer(slot: slot, stream: stream, buffer: i).endCPUAccess(.read)
            }
        }
    }
}

/// Whether the CPU's access to the streams of one slot has begun. The thread that touches a stream first begins it; others
/// that touch the stream meanwhile wait until that is done.
///
/// It is laid over a word that its owner keeps: bits 0 to 7 say of which streams the access was begun, 8 to 15 of which that
/// is done, and bit 16 that a thread sleeps until one more is.
struct CPUAccessGate {
    private let word: UnsafeMutablePointer<Atomic<UInt32>>
    private static let sleeper: UInt32 = 1 << 16

    init(_ word: UnsafeMutablePointer<Atomic<UInt32>>) { self.word = word }

    /// Returns once `begin` has returned, on this thread or another.
    func pass(stream: Int, _ begin: () -> Void) {
        let (begun, done) = (1 << UInt32(stream), 256 << UInt32(stream)) as (UInt32, UInt32)
        // Acquiring: what the thread that began has made visible is seen.
        if word.pointee.load(ordering: .acquiring) & done != 0 { return }
        if word.pointee.bitwiseOr(begun, ordering: .acquiringAndReleasing).oldValue & begun == 0 {
            begin()
            let before = word.pointee.bitwiseOr(done, ordering: .acquiringAndReleasing).oldValue
            if before & Self.sleeper != 0 { _ = fs_futex_wake(futex, Int32.max) }
            return
        }
        while true {
            let seen = word.pointee.bitwiseOr(Self.sleeper, ordering: .acquiringAndReleasing).newValue
            if seen & done != 0 { return }
            _ = fs_futex_wait(futex, seen, -1)
        }
    }

    /// Closes the gate; returns the streams, a bit each, whose access is to be ended.
    func close() -> UInt32 { word.pointee.exchange(0, ordering: .acquiringAndReleasing) >> 8 & 0xff }

    private var futex: UnsafeMutablePointer<UInt32> {
        UnsafeMutableRawPointer(word).assumingMemoryBound(to: UInt32.self)
    }
}
