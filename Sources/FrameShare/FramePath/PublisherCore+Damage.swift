internal import PixelFormats
internal import Synchronization

// Frames that are no whole images are marked and counted, whoever publishes them. Those of a start-up come this way, too.
extension PublisherCore {
    /// Publishes a frame after a look at what it holds.
    @inline(never)
    func publishLookingForDamage(
        _ slot: Int,
        _ generation: UInt32?,
        _ metadataSize: Int,
        _ description: FrameDescription,
        _ asking: (any FrameQuestion)?
    ) throws(ChannelError) -> UInt64 {
        var description = description
        if !description.flags.contains(.error), isDamaged(slot, generation, description) {
            description.flags.insert(.error)
        }
        if description.flags.contains(.error) { page.damaged.pointee.wrappingAdd(1, ordering: .relaxed) }
        let isStartup = description.flags.contains(.startup)
        return try publishAsDescribed(slot, generation, metadataSize, description, asking, isStartup: isStartup)
    }

    /// Whether an image of the frame is shorter than its layout, or does not begin or end as its format does. Memory that
    /// the CPU can't map is judged by its length alone.
    private func isDamaged(_ slot: Int, _ generation: UInt32?, _ description: FrameDescription) -> Bool {
        let memory = state.withLock { $0.generation.memory }
        // A slot that is not the source's is refused later.
        guard generation ?? memory.number == memory.number, memory.pool.slots.indices.contains(slot) else {
            return false
        }
        for (index, stream) in memory.pool.streams.enumerated() {
            let layout = stream.layout
            let damage = layout.damage { plane in
                description.bytesUsed(stream: index, plane: plane, of: layout.planes[plane].size)
            }
            if damage != nil { return true }
            guard layout.format.isCompressed, let mapping = memory.mapping(slot, stream: index) else { continue }
            let plane = layout.planes[0]
            let used = description.bytesUsed(stream: index, plane: 0, of: plane.size)
            let buffer = memory.pool.slots[slot][index][0]
            try? buffer.beginCPUAccess(.read)
            let isWhole = mapping.withBytes { bytes in
                // The pool has checked that the plane lies in its buffer.
                let data = UnsafeRawBufferPointer(rebasing: bytes[plane.offset..<plane.offset + used])
                return layout.damage(of: RawSpan(_unsafeBytes: data)) == nil
            }
            try? buffer.endCPUAccess(.read)
            if !isWhole { return true }
        }
        return false
    }
}

extension FrameDescription {
    /// Whether it says that a plane is not full, that the data is damaged, or that the source has just started.
    @inline(__always)
    var isSpecial: Bool { bytesUsedIsSet || !flags.isDisjoint(with: [.error, .startup]) }
}

extension FramePool {
    var holdsCompressed: Bool { streams.contains { $0.layout.format.isCompressed } }
}
