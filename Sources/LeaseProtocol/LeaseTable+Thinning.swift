internal import Synchronization

// Subscribers that asked for so many frames a second. Where nobody did, a frame's way has nothing of it.
extension LeaseTable {
    /// A subscriber that asked for a rate.
    public struct Thinned: Sendable {
        public let id: SubscriberID
        /// Which frames it wants. Of a member, not used: its group has one for all.
        var thinning: Thinning
        /// Frames that it was not offered since it asked for fewer.
        public internal(set) var passedOver: UInt64 = 0
        /// Its offers when it was woken last.
        var announced: UInt64 = 0
    }

    /// A group all of whose members asked for a rate.
    struct ThinnedGroup: Sendable {
        let id: GroupID
        var thinning: Thinning
    }

    /// Publishes as ``publish(_:)`` does, to those alone whose next frame is due.
    /// - Parameters:
    ///   - captured: the frame's capture time, in ns on its own clock
    ///   - now: the present, in ns on the monotonic clock
    ///   - groupsAreAsked: whether the publisher wants an answer to this very frame: no group passes over it
    @inline(never)
    public mutating func publishThinned(_ slot: Int, captured: Int64, now: Int64, groupsAreAsked: Bool) {
        for t in thinned.indices {
            guard let i = entries.firstIndex(where: { $0.id == thinned[t].id }), entries[i].group == nil else {
                continue
            }
            guard !thinned[t].thinning.wants(captured: captured, now: now) else { continue }
            entries[i].isPassedOver = true
            thinned[t].passedOver &+= 1
            // Before anything that is offered later: its reader takes this count off the gaps in the numbers.
            entries[i].offers.memory.passedOver.pointee.store(thinned[t].passedOver, ordering: .relaxed)
        }
        passedGroups.removeAll(keepingCapacity: true)
        for g in thinnedGroups.indices {
            let isWanted = thinnedGroups[g].thinning.wants(captured: captured, now: now)
            if !isWanted && !groupsAreAsked { passedGroups.append(thinnedGroups[g].id) }
        }
        publish(slot)
        for i in entries.indices { entries[i].isPassedOver = false }
    }

    /// Whether a group passes over the frame that was published last, since its members asked for fewer.
    public func isPassedOver(_ group: GroupID) -> Bool { passedGroups.contains(group) }

    /// Whether a subscriber is to be woken: it asked for no rate, or was offered something since this was asked last.
    public mutating func hasNews(for id: SubscriberID) -> Bool {
        guard let t = thinned.firstIndex(where: { $0.id == id }) else { return true }
        guard let offers = entries.first(where: { $0.id == id })?.offers.offers, offers != thinned[t].announced else {
            return false
        }
        thinned[t].announced = offers
        return true
    }

    /// What a subscriber that asked for a rate was not offered for that; 0 for others.
    public func passedOver(of id: SubscriberID) -> UInt64 { thinned.first { $0.id == id }?.passedOver ?? 0 }

    /// A subscriber of a rate has joined.
    mutating func startThinning(_ id: SubscriberID, interval: Int64) {
        thinned.append(Thinned(id: id, thinning: Thinning(interval: interval)))
        hasRates = true
        updateThinnedGroups()
    }

    mutating func endThinning(_ id: SubscriberID) {
        thinned.removeAll { $0.id == id }
        hasRates = !thinned.isEmpty
        updateThinnedGroups()
    }

    /// A group gets as many frames as its most demanding member asks for: all of them, where one asks for no rate.
    mutating func updateThinnedGroups() {
        var groups: [ThinnedGroup] = []
        for group in groupIDs {
            let members = entries.filter { $0.group == group }
            let intervals = members.compactMap { member in
                thinned.first { $0.id == member.id }?.thinning.interval
            }
            guard intervals.count == members.count, let interval = intervals.min() else { continue }
            let before = thinnedGroups.first { $0.id == group && $0.thinning.interval == interval }
            groups.append(before ?? ThinnedGroup(id: group, thinning: Thinning(interval: interval)))
        }
        thinnedGroups = groups
        passedGroups.removeAll { group in !groups.contains { $0.id == group } }
        passedGroups.reserveCapacity(groups.count)
    }

    /// A group's frames go on as they came in the table before.
    public mutating func takeOverThinning(from before: LeaseTable) {
        for g in thinnedGroups.indices {
            guard let old = before.thinnedGroups.first(where: { $0.id == thinnedGroups[g].id }),
                old.thinning.interval == thinnedGroups[g].thinning.interval
            else { continue }
            thinnedGroups[g].thinning = old.thinning
        }
    }
}
