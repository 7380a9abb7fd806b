internal import LeaseProtocol
internal import Synchronization

// Copies of frames for subscribers that lag.
extension PublisherCore {
    /// Makes the copy that the lease table has found a slot for, if one is wanted, and offers it. The lock `copying` is held:
    /// no other frame is offered, and no generation begins, meanwhile.
    func makeCopy(_ number: UInt64, _ asking: (any FrameQuestion)?) {
        let wanted: (LeaseTable.Copying, Generation.Memory, UInt32)? = state.withLock { state in
            guard let copying = state.generation.leases.copying else { return nil }
            return (copying, state.generation.memory, Self.streamsWanted(copying, state))
        }
        guard let (copying, memory, streams) = wanted else { return }
        memory.copies?.copy(copying.slot, to: copying.copy, streams: streams, in: memory.frames)
        var news = News()
        state.withLock { state in
            state.generation.leases.collectReleases()
            let wasOffered = state.generation.leases.publishCopy()
            if wasOffered { state.copied += 1 }
            guard !state.ended else {
                // Groups that were offered the frame itself have been told already.
                if copying.replacesFrame, let asking {
                    groups.refuse(asking, frame: number, .closed)
                    news.ofGroups = true
                }
                return
            }
            announce(&state, &news)
            if copying.replacesFrame, asking != nil || state.generation.leases.hasGroups || state.groupsFollowAll {
                tellGroups(copying.copy, number, asking, monotonicNow(), &state, &news)
            } else {
                groups.framesWereWithdrawn(from: &state.generation, mayHandOver: false)
            }
        }
        tell(&news)
        // Its own slot was kept for the copy alone.
        if copying.replacesFrame { slotMayBeFree() }
    }

    /// The streams that those who are to have the copy subscribed to, a bit each.
    private static func streamsWanted(_ copying: LeaseTable.Copying, _ state: State) -> UInt32 {
        let all = UInt32(truncatingIfNeeded: (1 as UInt64) << UInt64(state.generation.pool.streams.count) - 1)
        // A group's frame may be handed to a member with other streams.
        if copying.replacesFrame { return all }
        var wanted: UInt32 = 0
        for entry in state.generation.leases.entries where entry.awaitsCopy {
            guard let member = state.members.first(where: { $0.id == entry.id }) else { continue }
            if member.streams.isEmpty { return all }
            for (i, stream) in state.generation.pool.streams.enumerated() where member.streams.contains(stream.name) {
                wanted |= 1 << UInt32(i)
            }
        }
        return wanted
    }
}
