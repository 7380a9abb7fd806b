internal import CLinuxMedia
internal import FrameMemory
internal import Glibc
internal import LeaseProtocol
internal import Logging
internal import Synchronization
internal import SystemPackage

/// The publisher's control thread: accepts connections, shakes hands, notices who hung up, answers monitors.
///
/// It owns the listening socket and all connections. Nothing a peer does or fails to do can block it: every socket is
/// non-blocking, every handshake has a time limit, and every message is bounded.
final class ConnectionServer: Sendable {
    private let host: ChannelHost
    private var core: PublisherCore { host.core }
    private let listening: ListeningSocket
    private let epoll: OwnedDescriptor
    private let stopping = Atomic<Bool>(false)
    private let finished: EventSignal
    /// A request to end if nobody needs the channel, and the answer.
    private let retirement = Mutex<Retirement>(.none)
    private let decided: EventSignal
    /// The thread of ``run()``, as a number; 0 before it runs.
    private let thread = Atomic<UInt>(0)

    /// How long a peer may take from connecting to being ready, in ns.
    private static let handshakeLimit: Int64 = 5_000_000_000
    /// Connections beyond this many are turned away: subscribers, monitors and unfinished handshakes together.
    private static let maximumConnections = 256
    /// Of one user, connections that have said nothing. One more takes the place of the one that has been silent for
    /// longest: nobody is kept out by connections that say nothing. Those that have said hello count as members.
    private static let maximumSilent = 64
    /// Taken in one go: fewer than may be silent, so that each is listened to before it could have to make way.
    private static let acceptedAtOnce = 16

    init(host: ChannelHost, listening: ListeningSocket) throws(ChannelError) {
        self.host = host
        self.listening = listening
        let number = fs_epoll_create()
        guard number >= 0 else { throw .failed("epoll_create1", errno: -number) }
        epoll = OwnedDescriptor(owning: number)
        finished = try EventSignal()
        decided = try EventSignal()
        for descriptor in [listening.number, host.core.controlEvent.number] {
            let result = fs_epoll_add(epoll.number, descriptor, FS_EPOLLIN, UInt64(descriptor))
            guard result == 0 else { throw .system(call: "epoll_ctl", Errno(rawValue: -result)) }
        }
        try BackgroundThread.start(name: "fs-control") { [self] in run() }
    }

    /// Ends the thread, hangs up on everyone and removes the channel's files. Returns when that is done.
    func stop() {
        // Whoever comes second waits for the end as well: when this returns, the files are gone.
        if !stopping.exchange(true, ordering: .sequentiallyConsistent) { core.controlEvent.signal() }
        // The last reference to a publisher may end on this very thread. Then the loop ends once this has returned.
        if thread.load(ordering: .acquiring) == UInt(pthread_self()) { return }
        var entry = pollfd(fd: finished.number, events: Int16(POLLIN), revents: 0)
        while poll(&entry, 1, -1) < 0 && errno == EINTR {}
    }

    private enum Retirement {
        case none
        case asked
        case refused
    }

    /// Ends the channel as ``stop()`` does, if no subscriber is there, and no connection that may become one.
    /// - Returns: whether it has ended
    func stopIfUnused() -> Bool {
        retirement.withLock { $0 = .asked }
        core.controlEvent.signal()
        var entries = [decided.number, finished.number].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        while poll(&entries, 2, -1) < 0 && errno == EINTR {}
        var count: UInt64 = 0
        if entries[0].revents != 0 { _ = read(decided.number, &count, 8) }
        return entries[1].revents != 0
    }

    /// On the control thread: answers ``stopIfUnused()``. What connects from now on is not accepted before the answer.
    private func retire(_ connections: inout [Int32: Connection], _ spare: inout Int32, _ buffer: inout [UInt8]) {
        guard retirement.withLock({ if case .asked = $0 { true } else { false } }) else { return }
        acceptSome(&connections, &spare, &buffer)
        let isUsed = connections.values.contains { if case .monitor = $0.stage { false } else { true } }
        if isUsed || core.wantingCount > 0 {
            retirement.withLock { $0 = .refused }
            decided.signal()
        } else {
            _ = host.end(.closed)
            stopping.store(true, ordering: .sequentiallyConsistent)
        }
    }

    /// One connected peer.
    private struct Connection {
        enum Stage {
            case awaitingHello
            case awaitingReady(PublisherCore.SubscriberID)
            case attached(PublisherCore.SubscriberID)
            case monitor
        }
        let socket: ControlSocket
        let peer: (pid: Int32, uid: UInt32)
        let since: Int64
        var stage: Stage = .awaitingHello

        var isUnfinished: Bool {
            switch stage {
            case .awaitingHello, .awaitingReady: true
            case .attached, .monitor: false
            }
        }
        var isSilent: Bool { if case .awaitingHello = stage { true } else { false } }
        var isAttached: Bool { if case .attached = stage { true } else { false } }
        var subscriber: PublisherCore.SubscriberID? {
            switch stage {
            case .awaitingReady(let id), .attached(let id): id
            case .awaitingHello, .monitor: nil
            }
        }
    }

    private func run() {
        thread.store(UInt(pthread_self()), ordering: .releasing)
        var connections: [Int32: Connection] = [:]
        var buffer = ControlSocket.messageBuffer()
        // Kept so that a connection can be taken and hung up on when descriptors have run out: else it would wait in
        // the kernel's queue and this loop would spin on it.
        var spare = Self.openSpare()
        defer { if spare >= 0 { close(spare) } }
        var ready = [UInt64](repeating: 0, count: 64)
        while !stopping.load(ordering: .sequentiallyConsistent) {
            let unfinished = connections.values.contains(where: \.isUnfinished)
            let pauses: [Int32] = [
                unfinished ? 250 : -1, core.leaseLookInterval, host.groups.wait, host.unsent.wait,
                core.shortageLookInterval, core.pools.pause,
            ]
            let pause = pauses.filter { $0 >= 0 }.min() ?? -1
            let count = fs_epoll_wait(epoll.number, &ready, Int32(ready.count), pause)
            for i in 0..<Int(max(0, count)) {
                let descriptor = Int32(truncatingIfNeeded: ready[i])
                if descriptor == listening.number {
                    acceptSome(&connections, &spare, &buffer)
                } else if descriptor == core.controlEvent.number {
                    var value: UInt64 = 0
                    _ = read(descriptor, &value, 8)
                } else {
                    serve(descriptor, &connections, &buffer)
                }
            }
            core.wakeCrowds()
            core.cutOffOverdue()
            host.groups.expire(core)
            host.groups.tell(core)
            host.tellTrouble()
            host.unsent.sendAgain()
            core.noticeReleases()
            for item in core.takeDisconnects() {
                if let peer = item.peer as? ConnectedSubscriber { peer.socket.send(.ended(.disconnected(item.reason))) }
                host.log(.warning, "disconnected subscriber \(item.id): \(item.reason)")
                hangUp(item.peer.number, &connections)
            }
            if unfinished { dropSlowHandshakes(&connections) }
            retire(&connections, &spare, &buffer)
            if spare < 0 { spare = Self.openSpare() }
        }
        listening.remove()
        // Shut down besides dropped: members keep theirs open until the last reference to the channel is gone, and whoever
        // answers later is to learn now that nobody hears it.
        for descriptor in connections.keys { fs_hang_up(descriptor) }
        connections.removeAll()
        core.pools.close()
        finished.signal()
    }

    private func acceptSome(
        _ connections: inout [Int32: Connection],
        _ spare: inout Int32,
        _ buffer: inout [UInt8]
    ) {
        for _ in 0..<Self.acceptedAtOnce {
            switch listening.accept() {
            case .nothing: return
            case .outOfDescriptors:
                if spare >= 0 { close(spare) }
                turnAway()
                spare = Self.openSpare()
                if spare < 0 {
                    // Another thread was quicker. The connection waits in the queue, and this loop must not spin on it.
                    var pause = timespec(tv_sec: 0, tv_nsec: 10_000_000)
                    nanosleep(&pause, nil)
                }
                return
            case .connection(let socket):
                let descriptor = socket.number
                greet(socket, &connections, &buffer)
                serve(descriptor, &connections, &buffer)  // most have said hello by now
            }
        }
    }

    private static func openSpare() -> Int32 { open("/dev/null", O_RDONLY | O_CLOEXEC) }

    /// Takes a connection only to say that there is no room for it.
    private func turnAway() {
        guard case .connection(let socket) = listening.accept() else { return }
        socket.send(.refused("the publisher has no file descriptors left"))
        host.log(.warning, "out of descriptors: a connection was turned away; raise 'ulimit -n'")
    }

    private func greet(
        _ socket: ControlSocket,
        _ connections: inout [Int32: Connection],
        _ buffer: inout [UInt8]
    ) {
        guard let peer = socket.peer() else { return }
        if let allowed = host.options.access.allowedUsers, !allowed.contains(peer.uid), peer.uid != geteuid() {
            socket.send(.refused("user \(peer.uid) is not among those that this channel allows"))
            return
        }
        while let longest = longestSilent(of: peer.uid, connections) {
            // Its hello may have come since.
            serve(longest, &connections, &buffer)
            guard connections[longest]?.isSilent ?? false else { continue }
            makeWay(longest, &connections)
        }
        guard connections.count < Self.maximumConnections else {
            socket.send(.refused("the channel has \(connections.count) connections, which is the most"))
            return
        }
        let result = fs_epoll_add(epoll.number, socket.number, FS_EPOLLIN, UInt64(socket.number))
        guard result == 0 else { return }
        connections[socket.number] = Connection(socket: socket, peer: peer, since: monotonicNow())
    }

    /// Who is to make way for one more of this user, if anybody is.
    private func longestSilent(of user: UInt32, _ connections: [Int32: Connection]) -> Int32? {
        let silent = connections.filter { $0.value.isSilent && $0.value.peer.uid == user }
        guard silent.count >= Self.maximumSilent else { return nil }
        return silent.min { $0.value.since < $1.value.since }?.key
    }

    private func makeWay(_ descriptor: Int32, _ connections: inout [Int32: Connection]) {
        guard let connection = connections[descriptor] else { return }
        host.log(
            .warning,
            "pid \(connection.peer.pid) (user \(connection.peer.uid)) has said nothing, and made way for others of its user"
        )
        connection.socket.send(.madeWay)
        hangUp(descriptor, &connections)
    }

    private func serve(_ descriptor: Int32, _ connections: inout [Int32: Connection], _ buffer: inout [UInt8]) {
        // A few at a time: a peer that floods its socket keeps nobody else waiting.
        for _ in 0..<16 {
            guard let connection = connections[descriptor] else { return }
            switch connection.socket.receive(into: &buffer) {
            case .nothing: return
            case .hangUp:
                hangUp(descriptor, &connections)
                return
            case .failed:
                hangUp(descriptor, &connections)
                return
            case .message(var received):
                // Only a member's reply can have one: else they are closed here, and so is the connection.
                guard received.descriptors.isEmpty || connection.isAttached, !received.truncated else {
                    refuse(descriptor, "it sent descriptors, or a message too long", &connections)
                    return
                }
                let message: Message
                do throws(Message.ReadError) {
                    message = try Message(bytes: received.bytes)
                } catch {
                    // It asks for nothing that it can't do without, or it would have looked at our version first. Its
                    // hello is another matter.
                    if error.isOfNewerType, !connection.isSilent, received.descriptors.isEmpty { continue }
                    refuse(descriptor, error.text(reader: "this publisher", sender: "the program"), &connections)
                    return
                }
                if case .reply(let reply) = message, case .attached(let id) = connection.stage {
                    let shared = received.descriptors.takeFirst()
                    let isAlone = received.descriptors.isEmpty
                    let fault = host.groups.receive(reply, shared: shared, from: id, core)
                    guard isAlone, fault == nil else {
                        refuse(descriptor, fault ?? "it sent descriptors that nobody needs", &connections)
                        return
                    }
                    continue
                }
                guard received.descriptors.isEmpty else {
                    refuse(descriptor, "it sent descriptors", &connections)
                    return
                }
                handle(message, Message.version(ofRead: received.bytes), descriptor, connection, &connections)
            }
        }
    }

    private func handle(
        _ message: Message,
        _ version: ProtocolVersion,
        _ descriptor: Int32,
        _ connection: Connection,
        _ connections: inout [Int32: Connection]
    ) {
        switch (message, connection.stage) {
        case (.hello(let hello), .awaitingHello) where hello.role == .monitor:
            connection.socket.send(
                .welcome(
                    .init(
                        subscriber: 0,
                        publisherPID: getpid(),
                        channel: core.channel,
                        sourceName: host.options.sourceName
                    )
                )
            )
            connections[descriptor]?.stage = .monitor
        case (.hello(let hello), .awaitingHello):
            do throws(ChannelError) {
                let id = try host.attach(
                    hello,
                    version: version,
                    socket: connection.socket,
                    peer: connection.peer
                )
                connections[descriptor]?.stage = .awaitingReady(id)
                host.log(
                    .info,
                    "subscriber \(id) '\(hello.name)' (pid \(connection.peer.pid)) joined: \(hello.request.policy)"
                )
            } catch {
                let text = if case .refused(let reason) = error { reason } else { "\(error)" }
                refuse(descriptor, text, &connections)
            }
        case (.ready, .awaitingReady(let id)):
            connections[descriptor]?.stage = .attached(id)
        case (.ready, .attached): break  // for a later generation
        case (.takesStartup, .attached(let id)), (.takesStartup, .awaitingReady(let id)):
            core.takeStartup(id)
        case (.slotReleased, .attached), (.slotReleased, .awaitingReady):
            core.slotMayBeFree()
        case (.keyframeWanted, .attached), (.keyframeWanted, .awaitingReady):
            core.keyframeWishes.ask()
        case (.statisticsRequest, .monitor):
            // A monitor counts its answers: it must get each, or learn that it won't.
            if connection.socket.send(.statistics(host.statistics)) != .sent { hangUp(descriptor, &connections) }
        case (.controlsQuery(let number, let query), .monitor):
            host.controls.answer(query, number: number, user: connection.peer.uid, on: connection.socket)
        case (.goodbye, .attached(let id)), (.goodbye, .awaitingReady(let id)):
            core.stopOffering(to: id)  // what it holds it keeps until it hangs up
        case (.goodbye, _):
            hangUp(descriptor, &connections)
        default:
            refuse(descriptor, "a message out of turn", &connections)
        }
    }

    private func refuse(_ descriptor: Int32, _ reason: String, _ connections: inout [Int32: Connection]) {
        guard let connection = connections[descriptor] else { return }
        host.log(.warning, "turned away pid \(connection.peer.pid) (user \(connection.peer.uid)): \(reason)")
        if connection.subscriber != nil {
            connection.socket.send(.ended(.disconnected(reason)))
        } else {
            connection.socket.send(.refused(reason))
        }
        hangUp(descriptor, &connections)
    }

    /// Forgets a connection, and the subscriber behind it with all that it held.
    private func hangUp(_ descriptor: Int32, _ connections: inout [Int32: Connection]) {
        guard let connection = connections.removeValue(forKey: descriptor) else { return }
        _ = fs_epoll_remove(epoll.number, descriptor)
        // Shut down besides dropping our reference: a frame may still hold one for a moment.
        fs_hang_up(descriptor)
        if let id = connection.subscriber {
            core.detach(id)
            host.log(.info, "subscriber \(id) left")
        }
    }

    private func dropSlowHandshakes(_ connections: inout [Int32: Connection]) {
        let limit = monotonicNow() - Self.handshakeLimit
        for (descriptor, connection) in connections where connection.isUnfinished && connection.since < limit {
            refuse(descriptor, "the handshake took longer than 5 s", &connections)
        }
    }
}
