import Synchronization

@testable import LeaseProtocol

/// Steps a publisher and its readers through every order of their actions, and checks the rules after each.
struct ProtocolExplorer {
    let slots: Int
    let sourceNeed: Int
    let requests: [LeaseRequest]
    /// Slots for copies, and what the source is to keep by them.
    var copySlots = 0
    var floor = 0
    /// How many slots the source holds at most.
    var inFlight = 1
    /// Whether readers may say goodbye.
    var readersLeave = false
    /// Whether the source waits for nobody, as a camera's does.
    var isLive = false
    /// Whether the last reader joins in the course of things.
    var lastReaderJoinsLate = false
    private let lanes: [PlainLane]

    init(slots: Int, sourceNeed: Int = 1, _ requests: [LeaseRequest]) {
        self.slots = slots
        self.sourceNeed = sourceNeed
        self.requests = requests
        lanes = requests.map { PlainLane(depth: $0.policy.depth(budget: $0.budget)) }
    }

    func start() throws -> ProtocolState {
        var table = LeaseTable(slots: slots, sourceNeed: sourceNeed, copySlots: copySlots, floor: floor)
        let total = table.total
        var readers = lanes.map { ProtocolState.Reader(takes: LaneTakes(memory: $0.memory, slots: total)) }
        for (i, request) in requests.enumerated() {
            lanes[i].words = Array(repeating: 0, count: 2 + lanes[i].memory.depth)
            if lastReaderJoinsLate && i == requests.count - 1 {
                readers[i].joined = nil
                continue
            }
            try table.admit(UInt32(i), request, lane: lanes[i].memory)
        }
        return ProtocolState(
            table: table,
            readers: readers,
            words: lanes.map(\.words),
            content: Array(repeating: 0, count: total)
        )
    }

    /// What can happen next.
    func steps(from state: ProtocolState) -> [ProtocolStep] {
        var steps: [ProtocolStep] = [.collect]
        let atSource = state.table.atSource.members
        if atSource.count < inFlight && (isLive || state.table.hasRoom(inFlight: atSource.count)) {
            steps.append(.takeFree)
        }
        for slot in atSource {
            // One frame after the other: see `PublisherCore.copying`.
            if state.table.copying == nil { steps.append(.publish(slot)) }
            steps.append(.giveBack(slot))
        }
        if state.table.copying != nil { steps.append(.copy) }
        for (i, reader) in state.readers.enumerated() {
            guard reader.joined != nil else {
                steps.append(.join(reader: i))
                continue
            }
            for slot in reader.held { steps.append(.release(reader: i, slot: slot)) }
            guard !reader.hasLeft else { continue }
            steps.append(.take(reader: i))
            if readersLeave { steps.append(.leave(reader: i)) }
        }
        return steps
    }

    /// Visits every state that can be reached. Returns how many there are.
    func exploreAll(limit: Int = 400_000) async throws -> Int {
        var seen: Set<[UInt8]> = []
        var trail: [(parent: Int, step: ProtocolStep)] = []
        var waiting: [(state: ProtocolState, id: Int)] = [(try start(), -1)]
        seen.insert(waiting[0].state.key)
        while let (state, id) = waiting.popLast() {
            // Other tests wait for their turn on the same threads.
            if seen.count % 64 == 0 { await Task.yield() }
            for step in steps(from: state) {
                var next = state
                if step.changesTable { next.table = state.table.copied() }
                do {
                    try apply(step, to: &next)
                    guard seen.insert(next.key).inserted else { continue }
                } catch {
                    throw BrokenRule("\(error)\n" + Self.story(trail, id, step))
                }
                guard seen.count < limit else { throw BrokenRule("more than \(limit) states") }
                trail.append((id, step))
                waiting.append((next, trail.count - 1))
            }
        }
        return seen.count
    }

    private static func story(_ trail: [(parent: Int, step: ProtocolStep)], _ id: Int, _ last: ProtocolStep) -> String {
        var lines = [last.description]
        var at = id
        while at >= 0 {
            lines.append(trail[at].step.description)
            at = trail[at].parent
        }
        return lines.reversed().joined(separator: "\n")
    }

    // MARK: a step, and the rules

    /// Does one step on the real words and compares the outcome with what the outside knows.
    func apply(_ step: ProtocolStep, to state: inout ProtocolState) throws {
        for i in lanes.indices { lanes[i].words = state.words[i] }
        switch step {
        case .collect:
            state.table.collectReleases()
            try checkThatAllCameBack(state)
        case .takeFree: try takeFree(&state)
        case .giveBack(let slot): state.table.giveBack(slot)
        case .publish(let slot): try publish(slot, &state)
        case .copy: try copy(&state)
        case .take(let reader): try take(reader, &state)
        case .release(let reader, let slot):
            LaneTakes.release(slot, in: lanes[reader].memory)
            state.readers[reader].held.removeAll { $0 == slot }
        case .join(let reader): try join(reader, &state)
        case .leave(let reader):
            state.table.stopOffering(to: UInt32(reader))
            state.readers[reader].hasLeft = true
            state.readers[reader].queue = []
        }
        for i in lanes.indices { state.words[i] = lanes[i].words }
        try checkInvariants(state)
    }

    private func join(_ i: Int, _ state: inout ProtocolState) throws {
        do throws(AdmissionRefusal) {
            try state.table.admit(UInt32(i), requests[i], lane: lanes[i].memory)
            state.readers[i].joined = state.published
        } catch {
            guard case .sharedSlotsAreHeld = error else { throw BrokenRule("reader \(i) was refused: \(error)") }
        }
        // What was queued for others may have been withdrawn for it, oldest first.
        for other in state.readers.indices where state.readers[other].joined != nil {
            let queued = state.table.entries[other].offers.queued
            guard Set(state.readers[other].queue.suffix(queued.count)) == Set(queued.members) else {
                throw BrokenRule("not the oldest was withdrawn from reader \(other)")
            }
            state.readers[other].queue.removeAll { !queued.contains($0) }
        }
    }

    private func takeFree(_ state: inout ProtocolState) throws {
        guard let slot = state.table.takeFree() else {
            let hasOne = !state.table.atSource.isEmpty || state.table.copying != nil
            guard !isLive || hasOne || sourceNeed == 0 else {
                throw BrokenRule("a live source has no slot: readers keep it waiting")
            }
            return
        }
        guard slot < slots else { throw BrokenRule("the source was given slot \(slot), which is for copies") }
        // From here on the source writes to it.
        try checkThatNobodyReads(slot, state)
        state.content[slot] = 0
    }

    private func checkThatNobodyReads(_ slot: Int, _ state: ProtocolState) throws {
        for (i, reader) in state.readers.enumerated() {
            guard !reader.held.contains(slot) else { throw BrokenRule("slot \(slot) is rewritten under reader \(i)") }
            guard !reader.queue.contains(slot) else { throw BrokenRule("slot \(slot) is rewritten in lane \(i)") }
        }
        guard state.table.copying?.slot != slot else {
            throw BrokenRule("slot \(slot) is rewritten while it is copied")
        }
    }

    private func publish(_ slot: Int, _ state: inout ProtocolState) throws {
        state.published += 1
        state.content[slot] = state.published
        let before = state.table.copied()
        state.table.publish(slot)
        try checkChoice(slot, before, state.table)
        for i in state.readers.indices where !state.readers[i].hasLeft && state.readers[i].joined != nil {
            try checkOffer(of: slot, i, before, &state)
        }
    }

    /// The copy is made and offered.
    private func copy(_ state: inout ProtocolState) throws {
        guard let copying = state.table.copying else { return }
        try checkThatNobodyReads(copying.copy, state)
        guard state.content[copying.slot] == state.published else {
            throw BrokenRule("slot \(copying.slot) has frame \(state.content[copying.slot]), not \(state.published)")
        }
        state.content[copying.copy] = state.published
        let before = state.table.copied()
        state.table.publishCopy()
        for i in state.readers.indices where !state.readers[i].hasLeft && state.readers[i].joined != nil {
            guard before.entries[i].awaitsCopy else { continue }
            try checkOffer(of: copying.copy, i, before, &state)
        }
    }

    /// Who lags takes none of the slots that the source is to keep, while there are others.
    private func checkChoice(_ slot: Int, _ before: LeaseTable, _ now: LeaseTable) throws {
        guard now.leftToSource < now.floor, !now.freeCopies.isEmpty else { return }
        for (i, entry) in now.entries.enumerated() where entry.offers.outstanding.contains(slot) {
            guard entry.offers.outstandingCount <= 2 || before.entries[i].offers.outstandingCount < 2 else {
                throw BrokenRule("reader \(i) lags, and was offered slot \(slot) of the source's last")
            }
        }
    }

    /// Whether what became of a frame at a reader is right, and counted.
    private func checkOffer(of slot: Int, _ i: Int, _ before: LeaseTable, _ state: inout ProtocolState) throws {
        let (old, new) = (before.entries[i], state.table.entries[i])
        let queued = new.offers.queued
        let withdrawn = state.readers[i].queue.filter { !queued.contains($0) }
        guard Array(state.readers[i].queue.prefix(withdrawn.count)) == withdrawn else {
            throw BrokenRule("not the oldest was withdrawn from reader \(i): \(withdrawn)")
        }
        state.readers[i].queue.removeFirst(withdrawn.count)
        let wasOffered = queued.contains(slot)
        let isKept = wasOffered || new.awaitsCopy
        if wasOffered { state.readers[i].queue.append(slot) }
        guard Set(state.readers[i].queue) == Set(queued.members) else {
            throw BrokenRule("the queue of reader \(i) is \(queued.members), not \(state.readers[i].queue)")
        }
        guard new.dropped - old.dropped == UInt64(withdrawn.count + (isKept ? 0 : 1)) else {
            throw BrokenRule("reader \(i) lost \(withdrawn), \(wasOffered), and that is not what was counted")
        }
        if new.request.policy == .everyFrame {
            guard withdrawn.isEmpty else {
                throw BrokenRule("\(withdrawn) were withdrawn from reader \(i) of every frame")
            }
            guard isKept || isLive else { throw BrokenRule("reader \(i) lost a frame of a source that waits") }
        }
        if !isKept { try checkRefusal(i, state.table) }
    }

    /// A frame is withheld only from one who has its whole budget leased, or when the shared slots are all leased.
    private func checkRefusal(_ i: Int, _ table: LeaseTable) throws {
        let entry = table.entries[i]
        // What is queued for one of every frame does not give way.
        let wholeBudget =
            entry.offers.outstandingCount >= entry.request.budget
            && (entry.offers.queued.isEmpty || entry.request.policy == .everyFrame)
        let others = table.entries.filter { !$0.request.reserved }
        var pinned = SlotSet()
        for other in others { pinned.formUnion(other.offers.outstanding) }
        let short = !entry.request.reserved && pinned.count >= table.shared
        let heldBack = !entry.request.reserved && entry.getsCopies && table.freeCopies.isEmpty
        guard wholeBudget || short || heldBack else {
            throw BrokenRule("reader \(i) was refused a frame for no reason")
        }
    }

    private func take(_ i: Int, _ state: inout ProtocolState) throws {
        let slot = state.readers[i].takes.take()
        let due = state.readers[i].queue.first
        guard slot == due else {
            throw BrokenRule(
                "reader \(i) took \(slot.map(String.init) ?? "nothing"), not \(due.map(String.init) ?? "nothing")"
            )
        }
        guard let slot else { return }
        guard !state.readers[i].held.contains(slot) else { throw BrokenRule("reader \(i) took slot \(slot) twice") }
        guard !state.table.atSource.contains(slot) else { throw BrokenRule("slot \(slot) is being written") }
        let number = state.content[slot]
        guard number > state.readers[i].lastTaken else { throw BrokenRule("frame \(number) came to reader \(i) late") }
        state.readers[i].lastTaken = number
        state.readers[i].queue.removeFirst()
        state.readers[i].held.append(slot)
        state.readers[i].delivered += 1
    }

    private func checkInvariants(_ state: ProtocolState) throws {
        let table = state.table
        guard table.leftToSource >= sourceNeed, table.pinned.count <= table.total - sourceNeed else {
            throw BrokenRule("\(table.pinned.members) are pinned, though the source needs \(sourceNeed) of \(slots)")
        }
        for (i, reader) in state.readers.enumerated() {
            guard let joined = reader.joined else { continue }
            let entry = table.entries[i]
            if let violation = entry.violation { throw BrokenRule("reader \(i) did no wrong: \(violation)") }
            guard entry.offers.outstandingCount <= entry.request.budget else {
                throw BrokenRule("reader \(i) pins \(entry.offers.outstandingCount) slots of \(entry.request.budget)")
            }
            guard entry.offers.outstandingCount == entry.offers.outstanding.count else {
                throw BrokenRule("lane \(i) counts \(entry.offers.outstandingCount) slots out")
            }
            for slot in reader.held + reader.queue where !entry.offers.outstanding.contains(slot) {
                throw BrokenRule("slot \(slot) is with reader \(i), and the publisher does not know")
            }
            if !reader.hasLeft {
                let known = reader.delivered + UInt64(reader.queue.count) + entry.dropped
                guard state.published - joined == known + (entry.awaitsCopy ? 1 : 0) else {
                    throw BrokenRule("the frames of reader \(i) don't add up")
                }
            }
        }
    }

    /// Whatever happened before: where everyone has let go, every slot is free. Every state leads to such a one by steps
    /// that are explored too.
    private func checkThatAllCameBack(_ state: ProtocolState) throws {
        let nobodyHasAny = state.readers.allSatisfy { $0.held.isEmpty && $0.queue.isEmpty }
        guard nobodyHasAny && state.table.atSource.isEmpty && state.table.copying == nil else { return }
        guard state.table.free.count == slots && state.table.freeCopies.count == copySlots else {
            throw BrokenRule("only \(state.table.free.members) of \(slots) slots came back")
        }
    }
}

extension LeaseTable.Entry {
    /// All of its losses.
    var dropped: UInt64 { droppedByPolicy + droppedByBudget + droppedByShortage }
}
