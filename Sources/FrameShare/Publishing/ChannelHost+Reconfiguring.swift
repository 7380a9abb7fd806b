internal import FrameMemory
internal import LeaseProtocol
internal import Synchronization

// Other streams, another pool: a generation follows another.
extension ChannelHost {
    /// Offers frames from another pool from now on. Frames of the old one stay valid until they are released.
    func reconfigure(_ pool: FramePool) throws(ChannelError) {
        var failure: ChannelError? = nil
        control.withLock { _ in
            core.copying.withLock { _ in
                do throws(ChannelError) {
                    try reconfigureSerially(pool)
                } catch {
                    failure = error
                }
            }
        }
        if let failure {
            // It unmaps what was made in vain.
            core.controlEvent.signal()
            throw failure
        }
    }

    private func reconfigureSerially(_ pool: FramePool) throws(ChannelError) {
        // Those who said goodbye keep what they hold of the old pool, and get nothing of the new one.
        let (number, metadataCapacity, members) = core.state.withLock {
            ($0.generation.number &+ 1, $0.metadataCapacity, $0.members.filter { !$0.isLeaving })
        }
        let reserved = members.reduce(0) { $0 + ($1.request.reserved ? $1.request.budget : 0) }
        guard options.sourceNeed <= pool.slots.count else {
            throw .reservationsDoNotFit(reserved: 0, sourceNeed: options.sourceNeed, slots: pool.slots.count)
        }
        var next = try Generation(
            number: number,
            pool: pool,
            channel: channel,
            metadataCapacity: metadataCapacity,
            settings: core.settings
        )
        // From here on the control thread unmaps it, also where it is not taken.
        core.pools.add(next.memory)
        guard options.keepsMisfits || options.sourceNeed + reserved <= next.leases.total else {
            throw .reservationsDoNotFit(
                reserved: reserved,
                sourceNeed: options.sourceNeed,
                slots: next.leases.total
            )
        }
        // Lanes for everyone who fits; the others are told why not, or wait for a generation that they fit.
        var lanes: [PublisherCore.SubscriberID: (lane: LaneMemory, memory: SharedMemory)] = [:]
        var misfits: [(PublisherCore.SubscriberID, String)] = []
        for member in members {
            if let name = next.firstUnknown(member.streams) {
                misfits.append((member.id, "the channel was reconfigured and has no stream '\(name)' any more"))
                continue
            }
            if let reason = next.refusal(to: member.version) {
                misfits.append((member.id, "the channel was reconfigured: \(reason)"))
                continue
            }
            let (lane, memory) = try core.makeLane(member.request)
            do throws(AdmissionRefusal) {
                try next.leases.admit(
                    member.id,
                    member.request,
                    group: member.group,
                    interval: member.interval,
                    lane: lane
                )
            } catch {
                misfits.append((member.id, "the channel was reconfigured: \(error)"))
                continue
            }
            lanes[member.id] = (lane, memory)
            next.lanes[member.id] = memory
        }
        let prepared = next
        var pages: [WakePage] = []
        core.state.withLock { state in
            // Those that have to go are told so, too.
            let before = state.members
            var old = state.generation
            state.generation = prepared
            core.holdsCompressed.store(pool.holdsCompressed, ordering: .relaxed)
            // Some may have gone, or said goodbye, while the lanes were made.
            for id in lanes.keys where !state.members.contains(where: { $0.id == id && !$0.isLeaving }) {
                state.generation.remove(id)
            }
            for i in state.members.indices where !state.members[i].isLeaving {
                guard let made = lanes[state.members[i].id] else { continue }
                made.lane.takeOverClaims(of: state.members[i].lane)
                let id = state.members[i].id
                if let losses = old.leases.losses(of: id) ?? state.members[i].lossesBefore {
                    state.generation.leases.countOn(losses, of: id)
                }
                state.members[i].lossesBefore = nil
                state.members[i].lane = made.lane
                state.members[i].laneMemory = made.memory
            }
            state.generation.leases.takeOverThinning(from: old.leases)
            for (id, reason) in misfits {
                if options.keepsMisfits {
                    guard let index = state.members.firstIndex(where: { $0.id == id }) else { continue }
                    let losses = old.leases.losses(of: id)
                    state.members[index].lossesBefore = losses ?? state.members[index].lossesBefore
                    continue
                }
                groups.subscriberLeaves(id, &state)
                guard let index = state.members.firstIndex(where: { $0.id == id }) else { continue }
                state.disconnects.append((id, state.members.remove(at: index).peer, reason))
                old.remove(id)
            }
            old.leases.abandonSource()
            if old.leases.pinned.isEmpty { state.gone.append(old) } else { state.retired.append(old) }
            holdToBudget(&state)
            state.waitSet = Array(state.generation.lanes.values)
            core.page.generation.pointee.store(number, ordering: .releasing)
            pages = PublisherCore.bumpWords(of: before)
        }
        for id in lanes.keys {
            do throws(ChannelError) {
                try sendGeneration(to: id)
            } catch {
                core.state.withLock { state in
                    guard let member = state.members.first(where: { $0.id == id && !$0.isLeaving }) else { return }
                    state.disconnects.append((id, member.peer, "it could not be given the new buffers: \(error)"))
                }
            }
        }
        for page in pages { core.wake(page.word) }
        groups.tell(core)
        core.slotMayBeFree()
        core.controlEvent.signal()
    }

    /// A subscriber pins its budget over all old generations, or one that sleeps through reconfigurations would pin every
    /// old pool: what is queued for it beyond that is withdrawn, the oldest first. From a subscriber that wants every frame
    /// nothing is withdrawn: what it pins of old generations takes room in the new one.
    private func holdToBudget(_ state: inout PublisherCore.State) {
        for i in state.retired.indices { state.retired[i].leases.collectReleases() }
        for member in state.members where member.request.policy != .everyFrame {
            var excess = state.retired.reduce(0) { $0 + $1.leases.outstanding(of: member.id) } - member.request.budget
            for i in state.retired.indices where excess > 0 {
                let withdrawn = state.retired[i].leases.withdraw(excess, from: member.id)
                state.generation.leases.countWithdrawn(withdrawn, from: member.id)
                excess -= withdrawn
                groups.framesWereWithdrawn(from: &state.retired[i], mayHandOver: false)
            }
        }
        state.gone += PublisherCore.collectRetired(&state)
    }
}
