internal import CLinuxMedia
internal import FrameMemory
internal import Glibc
internal import LeaseProtocol
internal import PixelFormats

/// The slots for copies of one generation: buffers like those of its pool, in ordinary memory.
final class CopySlots: Sendable {
    /// As ``FramePool/slots``; the first has the number that follows the pool's last.
    let buffers: [[[FrameBuffer]]]
    let floor: Int
    private let pool: FramePool
    /// Where the pool's buffers can be read, and the copies' be written: `[slot][stream][buffer]`.
    private let sources: [[[Mapping]]]
    private let targets: [[[Mapping]]]

    var count: Int { buffers.count }
    var byteCount: Int { buffers.joined().joined().reduce(0) { $0 + $1.size } }
    var protection: WriteProtection { buffers[0][0][0].writeProtection }

    /// Takes the memory.
    init(
        _ copies: LagCopies,
        of pool: FramePool,
        sourceNeed: Int,
        metadataCapacity: Int,
        name: String
    ) throws(ChannelError) {
        let sizes = pool.slots[0].map { $0.map(\.size) }
        let bytes = sizes.joined().reduce(FrameTable.recordStride(metadataCapacity: metadataCapacity)) {
            $0.addingClamped(MemoryPage.roundedUp($1) ?? .max)
        }
        let count = copies.capacity.slots(bytesPerFrame: bytes)
        let most = SlotSet.capacity - pool.slots.count
        guard count >= 1 && count <= most else { throw .badCopies(copies.capacity, slots: count, most: most) }
        if let floor = copies.floor, floor < 1 || floor > pool.slots.count {
            throw .badCopyFloor(floor, slots: pool.slots.count)
        }
        floor = copies.floor(sourceNeed: sourceNeed, slots: pool.slots.count)
        self.pool = pool
        var made = [[[FrameBuffer]]](repeating: [], count: count)
        do throws(MemoryError) {
            let allocator = BufferAllocator(preference: .memfd)
            for (stream, sizes) in zip(pool.streams, sizes) {
                var perBuffer: [[FrameBuffer]] = []
                for size in sizes {
                    let name = "\(name):\(stream.name)"
                    let made = try allocator.allocate(count: count, size: size, name: name, together: true)
                    perBuffer.append(made.buffers)
                }
                for slot in 0..<count { made[slot].append(perBuffer.map { $0[slot] }) }
            }
            buffers = made
            targets = try Self.map(made, .readWrite)
        } catch {
            throw .memory(error)
        }
        do throws(MemoryError) {
            sources = try Self.map(pool.slots, .read)
        } catch {
            throw .unreadableForCopies(error)
        }
    }

    private static func map(
        _ slots: [[[FrameBuffer]]],
        _ access: Mapping.Access
    ) throws(MemoryError) -> [[[Mapping]]] {
        var result: [[[Mapping]]] = []
        for slot in slots {
            var streams: [[Mapping]] = []
            for stream in slot {
                var mappings: [Mapping] = []
                for buffer in stream {
                    if let mapping = buffer.writableMapping {
                        mappings.append(mapping)
                    } else {
                        mappings.append(try buffer.map(access))
                    }
                }
                streams.append(mappings)
            }
            result.append(streams)
        }
        return result
    }

    /// Copies a frame: its record, metadata, and the images of some of its streams, as far as their bytes are used.
    ///
    /// Invariant: nobody writes to `slot`, and nobody reads `copy`, until the copy is offered: the lease table keeps both.
    /// - Parameter streams: a bit for each stream that is wanted
    func copy(_ slot: Int, to copy: Int, streams wanted: UInt32, in frames: FrameTable) {
        frames.copy(slot, to: copy)
        let (from, to) = (sources[slot], targets[copy - pool.slots.count])
        for (i, stream) in pool.streams.enumerated() where wanted & 1 << UInt32(i) != 0 {
            let buffers = pool.slots[slot][i]
            for buffer in buffers { try? buffer.beginCPUAccess(.read) }
            for (p, plane) in stream.layout.planes.enumerated() {
                // Invariant: the pool was checked to have room for every plane; the copies' buffers are of its sizes.
                memcpy(
                    to[i][plane.buffer].baseAddress + plane.offset,
                    from[i][plane.buffer].baseAddress + plane.offset,
                    frames.bytesUsed(slot, stream: i, plane: p, of: plane.size)
                )
            }
            for buffer in buffers { try? buffer.endCPUAccess(.read) }
        }
    }
}
