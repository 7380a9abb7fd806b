internal import CLinuxMedia
internal import LeaseProtocol
internal import Synchronization

// Whom a source waits for that may wait: a file, a benchmark. A camera asks none of this, and waits for nobody.
extension PublisherCore {
    /// The users whose `everyFrame` subscribers keep the source waiting now, and what all have left of their credit.
    struct Stall {
        /// Nil: without a limit.
        private var credit: StallCredit?
        /// The last look that found somebody to wait for, in ns.
        private var since: Int64? = nil
        /// For whom.
        private var users: [StallCredit.UserID] = []
        /// The least that one of them has left, in ns.
        private(set) var left: Int64 = .max
        /// How long the source has waited so far, in ns.
        private(set) var waited: UInt64 = 0

        init(limit: Duration?) { credit = limit.map { StallCredit(limit: $0.nanosecondsClamped) } }

        /// Whether nobody has to be waited for any more.
        var isOver: Bool { since == nil }

        /// The source looks on, and finds these without room.
        /// - Returns: whether one of them is to be waited for
        mutating func look(_ found: [StallCredit.UserID], now: Int64) -> Bool {
            charge(until: now)
            users.removeAll(keepingCapacity: true)
            left = .max
            for user in found where !users.contains(user) {
                let its = credit?.left(user, now: now) ?? .max
                guard its > 0 else { continue }
                users.append(user)
                left = min(left, its)
            }
            since = users.isEmpty ? nil : now
            return !users.isEmpty
        }

        /// The source waits no longer, whoever has room.
        mutating func end() {
            guard since != nil else { return }
            charge(until: monotonicNow())
            (since, left) = (nil, .max)
            users.removeAll(keepingCapacity: true)
        }

        private mutating func charge(until now: Int64) {
            guard let since else { return }
            // A source that waits looks ten times a second. A longer time was not waited: the program did something else, or
            // was stopped.
            let waited = min(now - since, 1_000_000_000)
            self.waited &+= UInt64(max(0, waited))
            for user in users { credit?.charge(user, waited, now: now) }
        }
    }

    /// Whether the source may go on, as far as `everyFrame` subscribers go. A subscriber whose user has used up its credit
    /// is not waited for: without room it loses the frame. `state` is held, releases are collected.
    /// - Parameter inFlight: how many slots are being filled, which will want room too
    static func goesOn(inFlight: Int, _ state: inout State) -> Bool {
        guard !state.generation.leases.hasRoom(inFlight: inFlight) else {
            if !state.stall.isOver { endStall(&state) }
            return true
        }
        var users: [StallCredit.UserID] = []
        state.generation.leases.forEachWithoutRoom(inFlight: inFlight) { id in
            if let member = state.members.first(where: { $0.id == id }) { users.append(member.uid) }
        }
        defer { state.stalled = state.stall.waited }
        return !state.stall.look(users, now: monotonicNow())
    }

    /// The source waits no longer. `state` is held.
    static func endStall(_ state: inout State) {
        state.stall.end()
        state.stalled = state.stall.waited
    }
}

// Who holds a frame for too long is cut off. Looked at now and then by the control thread, never on the way of a frame.
extension PublisherCore {
    /// One lease: this subscriber holds this frame.
    struct LeaseKey: Hashable {
        let subscriber: SubscriberID
        let frame: UInt64
    }

    /// How often to look, in ms: often enough that nobody holds on for more than a quarter longer. -1 without a limit.
    var leaseLookInterval: Int32 {
        guard let limit = settings.leaseLimit else { return -1 }
        return Int32(clamping: max(1, min(1_000, limit.nanosecondsClamped / 4_000_000)))
    }

    /// Cuts off every subscriber that has held a frame for longer than it may.
    func cutOffOverdue() {
        guard let limit = settings.leaseLimit else { return }
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
                cutOff(item.id, &state, reason: "it held frame \(item.frame) for longer than \(limit)")
            }
            if !overdue.isEmpty { state.gone += Self.collectRetired(&state) }
        }
    }
}
