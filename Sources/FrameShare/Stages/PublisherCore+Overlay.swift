internal import CLinuxMedia
internal import LeaseProtocol
internal import Synchronization

// What an overlay needs of the two publishers that it stands between.
extension PublisherCore {
    /// Gives a certain slot to the source, if nobody holds it.
    func claim(_ slot: Int) -> Generation.Memory? {
        state.withLock { state in
            guard !state.ended else { return nil }
            state.generation.leases.collectReleases()
            return state.generation.leases.take(slot) ? state.generation.memory : nil
        }
    }

    /// Lets `body` ask whether a slot of a generation is queued or leased by anyone.
    func withPinned(_ body: ((UInt32, Int) -> Bool) -> Void) {
        state.withLock { state in
            state.generation.leases.collectReleases()
            for i in state.retired.indices { state.retired[i].leases.collectReleases() }
            var now = state.generation.leases.pinned
            if let copying = state.generation.leases.copying { now.insert(copying.slot) }
            var pinned = [state.generation.number: now]
            for generation in state.retired { pinned[generation.number] = generation.leases.pinned }
            body { generation, slot in pinned[generation]?.contains(slot) ?? false }
        }
    }

    /// Takes everything from everyone, and lets them know by their lanes.
    func revokeAll() {
        state.withLock { state in
            for id in state.members.map(\.id) {
                state.generation.remove(id)
                for i in state.retired.indices { state.retired[i].remove(id) }
            }
            state.members = []
            state.retired = []
            state.waitSet = []
        }
    }

    /// A subscriber of the publisher's own process that may hold frames for as long as it must.
    func exemptFromLeaseLimit(_ id: SubscriberID) { state.withLock { _ = $0.unlimited.insert(id) } }
}

extension ReceivedGeneration {
    /// The buffers that were received, as a pool to be offered to others.
    func pool() throws(ChannelError) -> FramePool {
        try FramePool(
            streams: offer.streams.map(\.stream),
            slots: (0..<offer.slots).map { slot in
                offer.streams.indices.map { stream in
                    let buffers = offer.streams[stream].bufferSizes.indices
                    return buffers.map { buffer(slot: slot, stream: stream, buffer: $0) }
                }
            },
            firstCopy: offer.firstCopy
        )
    }
}

extension FrameDescription {
    /// What the source said of a frame of which all streams were subscribed to.
    init(of frame: borrowing Frame) {
        self.init(sequence: frame.sequence, timestamp: frame.timestamp, flags: frame.flags)
        let record = frame.attachment.frames.record(frame.slot)
        guard record.pointee.bytes_used_valid != 0 else { return }
        let used = (UnsafeRawPointer(record) + FrameTable.bytesUsedOffset).assumingMemoryBound(to: UInt32.self)
        for i in 0..<32 { bytesUsed[i] = used[i] }
        bytesUsedIsSet = true
    }
}
