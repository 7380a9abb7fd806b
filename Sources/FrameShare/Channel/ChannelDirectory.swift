internal import CLinuxMedia
internal import Glibc
internal import SystemPackage

/// The folder in which channels have their sockets. Its permissions and theirs say who may connect.
public struct ChannelDirectory: Sendable, Hashable {
    /// Its path, absolute or relative to the working directory. Bytes of it that are no UTF-8 stand as the characters U+F780
    /// to U+F7FF, one for each byte from 0x80.
    public let path: String

    public init(path: String) { self.path = path }

    /// `$FRAMESHARE_DIR`, else `$XDG_RUNTIME_DIR/frameshare`, else `/run/frameshare` for root.
    public static func standard() throws(ChannelError) -> ChannelDirectory {
        if let path = environment("FRAMESHARE_DIR") { return ChannelDirectory(path: path) }
        if let runtime = environment("XDG_RUNTIME_DIR") { return ChannelDirectory(path: runtime + "/frameshare") }
        if geteuid() == 0 { return ChannelDirectory(path: "/run/frameshare") }
        throw .noDirectory
    }

    private static func environment(_ name: String) -> String? {
        guard let value = getenv(name) else { return nil }
        return value.pointee == 0 ? nil : PathText.text(cString: value)
    }

    /// The folder given, or the standard one.
    static func resolve(_ given: ChannelDirectory?) throws(ChannelError) -> ChannelDirectory {
        if let given { given } else { try standard() }
    }

    /// The names of the channels that have a socket here, sorted. A socket left by a publisher that died is among
    /// them: connecting tells.
    public func channels() throws(ChannelError) -> [String] {
        guard let folder = opendir(PathText.cString(path)) else {
            if errno == ENOENT { return [] }
            if errno == EMFILE || errno == ENFILE { throw .outOfDescriptors }
            throw .directory(path: path, .init(rawValue: errno))
        }
        defer { closedir(folder) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(folder) else {
                // Nothing more, or a folder that can't be read on.
                guard errno == 0 else { throw .directory(path: path, .init(rawValue: errno)) }
                break
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { PathText.text(cString: $0) }
            }
            if name.hasSuffix(".sock") { names.append(String(name.dropLast(5))) }
        }
        return names.sorted()
    }

    func socketPath(of channel: String) throws(ChannelError) -> String {
        try ChannelName.check(channel)
        let path = path + "/" + channel + ".sock"
        guard SocketAddress(path) != nil else { throw .pathTooLong(path) }
        return path
    }

    /// Makes the folder where it is missing: for the owner alone under a user's runtime folder, open to look into
    /// elsewhere (the sockets' own modes say who may connect).
    func create() throws(ChannelError) {
        let mode: mode_t = path.hasPrefix("/run/user/") ? 0o700 : 0o755
        guard mkdir(PathText.cString(path), mode) != 0, errno != EEXIST else { return }
        throw .directory(path: path, .init(rawValue: errno))
    }
}

/// Who may connect to a channel.
public struct ChannelAccess: Sendable, Hashable {
    /// The socket's mode. Connecting needs write permission.
    public var mode: UInt32
    /// The socket's group, by name; nil leaves it as it is.
    public var group: String?
    /// The user ids that may connect, besides what the mode allows; nil: all that the mode lets in.
    public var allowedUsers: [UInt32]?
    /// Who of them may set the controls of the channel's source.
    public var control: ControlAccess

    public init(
        mode: UInt32 = 0o600,
        group: String? = nil,
        allowedUsers: [UInt32]? = nil,
        control: ControlAccess = .owner
    ) {
        self.mode = mode
        self.group = group
        self.allowedUsers = allowedUsers
        self.control = control
    }
}

/// The address of a socket in the file system: its path, as bytes.
package struct SocketAddress {
    /// `sun_path` holds 108 bytes with the zero at their end.
    package static let longestPath = 107

    private var address = sockaddr_un()

    /// Nil for a path that is too long.
    package init?(_ path: String) {
        let bytes = PathText.cString(path)
        guard bytes.count <= Self.longestPath + 1 else { return nil }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { room in
            bytes.withUnsafeBytes { room.copyMemory(from: $0) }
        }
    }

    /// `bind(2)`. Returns 0 or the error's number.
    package func bind(_ socket: Int32) -> Int32 { use { Glibc.bind(socket, $0, $1) } }

    /// `connect(2)`. Returns 0 or the error's number.
    package func connect(_ socket: Int32) -> Int32 { use { Glibc.connect(socket, $0, $1) } }

    private func use(_ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                call($0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 ? 0 : errno
            }
        }
    }
}
