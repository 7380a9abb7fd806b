internal import CLinuxMedia
internal import FrameMemory
internal import Glibc
internal import SystemPackage

/// A listening socket that a service manager passed to this process: systemd's socket activation, without its library.
///
/// `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES` say which descriptors were passed, from number 3 on
/// (<https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html>). The socket stays the service manager's:
/// the publisher neither makes nor removes its file, and connections that nobody has answered wait in it for the next
/// process.
public final class PassedSocket: Sendable {
    /// Where it is bound.
    public let path: String
    private let descriptor: OwnedDescriptor
    var number: Int32 { descriptor.number }

    /// The first number of a passed descriptor: `SD_LISTEN_FDS_START`.
    private static let first: Int32 = 3
    /// More than any service manager passes.
    private static let most: Int32 = 1024

    private init(_ descriptor: consuming OwnedDescriptor, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    /// Takes the socket that was passed for a channel: the one of the channel's name, else the only one. The variables are
    /// taken from the environment, so that programs which this one starts do not see them. Call it once, before any other
    /// thread is made.
    /// - Returns: nil where none was passed to this process
    /// - Throws: where something was passed that is no such socket
    public static func take(for channel: String) throws(PassedSocketError) -> PassedSocket? {
        let (pid, count, names) = (variable("LISTEN_PID"), variable("LISTEN_FDS"), variable("LISTEN_FDNAMES"))
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsetenv(name) }
        return try take(for: channel, pid: pid, count: count, names: names)
    }

    private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    static func take(
        for channel: String,
        pid: String?,
        count: String?,
        names: String?
    ) throws(PassedSocketError) -> PassedSocket? {
        guard let pid, let count else { return nil }
        guard let meant = Int32(pid), meant > 0 else { throw .badVariable("LISTEN_PID", pid) }
        // They were meant for another process, whose environment this one has inherited.
        guard meant == getpid() else { return nil }
        guard let count = Int32(count), (0...most).contains(count) else { throw .badVariable("LISTEN_FDS", count) }
        guard count > 0 else { return nil }
        var owned: [Int32] = []
        for number in first..<first + count {
            guard fcntl(number, F_GETFD) >= 0 else { throw .notOpen(descriptor: number, count: Int(count)) }
            _ = fcntl(number, F_SETFD, FD_CLOEXEC)
            owned.append(number)
        }
        let named = (names ?? "").split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let place: Int
        if let found = named.firstIndex(of: channel), found < owned.count {
            place = found
        } else if owned.count == 1 {
            place = 0
        } else {
            throw .ambiguous(channel: channel, names: named)
        }
        return try PassedSocket(checking: owned[place])
    }

    /// Checks that a descriptor is a listening Unix socket of the right kind, and takes it over.
    private convenience init(checking number: Int32) throws(PassedSocketError) {
        guard Self.option(number, SO_DOMAIN) == AF_UNIX else {
            throw .wrongKind(descriptor: number, "it is no Unix socket")
        }
        guard Self.option(number, SO_TYPE) == Int32(SOCK_SEQPACKET.rawValue) else {
            throw .wrongKind(descriptor: number, "its type is not SOCK_SEQPACKET (ListenSequentialPacket=)")
        }
        guard Self.option(number, SO_ACCEPTCONN) == 1 else {
            throw .wrongKind(descriptor: number, "it does not listen (Accept=no)")
        }
        guard let path = Self.boundPath(number) else { throw .wrongKind(descriptor: number, "it has no path") }
        let flags = fcntl(number, F_GETFL)
        guard flags >= 0, fcntl(number, F_SETFL, flags | O_NONBLOCK) == 0 else {
            throw .wrongKind(descriptor: number, "fcntl: \(Errno(rawValue: errno))")
        }
        // From now on those who connect see this process as their peer, not the one that made the socket.
        _ = Glibc.listen(number, SOMAXCONN)
        self.init(OwnedDescriptor(owning: number), path: path)
    }

    private static func option(_ number: Int32, _ option: Int32) -> Int32? {
        var value: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(number, SOL_SOCKET, option, &value, &size) == 0 else { return nil }
        return value
    }

    private static func boundPath(_ number: Int32) -> String? {
        var address = sockaddr_un()
        var size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(number, $0, &size) }
        }
        let header = MemoryLayout<sa_family_t>.size
        guard result == 0, Int(size) > header, Int(size) <= MemoryLayout<sockaddr_un>.size else { return nil }
        let bytes = withUnsafeBytes(of: address.sun_path) { Array($0.prefix(Int(size) - header)) }
        let path = bytes.prefix { $0 != 0 }
        return path.isEmpty ? nil : PathText.text(path)
    }
}

/// Why a socket that was passed can't be used.
public enum PassedSocketError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A variable of the environment is not what the protocol says.
    case badVariable(String, String)
    /// A descriptor that was announced is not open.
    case notOpen(descriptor: Int32, count: Int)
    /// Several were passed, and none has the channel's name.
    case ambiguous(channel: String, names: [String])
    /// A descriptor is no socket of a channel.
    case wrongKind(descriptor: Int32, String)

    public var description: String {
        switch self {
        case .badVariable(let name, let value):
            "socket activation: \(name)='\(value.displayText)' is not a number that can be; let the service manager set it"
        case .notOpen(let descriptor, let count):
            "socket activation: LISTEN_FDS says \(count), but descriptor \(descriptor) is not open"
        case .ambiguous(let channel, let names):
            "socket activation: several sockets were passed, and none is named '\(channel)' "
                + "(FileDescriptorName=); their names are \(names.map(\.displayText).joined(separator: ", "))"
        case .wrongKind(let descriptor, let reason):
            "socket activation: descriptor \(descriptor) can't be a channel's socket: \(reason)"
        }
    }
}
