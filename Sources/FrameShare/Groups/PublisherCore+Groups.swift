internal import CLinuxMedia
internal import FrameMemory
internal import LeaseProtocol
internal import Synchronization
internal import SystemPackage

/// What a frame's publisher wants to know of one group. One reference, so that frames without it pay nothing for it.
final class Asking: Sendable {
    let group: String
    let options: AskOptions
    let sink: any WorkSink

    init(group: String, options: AskOptions, sink: any WorkSink) {
        (self.group, self.options, self.sink) = (group, options, sink)
    }
}

// Work that groups were given. What is decided under the lock is told after it: see `tellWork`.
extension PublisherCore {
    // MARK: publishing

    /// After a frame was offered: who is to answer it, and whose earlier frames gave way to it.
    /// - Returns: whether ``tellWork()`` is to be called, and whether the control thread must learn of a deadline.
    static func bookWork(
        _ slot: Int,
        _ number: UInt64,
        _ asking: Asking?,
        _ now: Int64,
        _ state: inout State
    ) -> (news: Bool, deadline: Bool) {
        let before = state.work.firstDeadline
        settleWithdrawals(from: &state.generation, &state.work, mayHandOver: false)
        var asked = asking
        for i in state.generation.leases.groupOffers.indices {
            let offer = state.generation.leases.groupOffers[i]
            let group = offer.group
            state.work.update(group) { if offer.member == nil { $0.lost += 1 } else { $0.given += 1 } }
            var options = AskOptions()
            var sinks: [any WorkSink] = []
            if let results = state.work.groups[Int(group)].results {
                options = results.askOptions
                results.expect(number)
                sinks.append(results)
            }
            if let asking, state.work.name(of: group) == asking.group {
                options = asking.options
                sinks.append(asking.sink)
                asked = nil
            }
            guard !sinks.isEmpty else { continue }
            guard let member = offer.member else {
                state.work.update(group) { $0.failed += 1 }
                state.work.refuse(sinks, frame: number, .busy(group: state.work.name(of: group), frame: number))
                continue
            }
            state.work.add(
                RequestTable.Request(
                    key: .init(frame: number, group: group),
                    member: member,
                    slot: slot,
                    generation: state.generation.number,
                    deadline: Deadline.moment(options.deadline, after: now),
                    options: options,
                    sinks: sinks
                )
            )
            rebalance(from: member, group, &state)
        }
        // Where nobody is in the group, its results say so.
        for i in state.work.groups.indices where state.work.hasReaders {
            guard let results = state.work.groups[i].results,
                !state.generation.leases.groupOffers.contains(where: { $0.group == i })
            else { continue }
            results.expect(number)
            state.work.refuse([results], frame: number, .noWorker(group: state.work.groups[i].name))
        }
        if let asked { state.work.refuse([asked.sink], frame: number, .noWorker(group: asked.group)) }
        let isEarlier = state.work.firstDeadline.map { $0 < before ?? .max } ?? false
        return (state.work.hasNews || state.handedOver, isEarlier)
    }

    /// A member that has several requests gives those that it has not taken to members that have none: no frame waits
    /// behind a slow one while somebody is idle.
    private static func rebalance(from busy: SubscriberID, _ group: RequestTable.GroupID, _ state: inout State) {
        guard state.work.open(with: busy) > 1 else { return }
        for member in state.members where member.group == group && member.id != busy {
            guard !member.isLeaving, state.work.open(with: member.id) == 0 else { continue }
            for request in state.work.requests(with: busy) where request.generation == state.generation.number {
                guard state.generation.leases.holds(request.slot, busy),
                    state.generation.frames.record(request.slot).pointee.number == request.key.frame,
                    state.generation.leases.move(request.slot, from: busy, to: member.id)
                else { continue }
                state.work.hand(request.key, to: member.id, again: false)
                state.handedOver = true
                break
            }
            guard state.work.open(with: busy) > 1 else { return }
        }
    }

    /// Who has just become idle, or a member, takes a frame that waits behind another's.
    static func rebalance(to idle: SubscriberID, _ group: RequestTable.GroupID, _ state: inout State) {
        guard state.work.open(with: idle) == 0 else { return }
        for member in state.members where member.group == group && member.id != idle {
            guard state.work.open(with: member.id) > 1 else { continue }
            rebalance(from: member.id, group, &state)
            if state.work.open(with: idle) > 0 { return }
        }
    }

    /// Requests whose frames were withdrawn before anyone took them.
    static func settleWithdrawals(
        from generation: inout Generation,
        _ work: inout RequestTable,
        mayHandOver: Bool
    ) {
        for withdrawal in generation.leases.takeWithdrawals() {
            let frame = generation.frames.record(withdrawal.slot).pointee.number
            guard let request = work.request(for: frame, with: withdrawal.member) else { continue }
            if mayHandOver,
                let next = generation.leases.handOver(
                    withdrawal.slot,
                    from: withdrawal.member,
                    group: request.key.group
                )
            {
                work.hand(request.key, to: next, again: false)
            } else {
                work.fail(request.key, .withdrawn(frame: frame))
            }
        }
    }

    // MARK: results

    func beginResults(of name: String, _ queue: ResultQueue) throws(ChannelError) {
        let failure: ChannelError? = state.withLock { state in
            guard !state.ended else { return .closed }
            guard let group = state.work.enter(name) else { return .tooManyGroups(RequestTable.maximumGroups) }
            guard state.work.groups[Int(group)].results == nil else { return .resultsInUse(group: name) }
            state.work.setResults(queue, of: group)
            return nil
        }
        if let failure { throw failure }
    }

    func endResults(of name: String, _ queue: ResultQueue) {
        state.withLock { state in
            guard let group = state.work.group(named: name) else { return }
            if state.work.groups[Int(group)].results === queue { state.work.setResults(nil, of: group) }
        }
        queue.close()
    }

    func hasRoom(in name: String) throws(ChannelError) -> Bool {
        var ended = false
        let room = state.withLock { state in
            ended = state.ended
            state.generation.leases.collectReleases()
            return state.work.group(named: name).map { state.generation.leases.hasRoom(in: $0) } ?? false
        }
        if ended { throw .closed }
        return room
    }

    // MARK: replies

    /// A member has replied. Returns what is wrong with it, if it is what no correct member sends.
    func receive(
        _ reply: Message.WorkerReply,
        shared: consuming OwnedDescriptor?,
        from id: SubscriberID
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
        let isMember = state.withLock { state in
            guard let member = state.members.first(where: { $0.id == id }), let group = member.group else {
                // Cut off a moment ago, or in no group.
                return state.members.contains { $0.id == id } == false
            }
            state.work.receive(
                ReceivedReply(content: reply.content, storage: storage),
                reply.stage,
                frame: reply.frame,
                group: group,
                from: id
            )
            if reply.stage != .progress { Self.rebalance(to: id, group, &state) }
            return true
        }
        tellWork()
        return isMember ? nil : "it replied, and is in no group"
    }

    // MARK: members that go

    /// A member is about to be forgotten: its frames go to others, or fail. What it held is still its own here.
    static func settleWork(of id: SubscriberID, _ state: inout State) {
        guard let member = state.members.first(where: { $0.id == id }), let group = member.group else { return }
        state.work.update(group) { $0.members -= 1 }
        for request in state.work.requests(with: id) {
            if case .handOver(let attempts) = request.options.workerLoss, request.attempts < attempts,
                request.generation == state.generation.number,
                state.generation.leases.holds(request.slot, id),
                state.generation.frames.record(request.slot).pointee.number == request.key.frame,
                let next = state.generation.leases.handOver(request.slot, from: id, group: group)
            {
                state.work.hand(request.key, to: next, again: true)
                state.handedOver = true
            } else {
                state.work.fail(
                    request.key,
                    .workerLost(frame: request.key.frame, worker: id, pid: member.pid, attempts: request.attempts)
                )
            }
        }
    }

    // MARK: giving up

    /// Nobody waits for this answer any more.
    func cancelWork(_ frame: UInt64, group name: String) {
        var message: (ControlSocket, UInt64)? = nil
        state.withLock { state in
            guard let group = state.work.group(named: name),
                let request = state.work.fail(.init(frame: frame, group: group), .cancelled)
            else { return }
            message = Self.letGo(of: request, &state)
        }
        if let (socket, frame) = message { tellCancelled(frame, socket) }
        tellWork()
        slotMayBeFree()
    }

    private func tellCancelled(_ frame: UInt64, _ socket: ControlSocket) {
        deliver(Message.cancel(frame: frame).encoded, to: socket)
    }

    /// A request is given up: what its worker has not taken is withdrawn; who works on it is to be told.
    private static func letGo(of request: RequestTable.Request, _ state: inout State) -> (ControlSocket, UInt64)? {
        if request.generation == state.generation.number,
            state.generation.leases.holds(request.slot, request.member),
            state.generation.frames.record(request.slot).pointee.number == request.key.frame,
            state.generation.leases.withdraw(slot: request.slot, from: request.member)
        {
            return nil
        }
        return state.members.first { $0.id == request.member }.map { ($0.socket, request.key.frame) }
    }

    /// Ends what is overdue. Called by the control thread.
    func expireWork() {
        var messages: [(ControlSocket, UInt64)] = []
        let any = state.withLock { state in
            let overdue = state.work.expire(now: monotonicNow())
            for request in overdue {
                guard let message = Self.letGo(of: request, &state) else { continue }
                messages.append(message)
                if request.options.overdue == .isCutOff {
                    Self.cutOff(request.member, &state, reason: "it had frame \(request.key.frame) beyond its deadline")
                }
            }
            return !overdue.isEmpty
        }
        guard any else { return }
        for (socket, frame) in messages { tellCancelled(frame, socket) }
        slotMayBeFree()
    }

    /// How long the control thread may sleep for the sake of deadlines, in ms; -1: for ever.
    var workWait: Int32 {
        guard let first = state.withLock({ $0.work.firstDeadline }) else { return -1 }
        let left = first.subtractingClamped(monotonicNow())
        return Int32(clamping: max(0, left.addingClamped(999_999) / 1_000_000))
    }

    /// Tells everyone what has become of their requests, and wakes members that were handed a frame. Never under a lock.
    func tellWork() {
        var sleepers = News()
        let (news, handedOver) = state.withLock { state in
            let handedOver = state.handedOver
            state.handedOver = false
            if handedOver { announce(&state, &sleepers, groupsOnly: true) }
            return (state.work.takeNews(), handedOver)
        }
        for item in news { item.sink.receive(item.event) }
        if handedOver { tell(&sleepers) }
    }

    /// Ends all that is open, as the channel ends.
    func endWork(_ error: ChannelError) {
        let queues: [ResultQueue] = state.withLock { state in
            for key in state.work.requests.keys.sorted(by: { $0.frame < $1.frame }) {
                state.work.fail(key, .channel(error))
            }
            return state.work.groups.compactMap(\.results)
        }
        tellWork()
        for queue in queues { queue.close() }
    }
}
