internal import CLinuxMedia
internal import FrameMemory
internal import Glibc
internal import SystemPackage

/// A subscriber's connection to its publisher: connecting, the handshake, and what comes over the control socket.
///
/// Used under the subscriber's lock. What the publisher sends is checked as if it were hostile.
struct SubscriberLink {
    let socket: ControlSocket
    /// What its frames keep open.
    let connection: SubscriberConnection
    let leases: LeaseCount
    let page: ChannelPage
    /// Those of its threads that sleep.
    let sleepers: SleepingThreads
    let welcome: Message.Welcome
    let publisher: (pid: Int32, uid: UInt32)
    /// The protocol that the publisher speaks.
    let version: ProtocolVersion
    /// Generations that have arrived whole and wait for their turn.
    private(set) var arrived: [ReceivedGeneration] = []
    /// Why the publisher ended it, once it has said so.
    private(set) var end: Message.End? = nil
    /// The publisher hung up.
    private(set) var hungUp = false
    /// What is amiss with the source, as it says; empty: nothing.
    private(set) var trouble = ""
    /// What the page's count of notices was when the socket was looked at.
    var noticesSeen: UInt32 = 0
    /// How many messages were taken in.
    private(set) var messages: UInt64 = 0

    /// A generation whose buffers are still coming. What has come is closed with it, however the connection ends.
    // @unchecked: a link, and so this, is used under its subscriber's lock only.
    private final class Incoming: @unchecked Sendable {
        let offer: GenerationOffer
        private var places: BufferPlaces
        private var memory: [Int32]
        private var buffers: [Int32] = []

        init(offer: GenerationOffer, table: consuming OwnedDescriptor, lane: consuming OwnedDescriptor) {
            self.offer = offer
            places = offer.placesByDefault
            memory = [table.take(), lane.take()]
        }

        deinit { for number in memory + buffers { Glibc.close(number) } }

        var bufferCount: Int { buffers.count }
        var isWhole: Bool { buffers.count == places.descriptorCount }
        var missing: Int { places.descriptorCount - buffers.count }

        /// Where the buffers lie, before any of them has come.
        func set(_ places: BufferPlaces) throws(ChannelError) {
            guard buffers.isEmpty else { throw .protocolViolation("places after their buffers") }
            if let fault = places.fault(for: offer) { throw .protocolViolation(fault) }
            self.places = places
        }

        func add(_ buffer: consuming OwnedDescriptor) { buffers.append(buffer.take()) }

        /// Opens it, once whole: what it had is the generation's, also when that fails.
        func attach(page: ChannelPage, leases: LeaseCount) throws(ChannelError) -> ReceivedGeneration {
            let (table, lane) = (memory[0], memory[1])
            let buffers = buffers
            memory = []
            self.buffers = []
            return try ReceivedGeneration(
                offer: offer,
                page: page,
                table: OwnedDescriptor(owning: table),
                lane: OwnedDescriptor(owning: lane),
                places: places,
                buffers: buffers,
                leases: leases
            )
        }
    }
    private var incoming: Incoming? = nil
    private var buffer: [UInt8]

    private init(
        socket: ControlSocket,
        page: ChannelPage,
        wakePage: WakePage,
        welcome: Message.Welcome,
        publisher: (pid: Int32, uid: UInt32),
        version: ProtocolVersion,
        isMember: Bool,
        buffer: consuming [UInt8]
    ) {
        (self.socket, self.page, sleepers) = (socket, page, SleepingThreads(on: wakePage))
        (self.welcome, self.publisher, self.version) = (welcome, publisher, version)
        self.buffer = buffer
        connection = SubscriberConnection(socket: socket, isMember: isMember)
        leases = LeaseCount(of: connection)
    }

    // MARK: connecting

    /// Connects and shakes hands; returns once the first generation has arrived whole.
    /// - Parameter isGivenUp: asked ten times a second, whether nobody wants the connection any more
    /// - Throws: also `cancelled`, once it is given up.
    static func connect(
        channel: String,
        directory: ChannelDirectory,
        hello: Message.Hello,
        startupFrames: Bool = false,
        timeout: Duration,
        isGivenUp: () -> Bool = { false }
    ) throws(ChannelError) -> SubscriberLink {
        let deadline = Deadline(after: timeout)
        var pause = ConnectPause()
        while true {
            let link = try connectOnce(
                channel: channel,
                directory: directory,
                hello: hello,
                startupFrames: startupFrames,
                until: deadline,
                isGivenUp: isGivenUp
            )
            if let link { return link }
            try pause.take(until: deadline, channel: channel, isGivenUp: isGivenUp)
        }
    }

    /// - Returns: nil if the connection had to make way for others.
    private static func connectOnce(
        channel: String,
        directory: ChannelDirectory,
        hello: Message.Hello,
        startupFrames: Bool,
        until deadline: Deadline,
        isGivenUp: () -> Bool
    ) throws(ChannelError) -> SubscriberLink? {
        let socket = try ControlSocket.connected(
            channel: channel,
            directory: directory,
            until: deadline,
            isGivenUp: isGivenUp
        )
        try socket.sendHello(hello)
        // Before the answer, so that it counts from the first frame on. An older publisher skips it, and holds nothing back.
        if startupFrames { socket.sendPatiently(.takesStartup) }
        var buffer = ControlSocket.messageBuffer()
        let publisher = socket.peer() ?? (0, .max)
        var link: SubscriberLink? = nil
        // All that follows the welcome is there with it, or a moment later.
        var isThere = false
        while link?.arrived.isEmpty ?? true {
            if !isThere { try socket.waitForAnswer(until: deadline, channel: channel, isGivenUp: isGivenUp) }
            // Also when something has come: a publisher could go on for ever sending what is no generation.
            if deadline.hasPassed { throw .handshakeTimeout(channel: channel) }
            if isGivenUp() { throw .cancelled }
            isThere = false
            if link == nil {
                let answer = try receiveAnswer(
                    on: socket,
                    channel: channel,
                    publisher: publisher,
                    isMember: !hello.group.isEmpty,
                    &buffer
                )
                switch answer {
                case .nothing: break
                case .madeWay: return nil
                case .ended(let end): throw try error(of: end, channel, directory)
                case .welcome(let welcomed): link = welcomed
                }
                isThere = link != nil
            } else {
                try link?.receive(channel: channel)
                if let end = link?.end { throw try error(of: end, channel, directory) }
                if link?.hungUp ?? false { throw .publisherLost(channel: channel) }
            }
        }
        guard let link, let first = link.arrived.first else { throw .publisherLost(channel: channel) }
        socket.sendPatiently(.ready(generation: first.offer.generation))
        return link
    }

    /// What a channel that ends while this connects is to whoever wanted it.
    private static func error(
        of end: Message.End,
        _ channel: String,
        _ directory: ChannelDirectory
    ) throws(ChannelError) -> ChannelError {
        if let error = end.error { return error }
        return .noSuchChannel(channel: channel, path: try directory.socketPath(of: channel))
    }

    private enum Answer {
        case nothing
        case madeWay
        case ended(Message.End)
        case welcome(SubscriberLink)
    }

    /// The first message: welcome with channel page and wake page, or the reason why not.
    private static func receiveAnswer(
        on socket: ControlSocket,
        channel: String,
        publisher: (pid: Int32, uid: UInt32),
        isMember: Bool,
        _ buffer: inout [UInt8]
    ) throws(ChannelError) -> Answer {
        switch socket.receive(into: &buffer) {
        case .nothing: return .nothing
        case .hangUp: throw .publisherLost(channel: channel)
        case .failed(let error): throw .system(call: "recvmsg", error)
        case .message(var received):
            guard !received.truncated else { throw .outOfDescriptors }
            let message = try Message.parse(received.bytes)
            let version = Message.version(ofRead: received.bytes)
            switch message {
            case .refused(let reason): throw .refused(reason)
            case .madeWay: return .madeWay
            case .ended(let end): return .ended(end)
            case .welcome(let welcome):
                guard let page = received.descriptors.takeFirst() else {
                    throw .protocolViolation("welcome without a channel page")
                }
                guard let wakePage = received.descriptors.takeFirst() else {
                    throw .protocolViolation("welcome without a wake page")
                }
                // Moved, or it would be copied when the next message is written into it.
                var room: [UInt8] = []
                swap(&room, &buffer)
                return .welcome(
                    SubscriberLink(
                        socket: socket,
                        page: try ChannelPage(adopting: page),
                        wakePage: try WakePage(adopting: wakePage),
                        welcome: welcome,
                        publisher: publisher,
                        version: version,
                        isMember: isMember,
                        buffer: room
                    )
                )
            default: throw .protocolViolation("\(message) instead of a welcome")
            }
        }
    }

    // MARK: receiving

    /// At most so many generations wait here for their turn, and at most so many messages are taken in one go: what more
    /// a publisher sends waits in the socket, which is its own expense. A correct one sends far fewer.
    private static let maximumArrived = 64
    private static let maximumMessages = 512

    /// Takes in what has come, without waiting.
    mutating func receive(channel: String) throws(ChannelError) {
        for _ in 0..<Self.maximumMessages where !hungUp && arrived.count < Self.maximumArrived {
            switch socket.receive(into: &buffer) {
            case .nothing: return
            case .hangUp: hungUp = true
            case .failed(let error):
                hungUp = true
                // A peer that closed with our messages unread: the same as a hang-up.
                if error != .connectionReset && error != .brokenPipe { throw .system(call: "recvmsg", error) }
            case .message(var received):
                messages &+= 1
                guard !received.truncated else { throw .outOfDescriptors }
                guard let message = try Message.parseKnown(received.bytes) else { continue }
                try handle(message, &received.descriptors)
            }
        }
    }

    private mutating func handle(_ message: Message, _ descriptors: inout DescriptorList) throws(ChannelError) {
        switch message {
        case .wake: break
        case .trouble(let text): trouble = text
        case .cancel(let frame): connection.cancelled?.cancel(frame)
        case .ended(let reason): end = reason
        case .refused(let reason): throw .refused(reason)
        case .generation(let offer):
            incoming = nil
            guard let table = descriptors.takeFirst(), let lane = descriptors.takeFirst() else {
                throw .protocolViolation("a generation without its memory")
            }
            incoming = Incoming(offer: offer, table: table, lane: lane)
        case .buffers(let generation, let first, let count):
            guard let coming = incoming, coming.offer.generation == generation, coming.bufferCount == first,
                descriptors.count == count
            else { throw .protocolViolation("buffers that belong nowhere") }
            try add(&descriptors, to: coming)
        case .places(let generation, let places):
            guard let coming = incoming, coming.offer.generation == generation else {
                throw .protocolViolation("places that belong nowhere")
            }
            try coming.set(places)
            try add(&descriptors, to: coming)
        default: throw .protocolViolation("a message out of turn")
        }
    }

    private mutating func add(_ descriptors: inout DescriptorList, to coming: Incoming) throws(ChannelError) {
        guard descriptors.count <= coming.missing else { throw .protocolViolation("buffers that belong nowhere") }
        while let descriptor = descriptors.takeFirst() { coming.add(descriptor) }
        guard coming.isWhole else { return }
        incoming = nil
        arrived.append(try coming.attach(page: page, leases: leases))
    }

    /// The next generation in order.
    /// Whether nothing that has come over the socket waits to be dealt with.
    var isQuiet: Bool { arrived.isEmpty && end == nil && !hungUp }

    mutating func takeArrived() -> ReceivedGeneration? { arrived.isEmpty ? nil : arrived.removeFirst() }

    /// Says goodbye: nothing more is offered to us. The connection itself ends with the last frame held, for the
    /// publisher takes everything back when it ends.
    mutating func leave() {
        incoming = nil
        socket.sendPatiently(.goodbye)
        leases.close()
    }
}
