internal import CLinuxMedia
internal import FrameMemory
internal import Glibc
internal import LeaseProtocol
internal import Synchronization
internal import SystemPackage

// Letting subscribers in.
extension ChannelHost {
    /// The most bytes that are kept of a subscriber's name: the statistics of all members fit one message.
    static let maximumNameLength = 64

    /// Lets a subscriber in, sends it all it needs, and returns its number; or throws why not.
    func attach(
        _ hello: Message.Hello,
        version: ProtocolVersion,
        socket: ControlSocket,
        peer: (pid: Int32, uid: UInt32)
    ) throws(ChannelError) -> PublisherCore.SubscriberID {
        var failure: ChannelError? = nil
        var id: PublisherCore.SubscriberID = 0
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
    ) throws(ChannelError) -> PublisherCore.SubscriberID {
        let request = hello.request
        // `control` is held: the generation can't change between these two looks.
        let (check, unknown, offered): (String?, String?, [String]) = core.state.withLock { state in
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
        let (lane, memory) = try core.makeLane(request)
        let wakePage = try core.wakePage(ofUser: peer.uid, isAlone: hello.interval > 0)
        var refusal: ChannelError? = nil
        let id: PublisherCore.SubscriberID = core.state.withLock { state in
            guard !state.ended else {
                refusal = .closed
                return 0
            }
            let most = min(max(1, options.subscriberLimit), ChannelLimits.subscribers)
            guard state.members.count < most else {
                refusal = .refused("the channel has \(most) subscribers, which is the most")
                return 0
            }
            let group = hello.group.isEmpty ? nil : groups.enter(hello.group)
            guard hello.group.isEmpty || group != nil else {
                refusal = .tooManyGroups(RequestTable.maximumGroups)
                return 0
            }
            let id = state.nextID
            do throws(AdmissionRefusal) {
                try state.generation.leases.admit(id, request, group: group, interval: hello.interval, lane: lane)
            } catch {
                refusal = .refused(error.description)
                return 0
            }
            // A reservation takes from those who share.
            groups.framesWereWithdrawn(from: &state.generation, mayHandOver: false)
            state.nextID &+= 1
            state.generation.lanes[id] = memory
            state.waitSet = Array(state.generation.lanes.values)
            state.members.append(
                PublisherCore.Member(
                    id: id,
                    pid: peer.pid,
                    uid: peer.uid,
                    version: version,
                    name: String(decoding: hello.name.utf8.prefix(Self.maximumNameLength), as: UTF8.self),
                    request: request,
                    streams: hello.streams,
                    group: group,
                    interval: hello.interval,
                    pollable: hello.pollable,
                    peer: ConnectedSubscriber(socket: socket, unsent: unsent),
                    wakePage: wakePage,
                    attachedAt: monotonicNow(),
                    lane: lane,
                    laneMemory: memory
                )
            )
            if let group { groups.subscriberJoins(id, group, &state) }
            // So that publishing allocates nothing.
            state.wordsToWake.reserveCapacity(state.members.count)
            state.crowds.reserveCapacity(state.members.count)
            state.toWake.reserveCapacity(state.members.count)
            return id
        }
        groups.tell(core)
        if let refusal { throw refusal }
        core.wakeSlotWaiters()  // their wait set has changed
        let welcome = Message.Welcome(
            subscriber: id,
            publisherPID: getpid(),
            channel: channel,
            sourceName: options.sourceName
        )
        do throws(ChannelError) {
            try Self.send(.welcome(welcome), [core.page.memory.descriptor, wakePage.memory.descriptor], on: socket)
            try sendGeneration(to: id)
        } catch {
            core.detach(id)
            throw error
        }
        tellTrouble(to: socket, version: version)
        core.noteDemand()
        return id
    }

    /// Sends the present generation to a subscriber. `control` is held.
    func sendGeneration(to id: PublisherCore.SubscriberID) throws(ChannelError) {
        struct Parcel {
            var socket: ControlSocket
            var offer: GenerationOffer
            var table: Int32
            var lane: SharedMemory
            var buffers: (descriptors: [Int32], places: BufferPlaces?)
        }
        let parcel: Parcel? = core.state.withLock { state in
            guard let member = state.members.first(where: { $0.id == id }), let lane = state.generation.lanes[id]
            else { return nil }
            guard let peer = member.peer as? ConnectedSubscriber else { return nil }
            return Parcel(
                socket: peer.socket,
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
}
