internal import LeaseProtocol
internal import Synchronization
internal import SystemPackage

/// Watches a channel without taking frames from it: what `list` and `top` use. Also the way to its source's controls:
/// ``controls(timeout:)``, ``setControls(_:timeout:)``. May be used from any thread; they take turns.
public final class ChannelMonitor: Sendable {
    /// The channel's name.
    public let channel: String
    private let socket: ControlSocket
    private let timeout: Duration
    private struct State {
        var buffer = ControlSocket.messageBuffer()
        /// Snapshots that were asked for and have not come, in order. Those whose time was up come late: they answer for the
        /// moment of their question, and are not taken for a later one's.
        var snapshotsDue = 0
    }
    private let state = Mutex(State())
    /// Of the questions about controls.
    let nextNumber = Atomic<UInt32>(0)

    /// Connects to a channel as a monitor.
    /// - Parameters:
    ///   - directory: where the socket is; nil: ``ChannelDirectory/standard()``
    ///   - timeout: how long connecting, and each snapshot, may take
    public init(
        channel: String,
        directory: ChannelDirectory? = nil,
        timeout: Duration = .seconds(2)
    ) throws(ChannelError) {
        self.channel = channel
        self.timeout = timeout
        let directory = try ChannelDirectory.resolve(directory)
        let deadline = Deadline(after: timeout)
        var pause = ConnectPause()
        while true {
            let socket = try ControlSocket.connected(channel: channel, directory: directory, until: deadline)
            try socket.sendHello(
                .init(
                    role: .monitor,
                    name: "monitor",
                    request: LeaseRequest(policy: .latest),
                    pollable: false,
                    streams: []
                )
            )
            var buffer = ControlSocket.messageBuffer()
            switch try Self.answer(on: socket, until: deadline, channel: channel, isWelcome: true, &buffer) {
            case .welcome:
                self.socket = socket
                return
            case .madeWay: try pause.take(until: deadline, channel: channel)
            default: throw .protocolViolation("no welcome")
            }
        }
    }

    /// The process that listens at the channel's socket, as the kernel says.
    package var listener: (pid: Int32, uid: UInt32)? { socket.peer() }

    /// The next message, which may take until `deadline`.
    /// - Parameter isWelcome: it is the first one, and of a type that this program knows
    private static func answer(
        on socket: ControlSocket,
        until deadline: Deadline,
        channel: String,
        isWelcome: Bool = false,
        _ buffer: inout [UInt8]
    ) throws(ChannelError) -> Message {
        while true {
            try socket.waitForAnswer(until: deadline, channel: channel)
            if let message = try receiveOne(on: socket, channel: channel, isWelcome, &buffer) { return message }
            if deadline.hasPassed { throw .handshakeTimeout(channel: channel) }
        }
    }

    /// How the channel is doing now.
    /// - Throws: `closed` once the channel has ended in order, `publisherLost` once the publisher has gone otherwise.
    public func snapshot() throws(ChannelError) -> ChannelStatistics {
        let message = try ask(.statisticsRequest, timeout: timeout) { message in
            if case .controlsAnswer = message { false } else { true }
        }
        guard case .statistics(let statistics) = message else { throw .protocolViolation("no statistics") }
        return statistics
    }

    /// Sends a question and waits for its answer; one is asked at a time. Anything else that comes answers a question whose
    /// time was up.
    func ask(
        _ question: Message,
        timeout: Duration,
        isAnswer: (Message) -> Bool
    ) throws(ChannelError) -> Message {
        let result: Result<Message, ChannelError> = state.withLock { state in
            do throws(ChannelError) {
                return .success(try askAlone(question, timeout, isAnswer, &state))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private func askAlone(
        _ question: Message,
        _ timeout: Duration,
        _ isAnswer: (Message) -> Bool,
        _ state: inout State
    ) throws(ChannelError) -> Message {
        switch socket.sendPatiently(question) {
        case .sent: if question == .statisticsRequest { state.snapshotsDue += 1 }
        case .full: throw .handshakeTimeout(channel: channel)
        case .noMemory: throw .system(call: "sendmsg", .noBufferSpace)
        case .failed: throw .publisherLost(channel: channel)
        }
        let deadline = Deadline(after: timeout)
        while true {
            let message = try Self.answer(on: socket, until: deadline, channel: channel, &state.buffer)
            var isLate = false
            if case .statistics = message {
                state.snapshotsDue = max(0, state.snapshotsDue - 1)
                // With more to come, it is the answer to a question before.
                isLate = state.snapshotsDue > 0
            }
            if !isLate, isAnswer(message) { return message }
            // A publisher could go on for ever sending what is no answer.
            if deadline.hasPassed { throw .handshakeTimeout(channel: channel) }
        }
    }

    private static func receiveOne(
        on socket: ControlSocket,
        channel: String,
        _ isWelcome: Bool,
        _ buffer: inout [UInt8]
    ) throws(ChannelError) -> Message? {
        switch socket.receive(into: &buffer) {
        case .nothing: return nil
        case .hangUp: throw .publisherLost(channel: channel)
        case .failed: throw .publisherLost(channel: channel)
        case .message(let received):
            let found =
                try isWelcome ? Message.parse(received.bytes) : Message.parseKnown(received.bytes)
            guard let message = found else { return nil }
            switch message {
            case .refused(let reason): throw .refused(reason)
            case .ended(let end): throw end.error ?? .closed
            default: return message
            }
        }
    }
}

extension ChannelMonitor {
    /// The controls of the channel's source, with what they are set to. Waits for the publisher's answer, which may be a
    /// driver's.
    /// - Parameter timeout: how long to wait; a USB camera's transfers end after 5 s each
    /// - Throws: `controlsRefused` where the source has none, or is not there now.
    public func controls(timeout: Duration = .seconds(10)) throws(ChannelError) -> [CameraControl] {
        switch try answer(to: .list, timeout) {
        case .list(let controls): return controls
        case .outcomes, .refused: throw .protocolViolation("no controls")
        }
    }

    /// Sets controls of the channel's source, in this order, while frames go on. One that can't be set keeps none of the
    /// others from being set. With which frame they take effect is the source's affair: a frame's metadata tells.
    /// - Parameters:
    ///   - settings: 1 to 64 of them
    ///   - timeout: how long to wait for the driver; what it does after that is done all the same
    /// - Returns: what became of each, in the same order
    /// - Throws: `controlsRefused` where the source has none, or where you may not set them.
    public func setControls(
        _ settings: [ControlSetting],
        timeout: Duration = .seconds(10)
    ) throws(ChannelError) -> [ControlOutcome] {
        guard (1...Message.maximumSettings).contains(settings.count) else {
            throw .controlsRefused(channel: channel, reason: "1 to \(Message.maximumSettings) can be set at a time")
        }
        guard case .outcomes(let outcomes) = try answer(to: .set(settings), timeout),
            outcomes.map(\.name) == settings.map(\.name)
        else { throw .protocolViolation("no answer to these settings") }
        return outcomes
    }

    private func answer(
        to query: Message.ControlsQuery,
        _ timeout: Duration
    ) throws(ChannelError) -> Message.ControlsAnswer {
        let number = nextNumber.wrappingAdd(1, ordering: .relaxed).newValue
        let message = try ask(.controlsQuery(number: number, query), timeout: timeout) { message in
            if case .controlsAnswer(number, _) = message { true } else { false }
        }
        guard case .controlsAnswer(_, let answer) = message else { throw .protocolViolation("no answer") }
        if case .refused(let reason) = answer { throw .controlsRefused(channel: channel, reason: reason) }
        return answer
    }
}
