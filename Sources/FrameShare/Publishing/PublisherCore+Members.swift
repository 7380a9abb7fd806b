internal import CLinuxMedia
internal import FrameMemory
internal import Glibc
internal import Synchronization
internal import SystemPackage

// Joining and leaving: what happens now and then, never per frame.
extension PublisherCore {
    /// The most subscribers of one channel: a waiting publisher sleeps on a word of each, and the kernel takes 128.
    static let maximumMembers = 120
    /// The most bytes that are kept of a subscriber's name: the statistics of all members fit one message.
    static let maximumNameLength = 64

    /// Lets a subscriber in, sends it all it needs, and returns its number; or throws why not.
    func attach(
        _ hello: Message.Hello,
        version: ProtocolVersion,
        socket: ControlSocket,
        peer: (pid: Int32, uid: UInt32)
    ) throws(ChannelError) -> SubscriberID {
        var failure: ChannelError? = nil
        var id: SubscriberID = 0
        control.withLock { _ in
            do throws(ChannelError) {
                id = try attachSerially(hello, version, socket: socket, peer: peer)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return id
    }

    private func attachSerially(
        _ hello: Message.Hello,
        _ version: ProtocolVersion,
        socket: ControlSocket,
        peer: (pid: Int32, uid: UInt32)
    ) throws(ChannelError) -> SubscriberID {
        let request = hello.request
        // `control` is held: the generation can't change between these two looks.
        let (check, unknown, offered): (String?, String?, [String]) = state.withLock { state in
            let names = state.generation.pool.streams.map(\.name)
            if let unknown = state.generation.firstUnknown(hello.streams) { return (nil, unknown, names) }
            if let reason = state.generation.refusal(to: version) { return (reason, nil, names) }
            do throws(AdmissionRefusal) {
                try state.generation.leases.checkAdmission(request)
                return (nil, nil, names)
            } catch {
                return (error.description, nil, names)
            }
        }
        if let unknown { throw .unknownStream(name: unknown, offered: offered) }
        if let check { throw .refused(check) }
        guard hello.group.isEmpty || ChannelName.isValid(hello.group) else { throw .badGroupName(hello.group) }
        let (lane, memory) = try makeLane(request, id: nil)
        let wakePage = try wakePage(ofUser: peer.uid)
        var refusal: ChannelError? = nil
        let id: SubscriberID = state.withLock { state in
            guard !state.ended else {
                refusal = .closed
                return 0
            }
            let most = min(max(1, options.subscriberLimit), Self.maximumMembers)
            guard state.members.count < most else {
                refusal = .refused("the channel has \(most) subscribers, which is the most")
                return 0
            }
            let group = hello.group.isEmpty ? nil : state.work.enter(hello.group)
            guard hello.group.isEmpty || group != nil else {
                refusal = .tooManyGroups(RequestTable.maximumGroups)
                return 0
            }
            let id = state.nextID
            do throws(AdmissionRefusal) {
                try state.generation.leases.admit(id, request, group: group, lane: lane)
            } catch {
                refusal = .refused(error.description)
                return 0
            }
            // A reservation takes from those who share.
            Self.settleWithdrawals(from: &state.generation, &state.work, mayHandOver: false)
            state.nextID &+= 1
            state.generation.lanes[id] = memory
            state.waitSet = Array(state.generation.lanes.values)
            state.members.append(
                Member(
                    id: id,
                    pid: peer.pid,
                    uid: peer.uid,
                    version: version,
                    name: String(decoding: hello.name.utf8.prefix(Self.maximumNameLength), as: UTF8.self),
                    request: request,
                    streams: hello.streams,
                    group: group,
                    pollable: hello.pollable,
                    socket: socket,
                    wakePage: wakePage,
                    attachedAt: monotonicNow(),
                    lane: lane,
                    laneMemory: memory
                )
            )
            if let group {
                state.work.update(group) { $0.members += 1 }
                Self.rebalance(to: id, group, &state)
            }
            // So that publishing allocates nothing.
            state.wordsToWake.reserveCapacity(state.members.count)
            state.crowds.reserveCapacity(state.members.count)
            return id
        }
        tellWork()
        if let refusal { throw refusal }
        wakeSlotWaiters()  // their wait set has changed
        let welcome = Message.Welcome(
            subscriber: id,
            publisherPID: getpid(),
            channel: channel,
            sourceName: options.sourceName
        )
        do throws(ChannelError) {
            try Self.send(.welcome(welcome), [page.memory.descriptor, wakePage.memory.descriptor], on: socket)
            try sendGeneration(to: id)
        } catch {
            detach(id)
            throw error
        }
        return id
    }

    /// The page that a user's readers sleep on: the one that its other subscribers have, or a new one. So there are never
    /// more than subscribers, and a page goes with the last of its user's. `control` is held: no other is made meanwhile.
    private func wakePage(ofUser user: UInt32) throws(ChannelError) -> WakePage {
        let present = state.withLock { state in state.members.first { $0.uid == user }?.wakePage }
        if let present, user != WakePage.unknownUser { return present }
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

    func makeLane(_ request: LeaseRequest, id: SubscriberID?) throws(ChannelError) -> (LaneMemory, SharedMemory) {
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

    /// Sends the present generation to a subscriber. `control` is held.
    func sendGeneration(to id: SubscriberID) throws(ChannelError) {
        struct Parcel {
            var socket: ControlSocket
            var offer: Message.GenerationOffer
            var table: Int32
            var lane: SharedMemory
            var buffers: (descriptors: [Int32], places: BufferPlaces?)
        }
        let parcel: Parcel? = state.withLock { state in
            guard let member = state.members.first(where: { $0.id == id }), let lane = state.generation.lanes[id]
            else { return nil }
            return Parcel(
                socket: member.socket,
                offer: state.generation.offer(streams: member.streams, depth: member.lane.depth),
                table: state.generation.frames.memory.descriptor,
                lane: lane,
                buffers: state.generation.descriptors(streams: member.streams)
            )
        }
        guard let parcel else { throw .closed }
        try Self.send(.generation(parcel.offer), [parcel.table, parcel.lane.descriptor], on: parcel.socket)
        let (all, number) = (parcel.buffers.descriptors, parcel.offer.generation)
        var first = 0
        if let places = parcel.buffers.places {
            let part = Array(all.prefix(Message.maximumDescriptors))
            try Self.send(.places(generation: number, places), part, on: parcel.socket)
            first = part.count
        }
        while first < all.count {
            let part = Array(all[first...].prefix(Message.maximumDescriptors))
            try Self.send(
                .buffers(generation: number, first: first, count: part.count),
                part,
                on: parcel.socket
            )
            first += part.count
        }
    }

    private static func send(
        _ message: Message,
        _ descriptors: [Int32],
        on socket: ControlSocket
    ) throws(ChannelError) {
        switch socket.send(message, descriptors: descriptors) {
        case .sent: return
        case .full: throw .refused("it does not read its control socket")
        case .noMemory: throw .system(call: "sendmsg", .noBufferSpace)
        // In flight descriptors count against the user's limit of open files (ETOOMANYREFS).
        case .failed(.tooManyReferences):
            throw .refused("too many descriptors are on their way to this user's processes")
        case .failed(let error): throw .system(call: "sendmsg", error)
        }
    }

    /// A subscriber takes no more frames, but still holds some.
    func stopOffering(to id: SubscriberID) {
        state.withLock { state in
            state.generation.leases.stopOffering(to: id)
            // What it has not taken is for the others.
            Self.settleWithdrawals(from: &state.generation, &state.work, mayHandOver: true)
            state.handedOver = true
            if let i = state.members.firstIndex(where: { $0.id == id }) { state.members[i].isLeaving = true }
        }
        tellWork()
        slotMayBeFree()
    }

    /// Forgets a subscriber; what it held is free. Safe to call for one that is gone already.
    func detach(_ id: SubscriberID) {
        var gone: [Generation] = []
        state.withLock { state in
            Self.settleWork(of: id, &state)
            state.members.removeAll { $0.id == id }
            state.generation.remove(id)
            for i in state.retired.indices { state.retired[i].remove(id) }
            gone = Self.collectRetired(&state)
            state.waitSet = Array(state.generation.lanes.values)
        }
        if !gone.isEmpty { Self.signal(controlEvent) }
        tellWork()
        slotMayBeFree()
    }

    /// Tells whoever waits for a slot that one may have come free.
    func slotMayBeFree() {
        let sleepers = state.withLock { $0.sleepers > 0 }
        if sleepers { wakeSlotWaiters() }
        Self.signal(freeSlotEvent)
    }

    /// Who is to be hung up on, and why: those that broke the protocol, held a frame too long or did not read.
    func takeDisconnects() -> [(id: SubscriberID, socket: ControlSocket, reason: String)] {
        // Old lanes and pools that nobody holds any more are unmapped here: not under the lock, and not by whoever publishes.
        var gone: [Generation] = []
        let result = state.withLock { state in
            swap(&gone, &state.gone)
            var result = state.disconnects
            state.disconnects = []
            for generation in state.retired + [state.generation] {
                for entry in generation.leases.entries {
                    guard let violation = entry.violation, !result.contains(where: { $0.id == entry.id }),
                        let member = state.members.first(where: { $0.id == entry.id })
                    else { continue }
                    result.append((entry.id, member.socket, "it broke the protocol: \(violation)"))
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
        guard (1...Self.maximumMembers).contains(count) else { throw .badSubscriberCount(count) }
        let deadline = Deadline(after: timeout)
        while true {
            // Before the look: whoever joins after it bumps the word, and the kernel refuses to sleep.
            let seen = attentionSeen
            let (ended, present) = state.withLock { ($0.ended, $0.members.count { !$0.isLeaving }) }
            if present >= count { return }
            if ended { throw .closed }
            if interrupted() { throw .cancelled }
            if deadline.hasPassed { throw .timedOut }
            sleep(whileAttentionIs: seen, nanoseconds: deadline.remaining(atMost: 100_000_000))
        }
    }

    // MARK: the end

    /// Ends the channel for everyone. Returns false when it had ended before.
    func end(_ end: Message.End) -> Bool {
        var pages: [WakePage] = []
        let sockets: [ControlSocket]? = state.withLock { state in
            guard !state.ended else { return nil }
            state.ended = true
            if case .sourceFailed = end { page.set(.failed) } else { page.set(.ended) }
            pages = Self.bumpWords(of: state.members)
            return state.members.map(\.socket)
        }
        guard let sockets else { return false }
        controls.stop()
        for socket in sockets { socket.send(.ended(end)) }
        endWork(end.error ?? .closed)
        for page in pages { wake(page.word) }
        wakeSlotWaiters()
        Self.signal(freeSlotEvent)
        return true
    }
}
