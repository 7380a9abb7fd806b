internal import CLinuxMedia
internal import FrameMemory
internal import Glibc
internal import SystemPackage

// Connecting to a channel's publisher: what subscribers and monitors have in common.
extension ControlSocket {
    /// A connected socket. While the publisher has more connections waiting than it could take, this tries again.
    static func connected(
        channel: String,
        directory: ChannelDirectory,
        until deadline: Deadline,
        isGivenUp: () -> Bool = { false }
    ) throws(ChannelError) -> ControlSocket {
        let path = try directory.socketPath(of: channel)
        guard let address = SocketAddress(path) else { throw .pathTooLong(path) }
        let number = fs_seqpacket_socket()
        guard number >= 0 else {
            if -number == EMFILE || -number == ENFILE { throw .outOfDescriptors }
            throw .system(call: "socket", Errno(rawValue: -number))
        }
        let socket = ControlSocket(owning: OwnedDescriptor(owning: number))
        var pause = ConnectPause()
        while true {
            let error = address.connect(number)
            switch error {
            case 0: return socket
            case EINTR: continue
            case ECONNREFUSED: throw .noSuchChannel(channel: channel, path: path, isLeftBehind: true)
            case ENOENT, ENOTDIR: throw .noSuchChannel(channel: channel, path: path)
            case EACCES, EPERM: throw .notAllowed(channel: channel, path: path)
            // The publisher's backlog is full. No event tells when it has room.
            case EAGAIN: try pause.take(until: deadline, channel: channel, isGivenUp: isGivenUp)
            case EPROTOTYPE: throw .noSuchChannel(channel: channel, path: path)
            default: throw .system(call: "connect \(path)", Errno(rawValue: error))
            }
        }
    }

    /// Says hello. Where the publisher has hung up already, its reason waits to be read.
    func sendHello(_ hello: Message.Hello) throws(ChannelError) {
        switch sendPatiently(.hello(hello)) {
        case .sent: return
        case .full: throw .system(call: "sendmsg", .resourceTemporarilyUnavailable)
        case .noMemory: throw .system(call: "sendmsg", .noBufferSpace)
        // Turned away at once: the reason is waiting to be read.
        case .failed(.brokenPipe), .failed(.connectionReset): return
        case .failed(let error): throw .system(call: "sendmsg", error)
        }
    }

    /// Waits for the next message, or a hang-up.
    /// - Parameter isGivenUp: asked ten times a second
    func waitForAnswer(
        until deadline: Deadline,
        channel: String,
        isGivenUp: () -> Bool = { false }
    ) throws(ChannelError) {
        while true {
            let left = deadline.remaining(atMost: 100_000_000)
            if waitReadable(milliseconds: Int32((left + 999_999) / 1_000_000)) { return }
            if deadline.hasPassed { throw .handshakeTimeout(channel: channel) }
            if isGivenUp() { throw .cancelled }
        }
    }
}

extension Message {
    /// The message that bytes are.
    static func parse(_ bytes: ArraySlice<UInt8>) throws(ChannelError) -> Message {
        do throws(Message.ReadError) {
            return try Message(bytes: bytes)
        } catch {
            throw error.asChannelError
        }
    }

    /// A message of a publisher that has said welcome; nil for one of a type that was added after this program.
    static func parseKnown(_ bytes: ArraySlice<UInt8>) throws(ChannelError) -> Message? {
        do throws(Message.ReadError) {
            return try Message(bytes: bytes)
        } catch {
            if error.isOfNewerType { return nil }
            throw error.asChannelError
        }
    }
}

extension Message.ReadError {
    fileprivate var asChannelError: ChannelError {
        if case .version(let theirs) = self { return .versionMismatch(ours: .current, theirs: theirs) }
        return .protocolViolation(text(reader: "this program", sender: "the publisher"))
    }
}

extension Message.End {
    /// As an error; nil for an end in order.
    var error: ChannelError? {
        switch self {
        case .closed: nil
        case .sourceFailed(let reason): .sourceFailed(reason)
        case .disconnected(let reason): .disconnected(reason)
        }
    }
}

/// The pause before connecting again, which doubles from one to the next: no event tells when there is room.
struct ConnectPause {
    private var length: Int64 = 1_000_000

    mutating func take(
        until deadline: Deadline,
        channel: String,
        isGivenUp: () -> Bool = { false }
    ) throws(ChannelError) {
        if deadline.hasPassed { throw .handshakeTimeout(channel: channel) }
        if isGivenUp() { throw .cancelled }
        BackgroundThread.pause(nanoseconds: deadline.remaining(atMost: length))
        length = min(length * 2, 50_000_000)
    }
}
