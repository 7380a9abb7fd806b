internal import CLinuxMedia
internal import FrameMemory
internal import Glibc
internal import LeaseProtocol
internal import PixelFormats

/// Moves subscribers that lag to copies before their leases take the source's slots.
///
/// A channel with these has slots in ordinary memory beside its pool. The source never fills them. When an offer would leave the
/// source fewer slots than ``floor``, a subscriber that has two frames or more gets a copy instead. Once it has caught up, it gets
/// the source's frames again. A copy has the original's number, sequence, timestamp, flags and metadata. Only ``Image/memory``
/// differs, and the source keeps its slot.
///
/// A subscriber keeps the source's slots that it holds until it releases them. When all copies are held, a subscriber without a
/// reservation loses frames (counted as ``ChannelStatistics/SubscriberStatus/droppedByShortage``). One with a reservation gets
/// the source's slots, but never those that the source needs. Members of a group share its frames as they are, unless the source
/// can't spare the slot.
///
/// When a copy is wanted, ``Publisher/publish(_:_:metadata:)`` takes as long as the copy. Subscribers that don't lag are offered
/// the frame before that.
public struct LagCopies: Sendable, Hashable {
    /// How many copies can be held at once: a count from 1, or the memory they may take. Taken when the channel opens.
    public var capacity: CopyCapacity
    /// How many slots the source is to keep, counting those that it has; nil: one more than
    /// ``Publisher/Options/sourceNeed``.
    public var floor: Int?

    public init(_ capacity: CopyCapacity, floor: Int? = nil) {
        self.capacity = capacity
        self.floor = floor
    }

    /// The floor of a pool of so many slots.
    func floor(sourceNeed: Int, slots: Int) -> Int { min(max(floor ?? sourceNeed + 1, sourceNeed), slots) }
}

/// The slots for copies of one generation: buffers like those of its pool, in ordinary memory.
final class CopySlots: FrameCopies {
    let buffers: [[[FrameBuffer]]]
    let floor: Int
    private let pool: FramePool
    /// Where the pool's buffers can be read, and the copies' be written: `[slot][stream][buffer]`.
    private let sources: [[[Mapping]]]
    private let targets: [[[Mapping]]]

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

    // As far as the images' bytes are used.
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
