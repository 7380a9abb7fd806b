// Who lags is given copies, in slots that the source never fills, so that the source keeps slots of its own.
extension LeaseTable {
    /// A frame that was published and of which a copy is being made.
    public struct Copying: Sendable, Equatable {
        /// Where it is.
        public let slot: Int
        /// Where the copy goes.
        public let copy: Int
        /// Nobody is offered the frame itself: the source could not spare its slot.
        public let replacesFrame: Bool
    }

    /// The slots that are the source's to fill and that nobody has queued or leased. What the source holds is among them.
    public var leftToSource: Int {
        var set = pinned
        set.formIntersection(sourceSlots)
        return slots - set.count
    }

    /// The slots for copies that nobody holds.
    public var freeCopies: SlotSet {
        var set = all
        set.subtract(sourceSlots)
        set.subtract(pinned)
        if let copying { set.remove(copying.copy) }
        return set
    }

    /// Before a frame is offered, says who lags, and finds a slot for the copy that those are to have; nil where
    /// nobody lags, or no slot is free.
    ///
    /// Where offering the frame would leave the source fewer slots than the floor, who has two frames or more goes over
    /// to copies, until it has caught up. Where it would leave fewer than the source needs, everyone gets a copy.
    /// Copies that merely wait for best-effort subscribers give way to newer ones.
    mutating func chooseCopy(of slot: Int) -> Copying? {
        let left = leftToSource
        let (isShort, mustSpare) = (left <= floor, left <= sourceNeed)
        var isWanted = false
        for i in entries.indices where entries[i].isServed {
            let out = entries[i].offers.outstandingCount
            if entries[i].group != nil {
                isWanted = isWanted || mustSpare
            } else if entries[i].getsCopies {
                entries[i].getsCopies = out > 1 || out == 1 && isShort
            } else {
                entries[i].getsCopies = isShort && out > 1
            }
            isWanted = isWanted || (mustSpare || entries[i].getsCopies) && mayBeOffered(i)
        }
        guard isWanted else { return nil }
        // Copies that this frame will replace go first: their slots count as free before the source's are given away.
        for i in entries.indices where freeCopies.isEmpty && entries[i].isServed && entries[i].group == nil {
            withdrawDueCopy(i)
        }
        while true {
            if let copy = freeCopies.first { return Copying(slot: slot, copy: copy, replacesFrame: mustSpare) }
            guard withdrawOldestShared(from: .copies, countedAsShortage: false) else { return nil }
        }
    }

    /// Whether a frame that is published now could be offered to a subscriber. A copy is made for nobody else: one that
    /// holds its whole budget would cost the source a copy for each frame.
    private func mayBeOffered(_ i: Int) -> Bool {
        entries[i].group != nil || entries[i].pinnedCount < entries[i].request.budget
            || entries[i].request.policy != .everyFrame && entries[i].offers.oldestQueued != nil
    }

    /// Withdraws the copy that the next offer would withdraw.
    private mutating func withdrawDueCopy(_ i: Int) {
        guard entries[i].request.policy != .everyFrame,
            entries[i].offers.cellDueIsQueued || entries[i].offers.outstandingCount >= entries[i].request.budget,
            let due = entries[i].offers.oldestQueued, due.slot >= slots
        else { return }
        do throws(LaneOffers.Violation) {
            if try entries[i].offers.withdrawOldest() != nil { countPolicyDrop(i) }
        } catch {
            note(error, of: i)
        }
    }

    /// The slots of a subscriber's budget that are taken, or may be by the copy that is being made.
    func claimed(by entry: Entry) -> Int {
        let isDue = entry.awaitsCopy || entry.group != nil && isCopyingForGroups
        return entry.pinnedCount + (isDue ? 1 : 0)
    }

    /// Whether the copy that is being made is for one member of each group, too.
    var isCopyingForGroups: Bool { copying?.replacesFrame ?? false }

    /// The copy is made: it is offered to those who are to have it. Call ``collectReleases()`` before.
    /// - Returns: whether anyone was offered it
    @discardableResult
    public mutating func publishCopy() -> Bool {
        guard let done = copying else { return false }
        copying = nil
        let roomForBestEffort = makeRoomForBestEffort(from: done.replacesFrame ? .all : .ofLagging)
        var wasOffered = false
        for i in entries.indices where entries[i].awaitsCopy {
            entries[i].awaitsCopy = false
            guard entries[i].isServed else { continue }
            let before = entries[i].offers.offers
            do throws(LaneOffers.Violation) {
                try offer(done.copy, to: i, roomForBestEffort: roomForBestEffort)
            } catch {
                note(error, of: i)
            }
            guard entries[i].offers.offers > before else { continue }
            entries[i].copies += 1
            wasOffered = true
        }
        if done.replacesFrame && hasGroups {
            publishToGroups(done.copy, roomForBestEffort: roomForBestEffort)
            for offered in groupOffers {
                guard let i = entries.firstIndex(where: { $0.id == offered.member }) else { continue }
                entries[i].copies += 1
                wasOffered = true
            }
        }
        return wasOffered
    }
}
