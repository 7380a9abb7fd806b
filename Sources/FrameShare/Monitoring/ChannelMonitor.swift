internal import Synchronization

/// Watches a channel without taking frames from it: what `list` and `top` use.
public final class ChannelMonitor: Sendable {
    /// The channel's name.
    public let channel: String
    private let socket: ControlSocket
    private let timeout: Duration
    private let buffer = Mutex(ControlSocket.messageBuffer())

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
        socket = try SubscriberLink.connectSocket(channel: channel, directory: directory)
        try SubscriberLink.sendHello(
            .init(
                role: .monitor,
                name: "monitor",
                request: LeaseRequest(policy: .latest),
                pollable: false,
                streams: []
            ),
            on: socket
        )
        guard case .welcome = try receive() else { throw .protocolViolation("no welcome") }
    }

    /// How the channel is doing now.
    /// - Throws: `closed` once the channel has ended in order, `publisherLost` once the publisher has gone otherwise.
    public func snapshot() throws(ChannelError) -> ChannelStatistics {
        switch socket.send(.statisticsRequest) {
        case .sent: break
        case .full: throw .handshakeTimeout(channel: channel)
        case .failed: throw .publisherLost(channel: channel)
        }
        guard case .statistics(let statistics) = try receive() else { throw .protocolViolation("no statistics") }
        return statistics
    }

    private func receive() throws(ChannelError) -> Message {
        let deadline = Deadline(after: timeout)
        while true {
            try SubscriberLink.wait(for: socket, until: deadline, channel: channel)
            var failure: ChannelError? = nil
            let message: Message? = buffer.withLock { buffer in
                do throws(ChannelError) {
                    return try receiveOne(&buffer)
                } catch {
                    failure = error
                    return nil
                }
            }
            if let failure { throw failure }
            if let message { return message }
        }
    }

    private func receiveOne(_ buffer: inout [UInt8]) throws(ChannelError) -> Message? {
        switch socket.receive(into: &buffer) {
        case .nothing: return nil
        case .hangUp: throw .publisherLost(channel: channel)
        case .failed: throw .publisherLost(channel: channel)
        case .message(let received):
            let message = try SubscriberLink.parse(received.bytes)
            switch message {
            case .refused(let reason): throw .refused(reason)
            case .ended(let end): throw end.error ?? .closed
            default: return message
            }
        }
    }
}
