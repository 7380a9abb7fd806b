internal import CLinuxMedia
internal import FrameMemory
internal import Glibc
internal import LeaseProtocol
internal import Synchronization
internal import SystemPackage

// Subscribers that come and go, as far as the way of a frame is concerned: what happens now and then, never per frame.
extension PublisherCore {
    // MARK: memory for one more

    /// The page that a user's readers sleep on: the one that its other subscribers have, or a new one. So there are never
    /// more than subscribers, and a page goes with the last of its user's. `control` is held: no other is made meanwhile.
    /// - Parameter isAlone: whether it is for a subscriber that asks for a rate: the others' frames must not wake it
    func wakePage(ofUser user: UInt32, isAlone: Bool) throws(ChannelError) -> WakePage {
        let present = state.withLock { state in state.members.first { $0.uid == user && $0.interval == 0 }?.wakePage }
        if let present, !isAlone, user != WakePage.unknownUser { return present }
        do throws(MemoryError) {
            return try WakePage(creating: channel)
        } catch {
            throw .memory(error)
        }
    }

    /// Bumps every word that one of them may sleep on, and returns their pages. For changes of state, after what is to be
    /// seen. The state's lock is held.
    static func bumpWords(of members: [Member]) -> [WakePage] {
        var pages: [WakePage] = []
        for member in members where !pages.contains(where: { $0.word == member.wakePage.word }) {
            member.wakePage.word.bump()
            pages.append(member.wakePage)
        }
        return pages
    }

    func makeLane(_ request: LeaseRequest) throws(ChannelError) -> (LaneMemory, SharedMemory) {
        let depth = request.policy.depth(budget: request.budget)
        do throws(MemoryError) {
            let memory = try SharedMemory(
                creating: "frameshare:\(channel):lane",
                size: LaneMemory.size(depth: depth),
                readersMayWrite: true
            )
            return (LaneMemory(at: memory.mapping.baseAddress, depth: depth), memory)
        } catch {
            throw .memory(error)
        }
    }

    // MARK: demand

    /// How many subscribers want frames.
    var wantingCount: Int { state.withLock { $0.members.count { !$0.isLeaving } } }

    /// Subscribers have come or gone.
    func noteDemand() {
        demandEvent.signal()
        wakeSlotWaiters()
    }

    /// From now on a subscriber is offered the frames of a start-up, too.
    func takeStartup(_ id: SubscriberID) {
        state.withLock { state in
            if let i = state.members.firstIndex(where: { $0.id == id }) { state.members[i].takesStartup = true }
        }
    }

    /// Offers a frame of the source's start-up to those who want such frames.
    @inline(never)
    static func offerStartup(_ slot: Int, _ state: inout State) {
        let members = state.members
        state.generation.leases.collectReleases()
        state.generation.leases.publishStartup(slot) { id in members.contains { $0.id == id && $0.takesStartup } }
    }

    // MARK: leaving

    /// A subscriber takes no more frames, but still holds some.
    func stopOffering(to id: SubscriberID) {
        state.withLock { state in
            state.generation.leases.stopOffering(to: id)
            // What it has not taken is for the others.
            groups.framesWereWithdrawn(from: &state.generation, mayHandOver: true)
            if let i = state.members.firstIndex(where: { $0.id == id }) { state.members[i].isLeaving = true }
            state.unwantedSince = monotonicNow()
        }
        noteDemand()
        groups.tell(self)
        slotMayBeFree()
    }

    /// Forgets a subscriber; what it held is free. Safe to call for one that is gone already.
    func detach(_ id: SubscriberID) {
        var gone: [Generation] = []
        state.withLock { state in
            groups.subscriberLeaves(id, &state)
            state.members.removeAll { $0.id == id }
            state.generation.remove(id)
            for i in state.retired.indices { state.retired[i].remove(id) }
            gone = Self.collectRetired(&state)
            state.waitSet = Array(state.generation.lanes.values)
            state.unwantedSince = monotonicNow()
        }
        if !gone.isEmpty { controlEvent.signal() }
        noteDemand()
        groups.tell(self)
        slotMayBeFree()
    }

    /// Tells whoever waits for a slot that one may have come free.
    func slotMayBeFree() {
        let waits = state.withLock { $0.waiting > 0 }
        if waits { wakeSlotWaiters() }
        freeSlotEvent.signal()
    }

    /// Who is to be hung up on, and why: those that broke the protocol, held a frame too long or did not read.
    func takeDisconnects() -> [(id: SubscriberID, peer: any SubscriberPeer, reason: String)] {
        // Old lanes and pools that nobody holds any more are unmapped here: not under the lock, and not by whoever publishes.
        var gone: [Generation] = []
        let result = state.withLock { state in
            if !state.retired.isEmpty { state.gone += Self.collectRetired(&state) }
            swap(&gone, &state.gone)
            var result = state.disconnects
            state.disconnects = []
            for generation in state.retired + [state.generation] {
                for entry in generation.leases.entries {
                    guard let violation = entry.violation, !result.contains(where: { $0.id == entry.id }),
                        let member = state.members.first(where: { $0.id == entry.id })
                    else { continue }
                    result.append((entry.id, member.peer, "it broke the protocol: \(violation)"))
                }
            }
            return result
        }
        gone = []
        pools.unmapUnused()
        for item in result { detach(item.id) }
        return result
    }

    /// Waits until so many subscribers are there that have not said goodbye.
    func waitForSubscribers(
        _ count: Int,
        timeout: Duration?,
        interrupted: () -> Bool
    ) throws(ChannelError) {
        guard (1...ChannelLimits.subscribers).contains(count) else { throw .badSubscriberCount(count) }
        let deadline = Deadline(after: timeout)
        while true {
            // Before the look: whoever joins after it bumps the word, and the kernel refuses to sleep.
            let seen = attentionSeen
            let (ended, present) = state.withLock { ($0.ended, $0.members.count { !$0.isLeaving }) }
            if present >= count { return }
            if ended { throw .closed }
            if interrupted() { throw .cancelled }
            if deadline.hasPassed { throw .timedOut() }
            sleep(whileAttentionIs: seen, nanoseconds: deadline.remaining(atMost: 100_000_000))
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

    // MARK: event-driven sources that are short

    /// How often to look for releases while one is short of slots, in ms; -1: it is not. The message that tells of one may
    /// be lost, and only its sender could know.
    var shortageLookInterval: Int32 { isShortOnSocket ? 250 : -1 }

    private var isShortOnSocket: Bool {
        page.shortage.pointee.load(ordering: .relaxed) & FS_SHORT_SOCKET != 0
    }

    /// Tells an event-driven source that is short of slots of releases that no message told of.
    func noticeReleases() {
        guard isShortOnSocket else { return }
        let isFree = state.withLock { state in
            state.generation.leases.collectReleases()
            return !state.generation.leases.free.isEmpty
        }
        if isFree { freeSlotEvent.signal() }
    }
}
