// Members of a group share the work: each frame goes to exactly one of them.
extension LeaseTable {
    /// A group of one channel, as the publisher numbers them.
    public typealias GroupID = UInt16

    /// What became of the frame published last for one group.
    public struct GroupOffer: Sendable, Equatable {
        public let group: GroupID
        /// Who was offered the frame; nil: nobody had room, and the group has lost it.
        public let member: SubscriberID?
    }

    /// A frame that was offered to a member and taken back before it was taken.
    public struct Withdrawal: Sendable, Equatable {
        public let member: SubscriberID
        public let slot: Int
    }

    /// What was withdrawn from members of groups since this was asked last. The frame in each of those slots is still
    /// there until the slot is given to the source.
    public mutating func takeWithdrawals() -> [Withdrawal] {
        guard !withdrawals.isEmpty else { return [] }
        defer { withdrawals.removeAll(keepingCapacity: true) }
        return withdrawals
    }

    /// The least loaded served member that can take a frame without losing another: the fewest slots outstanding, then
    /// the one whose last frame was offered longest ago.
    func leastLoaded(in group: GroupID, except excluded: SubscriberID? = nil, roomForBestEffort: Bool) -> Int? {
        var best: Int? = nil
        for i in entries.indices where entries[i].group == group && entries[i].id != excluded {
            guard hasRoom(i, roomForBestEffort: roomForBestEffort) else { continue }
            if let b = best, !isLessLoaded(i, than: b) { continue }
            best = i
        }
        return best
    }

    private func hasRoom(_ i: Int, roomForBestEffort: Bool) -> Bool {
        entries[i].isServed && (entries[i].request.reserved || roomForBestEffort)
            && entries[i].pinnedCount < entries[i].request.budget && !entries[i].offers.cellDueIsQueued
    }

    private func isLessLoaded(_ a: Int, than b: Int) -> Bool {
        let (x, y) = (entries[a].offers.outstandingCount, entries[b].offers.outstandingCount)
        return x == y ? entries[a].lastServed < entries[b].lastServed : x < y
    }

    /// Whether a member could be offered a frame now without losing another. Call ``collectReleases()`` before.
    public func hasRoom(in group: GroupID) -> Bool {
        let sharedIsFree = bestEffortPinnedCount < shared
        return leastLoaded(in: group, roomForBestEffort: sharedIsFree) != nil
    }

    /// Whether the source may fill one frame more beyond `inFlight` as far as this group's `everyFrame` members go.
    func everyFrameHasRoom(in group: GroupID, inFlight: Int) -> Bool {
        var room = 0
        for entry in entries where entry.group == group && entry.isServed {
            // Who replaces old frames by new ones always takes one more.
            guard entry.request.policy == .everyFrame else { return true }
            room += max(0, entry.request.budget - entry.pinnedCount)
        }
        // A copy that is being made is for one of them.
        return room > inFlight + (isCopyingForGroups ? 1 : 0)
    }

    /// The frame in `slot` goes to one member of each group. Each has an entry in ``groupOffers`` afterwards,
    /// but for those that pass over it.
    mutating func publishToGroups(_ slot: Int, roomForBestEffort: Bool) {
        serving += 1
        groupOffers.removeAll(keepingCapacity: true)
        for group in groupIDs where passedGroups.isEmpty || !passedGroups.contains(group) {
            let member = offer(slot, toOneOf: group, roomForBestEffort: roomForBestEffort)
            groupOffers.append(GroupOffer(group: group, member: member))
        }
    }

    private mutating func offer(_ slot: Int, toOneOf group: GroupID, roomForBestEffort: Bool) -> SubscriberID? {
        if let i = leastLoaded(in: group, roomForBestEffort: roomForBestEffort) { return offer(slot, toMember: i) }
        // Nobody has room: the newest frame takes the place of one that waits, where a member's policy says so.
        var due: Int? = nil
        for i in entries.indices where entries[i].group == group && entries[i].isServed {
            guard entries[i].request.policy != .everyFrame, entries[i].request.reserved || roomForBestEffort,
                let oldest = entries[i].offers.oldestQueued,
                // One of the source's slots for another: a copy that gives way gives none back to it.
                oldest.slot < slots || slot >= slots
            else { continue }
            if let d = due, entries[d].lastServed <= entries[i].lastServed { continue }
            due = i
        }
        if let i = due {
            do throws(LaneOffers.Violation) {
                if entries[i].offers.outstandingCount >= entries[i].request.budget {
                    guard let withdrawn = try entries[i].offers.withdrawOldest() else { return nil }
                    countPolicyDrop(i)
                    withdrawals.append(Withdrawal(member: entries[i].id, slot: withdrawn))
                }
                return offer(slot, toMember: i)
            } catch {
                note(error, of: i)
            }
        }
        return nil
    }

    private mutating func offer(_ slot: Int, toMember i: Int) -> SubscriberID? {
        do throws(LaneOffers.Violation) {
            if let withdrawn = try entries[i].offers.offer(slot) {
                countPolicyDrop(i)
                withdrawals.append(Withdrawal(member: entries[i].id, slot: withdrawn))
            }
            entries[i].lastServed = serving
            return entries[i].id
        } catch {
            note(error, of: i)
            return nil
        }
    }

    /// Gives the frame in `slot`, which is with `member` or was withdrawn from it, to another member that has room. The
    /// slot must not have been given to the source since.
    public mutating func handOver(_ slot: Int, from member: SubscriberID, group: GroupID) -> SubscriberID? {
        let isShared = bestEffortPinned.contains(slot) || bestEffortPinnedCount < shared
        guard !atSource.contains(slot),
            let i = leastLoaded(in: group, except: member, roomForBestEffort: isShared)
        else { return nil }
        serving += 1
        return offer(slot, toMember: i)
    }

    /// Moves a frame that `member` has not taken yet to `other`; false when it was taken, or the other has no room.
    public mutating func move(_ slot: Int, from member: SubscriberID, to other: SubscriberID) -> Bool {
        let isShared = bestEffortPinned.contains(slot) || bestEffortPinnedCount < shared
        guard let i = entries.firstIndex(where: { $0.id == other }), hasRoom(i, roomForBestEffort: isShared),
            withdraw(slot: slot, from: member)
        else { return false }
        serving += 1
        return offer(slot, toMember: i) != nil
    }

    /// Takes a frame back from a member that has not taken it yet; false when it has.
    public mutating func withdraw(slot: Int, from member: SubscriberID) -> Bool {
        guard let i = entries.firstIndex(where: { $0.id == member }), entries[i].violation == nil else { return false }
        do throws(LaneOffers.Violation) {
            return try entries[i].offers.withdraw(slot)
        } catch {
            note(error, of: i)
            return false
        }
    }

    /// Whether a member has the frame in `slot` queued or leased.
    public func holds(_ slot: Int, _ member: SubscriberID) -> Bool {
        entries.first { $0.id == member }?.offers.outstanding.contains(slot) ?? false
    }

    mutating func updateGroupIDs() {
        var ids: [GroupID] = []
        for case let group? in entries.map(\.group) where !ids.contains(group) { ids.append(group) }
        groupIDs = ids.sorted()
        hasGroups = !ids.isEmpty
        groupOffers = []
        groupOffers.reserveCapacity(ids.count)
        withdrawals.reserveCapacity(total)
    }
}
