internal import Synchronization

// Who is offered a frame, and who gives way when slots are few.
extension LeaseTable {
    /// COLLECT_ALL and the offers, in one call: that of a frame.
    @section("frameshare_way")
    public mutating func collectAndPublish(_ slot: Int) {
        collect()
        publish(slot)
    }

    /// Publishes the frame in `slot`, which the source held, is offered to everyone who may have it. Call
    /// ``collectReleases()`` before. Nobody is waited for: whoever has no room loses the frame, which is counted as its own
    /// loss, and keeps its place.
    ///
    /// Where ``copying`` is set afterwards, the slot stays as it is until its copy is made and ``publishCopy()`` is called;
    /// no other frame may be published before.
    @section("frameshare_way")
    public mutating func publish(_ slot: Int) {
        atSource.remove(slot)
        if copySlots > 0 { return publishWithCopies(slot) }
        let roomForBestEffort = makeRoomForBestEffort()
        let rows = entries.rows
        for i in rows.indices where rows[i].isServedAlone {
            do throws(LaneOffers.Violation) {
                try rows[i].offer(slot, mayShare: roomForBestEffort)
            } catch {
                note(error, of: i)
            }
        }
        if hasGroups { publishToGroups(slot, roomForBestEffort: roomForBestEffort) }
    }

    @inline(never)
    private mutating func publishWithCopies(_ slot: Int) {
        let roomForBestEffort = makeRoomForBestEffort()
        copying = chooseCopy(of: slot)
        let (isCopied, isSpared) = copying.map { (true, $0.replacesFrame) } ?? (false, false)
        for i in entries.indices where entries[i].isServedAlone {
            if isCopied && (isSpared || entries[i].getsCopies) {
                entries[i].awaitsCopy = true
                continue
            }
            do throws(LaneOffers.Violation) {
                try offer(slot, to: i, roomForBestEffort: roomForBestEffort)
            } catch {
                note(error, of: i)
            }
        }
        if hasGroups && !isSpared { publishToGroups(slot, roomForBestEffort: roomForBestEffort) }
    }

    mutating func offer(
        _ slot: Int,
        to i: Int,
        roomForBestEffort: Bool
    ) throws(LaneOffers.Violation) {
        // Whoever is to have copies takes no more of the source's slots, unless they are reserved for it.
        let mayShare = roomForBestEffort && !(copySlots > 0 && slot < slots && entries[i].getsCopies)
        try entries[i].offer(slot, mayShare: mayShare)
    }

    mutating func countPolicyDrop(_ i: Int) { entries[i].countPolicyDrop() }

    /// Which frames that wait for best-effort subscribers may be withdrawn.
    enum GivingWay {
        case all
        /// Of those who get copies.
        case ofLagging
        /// The copies among these.
        case copies
    }

    /// The slots that best-effort subscribers may pin together.
    public var shared: Int { max(0, total &- sourceNeed &- reservedTotal) }

    /// Withdraws what is merely queued for best-effort subscribers, oldest first, until they can pin one slot more.
    @inline(__always)
    mutating func makeRoomForBestEffort(from givingWay: GivingWay = .all) -> Bool {
        // Not as one expression, whose second half would be given a copy of the table.
        if entries.bestEffortPinnedCount(of: total) < shared { return true }
        return withdrawForBestEffort(from: givingWay)
    }

    @inline(never)
    private mutating func withdrawForBestEffort(from givingWay: GivingWay) -> Bool {
        while bestEffortPinnedCount >= shared {
            guard withdrawOldestShared(from: givingWay, countedAsShortage: false) else { return false }
        }
        return true
    }

    /// Withdraws the oldest frame that waits for a best-effort subscriber; false when none waits for any.
    /// - Parameter countedAsShortage: also where the subscriber's next frame would have replaced it
    mutating func withdrawOldestShared(from givingWay: GivingWay = .all, countedAsShortage: Bool) -> Bool {
        // The oldest offer is the one whose lane has made the most since: compare by distance from its newest.
        var oldest: (index: Int, age: UInt64)? = nil
        for i in entries.indices where !entries[i].request.reserved && entries[i].violation == nil {
            guard givingWay == .all || entries[i].getsCopies || entries[i].awaitsCopy,
                let ticket = entries[i].offers.oldestQueued, givingWay != .copies || ticket.slot >= slots
            else { continue }
            let age = entries[i].offers.offers - ticket.offer
            if oldest.map({ age > $0.age }) ?? true { oldest = (i, age) }
        }
        guard let i = oldest?.index else { return false }
        let byPolicy = !countedAsShortage && entries[i].offers.cellDueIsQueued
        do throws(LaneOffers.Violation) {
            // Nil: it was taken in this moment. The caller looks again.
            guard let slot = try entries[i].offers.withdrawOldest() else { return true }
            noteWithdrawal(of: slot, i)
            if byPolicy {
                countPolicyDrop(i)
            } else {
                entries[i].droppedByShortage += 1
                entries[i].offers.memory.droppedByShortage.pointee.store(
                    entries[i].droppedByShortage,
                    ordering: .relaxed
                )
            }
        } catch {
            note(error, of: i)
        }
        return true
    }

    /// How many slots best-effort subscribers pin together.
    var bestEffortPinnedCount: Int { entries.bestEffortPinnedCount(of: total) }

    var bestEffortPinned: SlotSet { entries.bestEffortPinned }
}

extension EntryList {
    // Of the list, not of the table: Swift would copy the whole table for it.
    @inline(__always)
    fileprivate func bestEffortPinnedCount(of slots: Int) -> Int {
        if slots > 64 { return bestEffortPinned.count }
        var bits: UInt64 = 0
        let rows = rows
        for i in rows.indices where !rows[i].isReserved { bits |= rows[i].offers.low }
        return bits.nonzeroBitCount
    }

    fileprivate var bestEffortPinned: SlotSet {
        @inline(never)
        get {
            var set = SlotSet()
            for row in rows where !row.isReserved { set.formUnion(row.offers.outstanding) }
            return set
        }
    }
}

extension LeaseTable.Entry {
    /// Offers a frame, or counts why not.
    /// - Parameter mayShare: whether a slot is left for a subscriber that has reserved none
    @inline(__always)
    mutating func offer(_ slot: Int, mayShare: Bool) throws(LaneOffers.Violation) {
        if hasNoRoom || !(mayShare || isReserved), try !makesRoom(mayShare) { return }
        if try offers.offer(slot) != nil { countPolicyDrop() }
    }

    /// Whether a subscriber that has no room makes some; if not, the frame is counted as its loss.
    @inline(never)
    private mutating func makesRoom(_ mayShare: Bool) throws(LaneOffers.Violation) -> Bool {
        guard mayShare || isReserved else {
            droppedByShortage += 1
            offers.memory.droppedByShortage.pointee.store(droppedByShortage, ordering: .relaxed)
            return false
        }
        // What waits for an everyFrame subscriber is never withdrawn: it loses the newest frame.
        let hasGivenWay = wantsEveryFrame ? false : try offers.withdrawOldest() != nil
        guard hasGivenWay else {
            droppedByBudget += 1
            offers.memory.droppedByBudget.pointee.store(droppedByBudget, ordering: .relaxed)
            return false
        }
        countPolicyDrop()
        return true
    }

    mutating func countPolicyDrop() {
        droppedByPolicy += 1
        offers.memory.droppedByPolicy.pointee.store(droppedByPolicy, ordering: .relaxed)
    }
}
