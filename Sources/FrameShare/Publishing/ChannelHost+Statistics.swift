internal import CLinuxMedia
internal import Glibc
internal import LeaseProtocol
internal import Synchronization

// What monitors are told.
extension ChannelHost {
    var statistics: ChannelStatistics {
        let health = sourceHealth.withLock { $0 }
        let (pid, uid) = (getpid(), geteuid())
        var gone: [Generation] = []
        defer { if !gone.isEmpty { core.controlEvent.signal() } }
        return core.state.withLock { state in
            state.generation.leases.collectReleases()
            gone = PublisherCore.collectRetired(&state)
            let now = monotonicNow()
            let leases = state.generation.leases
            let pool = state.generation.pool
            var statistics = ChannelStatistics(
                channel: channel,
                sourceName: options.sourceName,
                publisherPID: pid,
                publisherUID: uid
            )
            statistics.stalled = state.stalled
            statistics.generation = state.generation.number
            statistics.streams = pool.streams.indices.map {
                .init(
                    stream: pool.streams[$0],
                    memory: pool.slots[0][$0][0].kind,
                    protection: pool.slots[0][$0][0].writeProtection
                )
            }
            statistics.slots = leases.slots
            statistics.slotsFree = leases.free.count
            statistics.slotsAtSource = leases.atSource.count
            statistics.sourceNeed = leases.sourceNeed
            statistics.slotsReserved = leases.reserved
            statistics.retiredSlotsHeld = state.retired.reduce(0) { $0 + $1.leases.pinned.count }
            statistics.copies = state.generation.copies.map {
                .init(slots: $0.count, free: leases.freeCopies.count, floor: $0.floor, copied: state.copied)
            }
            statistics.published = core.page.published.pointee.load(ordering: .relaxed)
            statistics.lostBySource = core.page.lostBySource.pointee.load(ordering: .relaxed)
            statistics.lostNoFreeSlot = core.page.lostNoFreeSlot.pointee.load(ordering: .relaxed)
            statistics.damaged = core.page.damaged.pointee.load(ordering: .relaxed)
            statistics.age = now - core.startedAt
            statistics.sinceLastFrame = state.lastPublish.map { now - $0 } ?? -1
            statistics.subscribers = state.members.map { status(of: $0, in: state, now: now) }
            statistics.groups = groups.status
            statistics.sourceTrouble = health.trouble
            statistics.sourceErrors = health.errors
            statistics.sourceState = health.state
            statistics.isOwner = options.isOwner
            return statistics
        }
    }

    private func status(
        of member: PublisherCore.Member,
        in state: PublisherCore.State,
        now: Int64
    ) -> ChannelStatistics.SubscriberStatus {
        let entry = state.generation.leases.entries.first { $0.id == member.id }
        var (queuedCount, heldCount, oldest) = (0, 0, Int64(0))
        // Its budget, and so what it pins, is over all generations.
        for generation in state.retired + [state.generation] {
            guard let entry = generation.leases.entries.first(where: { $0.id == member.id }) else { continue }
            let queued = entry.queued
            var leased = entry.outstanding
            leased.subtract(queued)
            queuedCount += queued.count
            heldCount += leased.count
            leased.forEach { oldest = max(oldest, now - generation.frames.record($0).pointee.publish_timestamp) }
        }
        let lane = member.lane
        return ChannelStatistics.SubscriberStatus(
            id: member.id,
            pid: member.pid,
            uid: member.uid,
            name: member.name,
            policy: member.request.policy,
            budget: member.request.budget,
            reserved: member.request.reserved,
            group: member.group.map(groups.name(of:)) ?? "",
            streams: member.streams.isEmpty ? state.generation.pool.streams.map(\.name) : member.streams,
            delivered: lane.taken.pointee.load(ordering: .relaxed),
            droppedByPolicy: entry?.droppedByPolicy ?? 0,
            droppedByBudget: entry?.droppedByBudget ?? 0,
            droppedByShortage: entry?.droppedByShortage ?? 0,
            copies: entry?.copies ?? 0,
            getsCopies: entry?.getsCopies ?? false,
            queued: queuedCount,
            held: heldCount,
            oldestLeaseAge: oldest,
            latencyP50: lane.latencyP50.pointee.load(ordering: .relaxed),
            latencyP99: lane.latencyP99.pointee.load(ordering: .relaxed),
            latencyMax: lane.latencyMax.pointee.load(ordering: .relaxed),
            age: now - member.attachedAt,
            interval: member.interval,
            passedOver: state.generation.leases.passedOver(of: member.id)
        )
    }
}
