internal import CLinuxMedia
internal import LeaseProtocol
internal import Synchronization

// Who holds a frame for too long is cut off. Looked at now and then by the control thread, never on the way of a frame.
extension PublisherCore {
    /// One lease: this subscriber holds this frame.
    struct LeaseKey: Hashable {
        let subscriber: SubscriberID
        let frame: UInt64
    }

    /// How often to look, in ms: often enough that nobody holds on for more than a quarter longer. -1 without a limit.
    var leaseLookInterval: Int32 {
        guard let limit = options.leaseLimit else { return -1 }
        return Int32(clamping: max(1, min(1_000, limit.nanosecondsClamped / 4_000_000)))
    }

    /// Cuts off every subscriber that has held a frame for longer than it may.
    func cutOffOverdue() {
        guard let limit = options.leaseLimit else { return }
        let now = monotonicNow()
        state.withLock { state in
            state.generation.leases.collectReleases()
            for i in state.retired.indices { state.retired[i].leases.collectReleases() }
            var seen: [LeaseKey: Int64] = [:]
            var overdue: [(id: SubscriberID, frame: UInt64)] = []
            for generation in state.retired + [state.generation] {
                for entry in generation.leases.entries where !state.unlimited.contains(entry.id) {
                    var leased = entry.outstanding
                    leased.subtract(entry.queued)
                    leased.forEach { slot in
                        let key = LeaseKey(subscriber: entry.id, frame: generation.frames.record(slot).pointee.number)
                        let since = state.leasesSeen[key] ?? now
                        seen[key] = since
                        if now - since > limit.nanosecondsClamped { overdue.append((entry.id, key.frame)) }
                    }
                }
            }
            state.leasesSeen = seen
            for item in overdue {
                Self.cutOff(item.id, &state, reason: "it held frame \(item.frame) for longer than \(limit)")
            }
            if !overdue.isEmpty { state.gone += Self.collectRetired(&state) }
        }
    }
}
