internal import CLinuxMedia
internal import FrameMemory
internal import LeaseProtocol
internal import Synchronization
internal import SystemPackage

/// What a frame's publisher wants to know of one group. One reference, so that frames without it pay nothing for it.
final class Asking: FrameQuestion {
    let group: String
    let options: AskOptions
    let sink: any WorkSink

    init(group: String, options: AskOptions, sink: any WorkSink) {
        (self.group, self.options, self.sink) = (group, options, sink)
    }
}

/// The work of a channel's groups: which member is to answer which frame, and who waits for the answer.
///
/// It has a lock of its own. A frame is published, and a subscriber comes and goes, under the core's lock; what groups need to
/// know of that they are told under it. So the core's lock is taken before this one, never after it. A reply takes this one
/// alone, unless its request is not there yet, or a frame waits behind another's. What is decided under a lock is told after it: see ``tell(_:)``.
final class GroupWork: GroupHooks {
    typealias MemberID = RequestTable.MemberID
    typealias GroupID = RequestTable.GroupID

    private struct State {
        var table = RequestTable()
        /// The group of each member.
        var groups: [MemberID: GroupID] = [:]
        /// A member that may sleep was handed another's frame.
        var handedOver = false
    }
    private let state = Mutex(State())

    // MARK: publishing

    /// Books who is to answer the frame, and whose earlier frames gave way to it.
    func frameWasOffered(
        _ slot: Int,
        _ number: UInt64,
        _ question: (any FrameQuestion)?,
        _ now: Int64,
        _ core: inout PublisherCore.State
    ) -> (hasNews: Bool, deadline: Bool) {
        state.withLock { state in
            let before = state.table.firstDeadline
            Self.settleWithdrawals(from: &core.generation, &state, mayHandOver: false)
            let asking = question as? Asking
            var asked = asking
            for i in core.generation.leases.groupOffers.indices {
                let offer = core.generation.leases.groupOffers[i]
                let group = offer.group
                state.table.update(group) { if offer.member == nil { $0.lost += 1 } else { $0.given += 1 } }
                var options = AskOptions()
                var sinks: [any WorkSink] = []
                if let results = state.table.groups[Int(group)].results {
                    options = results.askOptions
                    results.expect(number)
                    sinks.append(results)
                }
                if let asking, state.table.name(of: group) == asking.group {
                    options = asking.options
                    sinks.append(asking.sink)
                    asked = nil
                }
                guard !sinks.isEmpty else { continue }
                guard let member = offer.member else {
                    state.table.update(group) { $0.failed += 1 }
                    let name = state.table.name(of: group)
                    state.table.refuse(sinks, frame: number, .busy(group: name, frame: number))
                    continue
                }
                state.table.add(
                    RequestTable.Request(
                        key: .init(frame: number, group: group),
                        member: member,
                        slot: slot,
                        generation: core.generation.number,
                        deadline: Deadline.moment(options.deadline, after: now),
                        options: options,
                        sinks: sinks
                    )
                )
                Self.rebalance(from: member, group, &state, &core)
            }
            // Where nobody is in the group, its results say so.
            for i in state.table.groups.indices where state.table.hasReaders {
                guard let results = state.table.groups[i].results,
                    !core.generation.leases.groupOffers.contains(where: { $0.group == i }),
                    // Its members asked for fewer frames.
                    !core.generation.leases.isPassedOver(GroupID(i))
                else { continue }
                results.expect(number)
                state.table.refuse([results], frame: number, .noWorker(group: state.table.groups[i].name))
            }
            if let asked { state.table.refuse([asked.sink], frame: number, .noWorker(group: asked.group)) }
            let isEarlier = state.table.firstDeadline.map { $0 < before ?? .max } ?? false
            return (state.table.hasNews || state.handedOver, isEarlier)
        }
    }

    func refuse(_ question: any FrameQuestion, frame: UInt64, _ error: ChannelError) {
        guard let asking = question as? Asking else { return }
        state.withLock { $0.table.refuse([asking.sink], frame: frame, .channel(error)) }
    }

    /// A member that has several requests gives those that it has not taken to members that have none: no frame waits
    /// behind a slow one while a member is idle.
    private static func rebalance(
        from busy: MemberID,
        _ group: GroupID,
        _ state: inout State,
        _ core: inout PublisherCore.State
    ) {
        guard state.table.open(with: busy) > 1 else { return }
        for member in core.members where member.group == group && member.id != busy {
            guard !member.isLeaving, state.table.open(with: member.id) == 0 else { continue }
            for request in state.table.requests(with: busy) where core.isHeld(request) {
                guard core.generation.leases.move(request.slot, from: busy, to: member.id) else { continue }
                state.table.hand(request.key, to: member.id, again: false)
                state.handedOver = true
                break
            }
            guard state.table.open(with: busy) > 1 else { return }
        }
    }

    /// A member that has just become idle, or a member, takes a frame that waits behind another's.
    private static func rebalance(
        to idle: MemberID,
        _ group: GroupID,
        _ state: inout State,
        _ core: inout PublisherCore.State
    ) {
        guard state.table.open(with: idle) == 0 else { return }
        for member in core.members where member.group == group && member.id != idle {
            guard state.table.open(with: member.id) > 1 else { continue }
            rebalance(from: member.id, group, &state, &core)
            if state.table.open(with: idle) > 0 { return }
        }
    }

    /// Requests whose frames were withdrawn before a member took them.
    func framesWereWithdrawn(from generation: inout Generation, mayHandOver: Bool) {
        state.withLock { Self.settleWithdrawals(from: &generation, &$0, mayHandOver: mayHandOver) }
    }

    private static func settleWithdrawals(
        from generation: inout Generation,
        _ state: inout State,
        mayHandOver: Bool
    ) {
        for withdrawal in generation.leases.takeWithdrawals() {
            let frame = generation.frames.record(withdrawal.slot).pointee.number
            guard let request = state.table.request(for: frame, with: withdrawal.member) else { continue }
            if mayHandOver,
                let next = generation.leases.handOver(
                    withdrawal.slot,
                    from: withdrawal.member,
                    group: request.key.group
                )
            {
                state.table.hand(request.key, to: next, again: false)
                state.handedOver = true
            } else {
                state.table.fail(request.key, .withdrawn(frame: frame))
            }
        }
    }

    // MARK: members

    /// The number of a group; nil: the channel has as many as it can keep account of. The core's lock is held from here on
    /// until the group has its member, or it would be another's meanwhile.
    func enter(_ name: String) -> GroupID? { state.withLock { $0.table.enter(name) } }

    /// A subscriber has become a member. The core's lock is held.
    func subscriberJoins(_ id: MemberID, _ group: GroupID, _ core: inout PublisherCore.State) {
        state.withLock { state in
            state.groups[id] = group
            state.table.update(group) { $0.members += 1 }
            Self.rebalance(to: id, group, &state, &core)
        }
    }

    /// A member is about to be forgotten: its frames go to others, or fail.
    func subscriberLeaves(_ id: MemberID, _ core: inout PublisherCore.State) {
        state.withLock { state in
            guard let group = state.groups.removeValue(forKey: id) else { return }
            let pid = core.members.first { $0.id == id }?.pid ?? 0
            state.table.update(group) { $0.members -= 1 }
            for request in state.table.requests(with: id) {
                if case .handOver(let attempts) = request.options.workerLoss, request.attempts < attempts,
                    core.isHeld(request),
                    let next = core.generation.leases.handOver(request.slot, from: id, group: group)
                {
                    state.table.hand(request.key, to: next, again: true)
                    state.handedOver = true
                } else {
                    state.table.fail(
                        request.key,
                        .workerLost(frame: request.key.frame, worker: id, pid: pid, attempts: request.attempts)
                    )
                }
            }
        }
    }

    func name(of group: GroupID) -> String { state.withLock { $0.table.name(of: group) } }

    /// For monitors.
    var status: [ChannelStatistics.GroupStatus] { state.withLock { $0.table.status } }

    // MARK: results

    func beginResults(of name: String, _ queue: ResultQueue, _ core: PublisherCore) throws(ChannelError) {
        let failure: ChannelError? = core.state.withLock { core in
            guard !core.ended else { return .closed }
            return state.withLock { state in
                guard let group = state.table.enter(name) else { return .tooManyGroups(RequestTable.maximumGroups) }
                guard state.table.groups[Int(group)].results == nil else { return .resultsInUse(group: name) }
                state.table.setResults(queue, of: group)
                core.groupsFollowAll = state.table.hasReaders
                return nil
            }
        }
        if let failure { throw failure }
    }

    func endResults(of name: String, _ queue: ResultQueue, _ core: PublisherCore) {
        core.state.withLock { core in
            state.withLock { state in
                guard let group = state.table.group(named: name) else { return }
                if state.table.groups[Int(group)].results === queue { state.table.setResults(nil, of: group) }
                core.groupsFollowAll = state.table.hasReaders
            }
        }
        queue.close()
    }

    func hasRoom(in name: String, _ core: PublisherCore) throws(ChannelError) -> Bool {
        var ended = false
        let room = core.state.withLock { core in
            ended = core.ended
            core.generation.leases.collectReleases()
            let group = state.withLock { $0.table.group(named: name) }
            return group.map { core.generation.leases.hasRoom(in: $0) } ?? false
        }
        if ended { throw .closed }
        return room
    }

    /// How many requests have no answer yet.
    var openRequests: Int { state.withLock { $0.table.requests.count } }

    // MARK: replies

    /// A member has replied. Returns what is wrong with it, if it is what no correct member sends.
    func receive(
        _ reply: Message.WorkerReply,
        shared: consuming OwnedDescriptor?,
        from id: MemberID,
        _ core: PublisherCore
    ) -> String? {
        let storage: ReceivedReply.Storage
        if let descriptor = shared {
            guard reply.sharedSize > 0 else { return "it sent a descriptor with a reply that needs none" }
            do throws(MemoryError) {
                storage = .shared(try ReceivedBytes(adopting: descriptor, size: reply.sharedSize))
            } catch {
                return "its reply can't be read: \(error)"
            }
        } else {
            guard reply.sharedSize == 0 else { return "its reply came without its memory" }
            storage = .inline(reply.bytes)
        }
        let received = ReceivedReply(content: reply.content, storage: storage)
        var booked = state.withLock { state -> Booked? in
            guard let group = state.groups[id], state.table.isOpen(reply.frame, group, with: id) else { return nil }
            return Self.book(received, reply, group, from: id, &state)
        }
        if booked == nil {
            // A quick member replies while its frame is still being offered to others. Once the core's lock is free, the request
            // is there, or nobody waits for this reply.
            let isSubscriber = core.state.withLock { core in
                booked = state.withLock { state in
                    state.groups[id].map { Self.book(received, reply, $0, from: id, &state) }
                }
                return core.members.contains { $0.id == id }
            }
            // One that is no subscriber was cut off a moment ago.
            if booked == nil { return isSubscriber ? "it replied, and is in no group" : nil }
        }
        if let booked, booked.leavesIdle {
            core.state.withLock { core in state.withLock { Self.rebalance(to: id, booked.group, &$0, &core) } }
        }
        tell(core)
        return nil
    }

    private struct Booked {
        let group: GroupID
        /// Another member has frames waiting, and the one that has replied has none.
        let leavesIdle: Bool
    }

    private static func book(
        _ received: ReceivedReply,
        _ reply: Message.WorkerReply,
        _ group: GroupID,
        from id: MemberID,
        _ state: inout State
    ) -> Booked {
        state.table.receive(received, reply.stage, frame: reply.frame, group: group, from: id)
        let leavesIdle = reply.stage != .progress && state.table.hasWaiting(in: group, besides: id)
        return Booked(group: group, leavesIdle: leavesIdle)
    }

    // MARK: giving up

    /// Nobody waits for this answer any more.
    func cancel(_ frame: UInt64, group name: String, _ core: PublisherCore) {
        let peer: ConnectedSubscriber? = core.state.withLock { core in
            state.withLock { state in
                guard let group = state.table.group(named: name),
                    let request = state.table.fail(.init(frame: frame, group: group), .cancelled)
                else { return nil }
                return Self.letGo(of: request, &core)
            }
        }
        peer?.deliver(.cancel(frame: frame))
        tell(core)
        core.slotMayBeFree()
    }

    /// A request is given up: what its worker has not taken is withdrawn.
    /// - Returns: the worker that is to be told
    private static func letGo(
        of request: RequestTable.Request,
        _ core: inout PublisherCore.State
    ) -> ConnectedSubscriber? {
        if core.isHeld(request), core.generation.leases.withdraw(slot: request.slot, from: request.member) {
            return nil
        }
        return core.members.first { $0.id == request.member }?.peer as? ConnectedSubscriber
    }

    /// Ends what is overdue. Called by the control thread.
    func expire(_ core: PublisherCore) {
        guard wait == 0 else { return }
        var messages: [(ConnectedSubscriber, UInt64)] = []
        let any = core.state.withLock { held in
            let overdue = state.withLock { $0.table.expire(now: monotonicNow()) }
            for request in overdue {
                guard let peer = Self.letGo(of: request, &held) else { continue }
                messages.append((peer, request.key.frame))
                if request.options.overdue == .isCutOff {
                    core.cutOff(request.member, &held, reason: "it had frame \(request.key.frame) beyond its deadline")
                }
            }
            return !overdue.isEmpty
        }
        guard any else { return }
        for (peer, frame) in messages { peer.deliver(.cancel(frame: frame)) }
        core.slotMayBeFree()
    }

    /// How long the control thread may sleep for the sake of deadlines, in ms; -1: for ever.
    var wait: Int32 {
        guard let first = state.withLock({ $0.table.firstDeadline }) else { return -1 }
        let left = first.subtractingClamped(monotonicNow())
        return Int32(clamping: max(0, left.addingClamped(999_999) / 1_000_000))
    }

    /// Tells everyone what has become of their requests, and wakes members that were handed a frame. Never under a lock.
    func tell(_ core: PublisherCore) {
        let (news, handedOver) = state.withLock { state in
            defer { state.handedOver = false }
            return (state.table.takeNews(), state.handedOver)
        }
        var sleepers = PublisherCore.News()
        if handedOver { core.state.withLock { core.announce(&$0, &sleepers, groupsOnly: true) } }
        for item in news { item.sink.receive(item.event) }
        if handedOver { core.tell(&sleepers) }
    }

    /// Ends all that is open, as the channel ends.
    func end(_ error: ChannelError, _ core: PublisherCore) {
        let queues: [ResultQueue] = state.withLock { state in
            for key in state.table.requests.keys.sorted(by: { $0.frame < $1.frame }) {
                state.table.fail(key, .channel(error))
            }
            return state.table.groups.compactMap(\.results)
        }
        tell(core)
        for queue in queues { queue.close() }
    }
}

extension PublisherCore.State {
    /// Whether the member that was asked still has the frame: queued or leased, and not another one in its slot.
    fileprivate func isHeld(_ request: RequestTable.Request) -> Bool {
        request.generation == generation.number && generation.leases.holds(request.slot, request.member)
            && generation.frames.record(request.slot).pointee.number == request.key.frame
    }
}
