internal import Synchronization

/// The publisher's private truth about one pool: which slot is where, who pins what, and who may get the next frame.
///
/// Pure state: it touches lane words and nothing else, so that a test can drive every step. The caller serialises all
/// calls (`Publisher` holds a lock, and makes no system call under it).
///
/// A slot is free when the source does not hold it and it is in no subscriber's outstanding set. There are no
/// reference counts to get wrong: a subscriber that dies is cleaned up by dropping its entry.
public struct LeaseTable: Sendable {
    /// A subscriber, as the publisher numbers them.
    public typealias SubscriberID = UInt32

    /// One subscriber's entry: what a frame needs of it first, in a cache line of its own.
    public struct Entry: Sendable {
        var offers: LaneOffers
        private let budget: Int32
        /// For one that wants every frame: what it pins in tables before this one. It takes room here, or each table that
        /// takes over would give it its whole budget once more.
        private var before: Int32 = 0
        private var marks: Marks
        private let pad0: UInt32 = 0
        // The second line, and the third.
        /// Frames not delivered, by cause: replaced by a newer one; its whole budget held, or queued for one that wants
        /// every frame; pool short.
        public internal(set) var droppedByPolicy: UInt64 = 0
        public internal(set) var droppedByBudget: UInt64 = 0
        public internal(set) var droppedByShortage: UInt64 = 0
        /// When it was offered a frame last, as a member of a group: the table's count of frames for groups.
        var lastServed: UInt64 = 0
        /// How many copies it was offered.
        public internal(set) var copies: UInt64 = 0
        public let request: LeaseRequest
        public let id: SubscriberID
        /// The group whose frames it shares; nil: it is offered every frame.
        public let group: GroupID?
        /// Set once it did what no correct subscriber does: it gets nothing more.
        public internal(set) var violation: LaneOffers.Violation? { didSet { set(.violated, violation != nil) } }
        private let pad1: (UInt64, UInt64, UInt64) = (0, 0, 0)

        /// What is to be known of it for each frame.
        private struct Marks: OptionSet, Sendable {
            let rawValue: UInt32
            static let violated = Marks(rawValue: 1)
            static let leaving = Marks(rawValue: 2)
            static let member = Marks(rawValue: 4)
            static let reserved = Marks(rawValue: 8)
            static let everyFrame = Marks(rawValue: 16)
            static let getsCopies = Marks(rawValue: 32)
            static let awaitsCopy = Marks(rawValue: 64)
            static let passedOver = Marks(rawValue: 128)
        }

        init(id: SubscriberID, request: LeaseRequest, group: GroupID?, offers: LaneOffers) {
            self.id = id
            self.request = request
            self.group = group
            self.offers = offers
            budget = Int32(clamping: request.budget)
            marks = []
            if group != nil { marks.insert(.member) }
            if request.reserved { marks.insert(.reserved) }
            if request.policy == .everyFrame { marks.insert(.everyFrame) }
        }

        private mutating func set(_ mark: Marks, _ isSet: Bool) {
            if isSet { marks.insert(mark) } else { marks.remove(mark) }
        }

        /// It lags, and is offered copies in place of the source's frames.
        public internal(set) var getsCopies: Bool {
            get { marks.contains(.getsCopies) }
            set { set(.getsCopies, newValue) }
        }
        /// A frame was published of which it will be offered the copy.
        public internal(set) var awaitsCopy: Bool {
            get { marks.contains(.awaitsCopy) }
            set { set(.awaitsCopy, newValue) }
        }
        /// The frame that is published now is more than it asked for.
        var isPassedOver: Bool {
            get { marks.contains(.passedOver) }
            set { set(.passedOver, newValue) }
        }
        /// Set once it said goodbye: it keeps what it holds and gets nothing more.
        public internal(set) var isLeaving: Bool {
            get { marks.contains(.leaving) }
            set { set(.leaving, newValue) }
        }

        /// Whether frames are offered to it.
        var isServed: Bool { marks.isDisjoint(with: [.violated, .leaving, .passedOver]) }
        /// Whether each frame is offered to it, and not to one of its group.
        @inline(__always)
        var isServedAlone: Bool { marks.isDisjoint(with: [.violated, .leaving, .member, .passedOver]) }
        /// Of its request: the policy `everyFrame`.
        @inline(__always)
        var wantsEveryFrame: Bool { marks.contains(.everyFrame) }
        /// Of its request.
        @inline(__always)
        var isReserved: Bool { marks.contains(.reserved) }

        /// The same with a book of its own.
        func copied() -> Entry {
            var copy = self
            copy.offers = offers.copied()
            return copy
        }

        /// The slots that it has queued or leased, and those that are merely queued.
        public var outstanding: SlotSet { offers.outstanding }
        public var queued: SlotSet { offers.queued }

        /// How much of its budget is used.
        var pinnedCount: Int { offers.outstandingCount + Int(before) }
        /// Whether all of its budget is used.
        @inline(__always)
        var hasNoRoom: Bool { Int32(truncatingIfNeeded: offers.outstandingCount) &+ before >= budget }

        mutating func setPinnedBefore(_ count: Int) { before = Int32(clamping: min(count, SlotSet.capacity)) }
    }

    /// The slots that the source fills, from 0.
    public let slots: Int
    /// The slots for copies: those that follow.
    public let copySlots: Int
    /// With slots for copies: how many slots the source is to be left while copies can be made.
    public let floor: Int
    /// Slots that the source itself must always have, or it would lose frames.
    public let sourceNeed: Int
    /// The subscribers, in the order they joined.
    public internal(set) var entries = EntryList()
    /// Slots that the source holds: being filled, or queued to a driver.
    public internal(set) var atSource = SlotSet()
    let all: SlotSet
    let sourceSlots: SlotSet
    /// The copy being made.
    public internal(set) var copying: Copying?
    var reservedTotal = 0
    /// Whether any subscriber is a member of a group.
    public internal(set) var hasGroups = false
    /// The groups that have members, in order.
    var groupIDs: [GroupID] = []
    /// What became of the frame published last, for each group.
    public internal(set) var groupOffers: [GroupOffer] = []
    var withdrawals: [Withdrawal] = []
    /// Whether any subscriber asked for a rate: frames are published by ``publishThinned(_:captured:now:groupsAreAsked:)``.
    public internal(set) var hasRates = false
    /// The subscribers that did.
    public internal(set) var thinned: [Thinned] = []
    var thinnedGroups: [ThinnedGroup] = []
    /// The groups that the frame published last was not for.
    var passedGroups: [GroupID] = []
    /// Counts the frames for groups.
    var serving: UInt64 = 0

    /// Makes the table of a pool in which every slot is free.
    public init(slots: Int, sourceNeed: Int, copySlots: Int = 0, floor: Int = 0) {
        precondition(slots >= 1 && copySlots >= 0 && slots + copySlots <= SlotSet.capacity)
        self.slots = slots
        self.copySlots = copySlots
        self.sourceNeed = min(max(sourceNeed, 0), slots)
        self.floor = min(max(floor, self.sourceNeed), slots)
        sourceSlots = SlotSet(below: slots)
        all = SlotSet(below: slots + copySlots)
    }

    /// The same table once more, over the same lanes: for tests, which go on from one moment in several ways.
    func copied() -> LeaseTable {
        var copy = self
        copy.entries = entries.copied()
        return copy
    }

    /// All slots, those for copies too.
    public var total: Int { slots + copySlots }

    // MARK: joining and leaving

    /// What is reserved for subscribers.
    public var reserved: Int { reservedTotal }

    /// Says whether a subscriber could join, and throws the arithmetic if not.
    public func checkAdmission(_ request: LeaseRequest) throws(AdmissionRefusal) {
        if case .queue(let depth) = request.policy, depth < 1 || depth > LaneMemory.maximumDepth {
            throw .badDepth(depth)
        }
        guard request.budget >= 1 && request.budget <= total else {
            throw .badBudget(request.budget, slots: total)
        }
        let depth = request.policy.depth(budget: request.budget)
        guard depth <= request.budget else { throw .depthAboveBudget(depth: depth, budget: request.budget) }
        if request.reserved {
            guard sourceNeed + reservedTotal + request.budget <= total else {
                throw .reservationsDoNotFit(
                    slots: total,
                    sourceNeed: sourceNeed,
                    reserved: reservedTotal,
                    asked: request.budget
                )
            }
        } else {
            guard sourceNeed + reservedTotal < total else {
                throw .nothingLeftToShare(slots: total, sourceNeed: sourceNeed, reserved: reservedTotal)
            }
        }
    }

    /// Lets a subscriber in over the zeroed words of its lane, whose depth must be that of the request.
    /// - Parameter interval: the time between two frames that it asks for, in ns; 0: it asks for all
    public mutating func admit(
        _ id: SubscriberID,
        _ request: LeaseRequest,
        group: GroupID? = nil,
        interval: Int64 = 0,
        lane: LaneMemory
    ) throws(AdmissionRefusal) {
        try checkAdmission(request)
        if request.reserved { try makeRoom(forReserving: request.budget) }
        entries.append(Entry(id: id, request: request, group: group, offers: LaneOffers(memory: lane, slots: total)))
        if group != nil { updateGroupIDs() }
        if interval > 0 { startThinning(id, interval: interval) } else if hasRates { updateThinnedGroups() }
        if request.reserved { reservedTotal += request.budget }
    }

    /// What is to be reserved may be pinned by those who share. What is merely queued for them is withdrawn; a lease
    /// can't be: then the reservation is refused, or the slots it stands for would be the source's.
    private mutating func makeRoom(forReserving budget: Int) throws(AdmissionRefusal) {
        collectReleases()
        let left = max(0, shared - budget)
        while bestEffortPinnedCount > left {
            guard withdrawOldestShared(countedAsShortage: true) else {
                throw .sharedSlotsAreHeld(asked: budget, shared: left, held: bestEffortPinnedCount)
            }
        }
    }

    /// REAP: forgets a subscriber; all that it held is free again.
    public mutating func remove(_ id: SubscriberID) {
        guard let index = entries.firstIndex(where: { $0.id == id }) else { return }
        if entries[index].request.reserved { reservedTotal -= entries[index].request.budget }
        let group = entries.remove(at: index).group
        if group != nil { updateGroupIDs() }
        if hasRates { endThinning(id) }
        hasViolation = entries.contains { $0.violation != nil }
    }

    /// A subscriber wants no more frames: what is queued for it is withdrawn, what it holds stays its own.
    public mutating func stopOffering(to id: SubscriberID) {
        guard let i = entries.firstIndex(where: { $0.id == id }) else { return }
        entries[i].isLeaving = true
        do throws(LaneOffers.Violation) {
            while let slot = try entries[i].offers.withdrawOldest() { noteWithdrawal(of: slot, i) }
        } catch {
            note(error, of: i)
        }
    }

    /// How many slots a subscriber has queued or leased.
    public func outstanding(of id: SubscriberID) -> Int {
        entries.first { $0.id == id }?.offers.outstandingCount ?? 0
    }

    /// Withdraws up to `count` frames that are queued for a subscriber, the oldest first; what it holds stays its own.
    /// - Returns: how many were withdrawn. They are not counted here, in a table that has been replaced, but by
    ///   ``countWithdrawn(_:from:)`` in the one that goes on.
    public mutating func withdraw(_ count: Int, from id: SubscriberID) -> Int {
        guard let i = entries.firstIndex(where: { $0.id == id }), entries[i].violation == nil else { return 0 }
        var withdrawn = 0
        do throws(LaneOffers.Violation) {
            while withdrawn < count, let slot = try entries[i].offers.withdrawOldest() {
                withdrawn += 1
                noteWithdrawal(of: slot, i)
            }
        } catch {
            note(error, of: i)
        }
        return withdrawn
    }

    /// Counts frames that were withdrawn from a subscriber in a table before this one.
    public mutating func countWithdrawn(_ count: Int, from id: SubscriberID) {
        guard let i = entries.firstIndex(where: { $0.id == id }) else { return }
        for _ in 0..<count { countPolicyDrop(i) }
    }

    /// What a subscriber has lost, by cause.
    public struct Losses: Sendable {
        let byPolicy, byBudget, byShortage: UInt64
        /// What it was not offered since it asked for a rate, and which frame is its next.
        let thinned: Thinned?
    }

    /// What a subscriber has lost; nil for one that is not here.
    public func losses(of id: SubscriberID) -> Losses? {
        entries.first { $0.id == id }.map {
            Losses(
                byPolicy: $0.droppedByPolicy,
                byBudget: $0.droppedByBudget,
                byShortage: $0.droppedByShortage,
                thinned: thinned.first { $0.id == id }
            )
        }
    }

    /// What a subscriber had lost in the table before goes on counting in this one.
    public mutating func countOn(_ losses: Losses, of id: SubscriberID) {
        guard let i = entries.firstIndex(where: { $0.id == id }) else { return }
        entries[i].droppedByPolicy += losses.byPolicy
        entries[i].droppedByBudget += losses.byBudget
        entries[i].droppedByShortage += losses.byShortage
        let lane = entries[i].offers.memory
        lane.droppedByPolicy.pointee.store(entries[i].droppedByPolicy, ordering: .relaxed)
        lane.droppedByBudget.pointee.store(entries[i].droppedByBudget, ordering: .relaxed)
        lane.droppedByShortage.pointee.store(entries[i].droppedByShortage, ordering: .relaxed)
        guard let before = losses.thinned, let t = thinned.firstIndex(where: { $0.id == id }) else { return }
        (thinned[t].thinning, thinned[t].passedOver) = (before.thinning, before.passedOver)
        lane.passedOver.pointee.store(before.passedOver, ordering: .relaxed)
    }

    /// Says what a subscriber pins in tables before this one.
    public mutating func setPinnedBefore(_ count: Int, of id: SubscriberID) {
        guard let i = entries.firstIndex(where: { $0.id == id }), entries[i].request.policy == .everyFrame else {
            return
        }
        entries[i].setPinnedBefore(count)
    }

    // MARK: slots

    /// Whether some subscriber has broken the protocol: see ``Entry/violation``.
    public internal(set) var hasViolation = false

    mutating func noteWithdrawal(of slot: Int, _ i: Int) {
        if entries[i].group != nil { withdrawals.append(Withdrawal(member: entries[i].id, slot: slot)) }
    }

    @inline(never)
    mutating func note(_ violation: LaneOffers.Violation, of i: Int) {
        entries[i].violation = violation
        hasViolation = true
    }

    /// COLLECT_ALL: COLLECT from every lane.
    @section("frameshare_way")
    public mutating func collectReleases() { collect() }

    @inline(__always)
    mutating func collect() {
        let rows = entries.rows
        for i in rows.indices {
            do throws(LaneOffers.Violation) {
                try rows[i].offers.collectReleases()
            } catch {
                note(error, of: i)
            }
        }
    }

    /// The slots that subscribers have queued or leased.
    public var pinned: SlotSet {
        var set = SlotSet()
        for row in entries.rows { set.formUnion(row.offers.outstanding) }
        return set
    }

    /// The slots that the source may have: those that nobody holds.
    public var free: SlotSet {
        var set = sourceSlots
        set.subtract(atSource)
        set.subtract(pinned)
        if let copying { set.remove(copying.slot) }
        return set
    }

    /// FIND_FREE: gives a free slot to the source, the lowest first: what was used last is likely still in the cache.
    public mutating func takeFree() -> Int? {
        let slot = takeFreeSlot()
        return slot < 0 ? nil : slot
    }

    /// As ``takeFree()``; -1 where none is free.
    @section("frameshare_way")
    public mutating func takeFreeSlot() -> Int {
        var bits = sourceSlots.low & ~atSource.low
        let rows = entries.rows
        for i in rows.indices { bits &= ~rows[i].offers.low }
        if let copying, copying.slot < 64 { bits &= ~(1 &<< UInt64(copying.slot)) }
        guard bits != 0 else { return slots > 64 ? takeFreeHigh() : -1 }
        let slot = bits.trailingZeroBitCount
        atSource.insert(slot)
        return slot
    }

    @inline(never)
    private mutating func takeFreeHigh() -> Int {
        guard let slot = free.first else { return -1 }
        atSource.insert(slot)
        return slot
    }

    /// Whether the source holds a slot.
    public func isAtSource(_ slot: Int) -> Bool { atSource.contains(slot) }

    /// Gives a certain slot to the source; false when somebody holds it.
    public mutating func take(_ slot: Int) -> Bool {
        guard free.contains(slot) else { return false }
        atSource.insert(slot)
        return true
    }

    /// The source gives a slot back without a frame in it.
    public mutating func giveBack(_ slot: Int) { atSource.remove(slot) }

    /// The source has let go of all that it held: its buffers are those of another generation now.
    public mutating func abandonSource() { atSource = SlotSet() }

    /// HAS_ROOM: whether every `everyFrame` subscriber can take one more frame beyond `inFlight`, those being filled
    /// now. For sources that may wait: nobody else asks.
    public func hasRoom(inFlight: Int) -> Bool {
        let rows = entries.rows
        for i in rows.indices where rows[i].wantsEveryFrame && lacksRoom(i, inFlight) { return false }
        return true
    }

    /// Calls `body` with each `everyFrame` subscriber that can't take one more frame beyond `inFlight`.
    public func forEachWithoutRoom(inFlight: Int, _ body: (SubscriberID) -> Void) {
        for i in entries.indices where lacksRoom(i, inFlight) { body(entries[i].id) }
    }

    private func lacksRoom(_ i: Int, _ inFlight: Int) -> Bool {
        guard entries[i].wantsEveryFrame && entries[i].isServed else { return false }
        if let group = entries[i].group, everyFrameHasRoom(in: group, inFlight: inFlight) { return false }
        return claimed(by: entries[i]) + inFlight >= entries[i].request.budget
    }
}
