internal import CLinuxMedia
internal import FrameMemory
internal import Glibc

/// A channel as its folder shows it: its name, whether it is alive, and who may connect. No place among the channel's
/// connections is taken to find out.
public struct ChannelEntry: Sendable, Hashable {
    /// What stands behind a channel's socket.
    public enum State: UInt8, Sendable, Hashable {
        /// A publisher listens.
        case live = 1
        /// The publisher was killed. The next one of this name takes the socket's place.
        case leftBehind = 2
        /// The socket does not let this process in. Whether a publisher listens is unknown.
        case notAllowed = 3
    }

    public let name: String
    public let state: State
    /// The socket's mode. Connecting needs write permission.
    public let mode: UInt32
    /// The user and the group that the socket belongs to.
    public let uid: UInt32
    public let gid: UInt32
}

/// The socket of a channel, as it lies in its folder.
struct ChannelSocketFile {
    /// Another socket of the same name differs in these.
    struct Identity: Hashable {
        let device: UInt64
        let inode: UInt64
        let changed: Int64
    }

    let path: String
    let identity: Identity
    private let status: (mode: UInt32, uid: UInt32, gid: UInt32)

    /// Nil where there is no socket of this name.
    init?(_ path: String) {
        var found = stat()
        guard lstat(PathText.cString(path), &found) == 0, found.st_mode & S_IFMT == S_IFSOCK else { return nil }
        self.path = path
        identity = Identity(
            device: UInt64(found.st_dev),
            inode: UInt64(found.st_ino),
            changed: Int64(found.st_ctim.tv_sec) &* 1_000_000_000 &+ Int64(found.st_ctim.tv_nsec)
        )
        status = (found.st_mode & 0o7777, found.st_uid, found.st_gid)
    }

    /// Knocks and hangs up at once: the publisher sees a connection that says nothing.
    /// - Returns: nil where the socket has gone meanwhile
    func entry(_ name: String) throws(ChannelError) -> ChannelEntry? {
        let number = fs_seqpacket_socket()
        guard number >= 0 else { throw .failed("socket", errno: -number) }
        let socket = OwnedDescriptor(owning: number)
        let state: ChannelEntry.State
        switch SocketAddress(path)?.connect(socket.number) ?? ENOENT {
        case ENOENT: return nil
        case EACCES, EPERM: state = .notAllowed
        // A socket of another kind than a publisher's is EPROTOTYPE.
        case ECONNREFUSED, EPROTOTYPE: state = .leftBehind
        // A full queue of connections (EAGAIN) is a publisher's, too.
        default: state = .live
        }
        return ChannelEntry(name: name, state: state, mode: status.mode, uid: status.uid, gid: status.gid)
    }
}

extension ChannelDirectory {
    /// The channels of this folder, sorted by name, each with what ``ChannelEntry`` tells of it. Names that no channel can
    /// have are left out.
    /// - Throws: `directory`, `outOfDescriptors`, `system`.
    public func entries() throws(ChannelError) -> [ChannelEntry] {
        var entries: [ChannelEntry] = []
        for name in try channels() {
            if let entry = try socketFile(of: name)?.entry(name) { entries.append(entry) }
        }
        return entries
    }

    /// Nil where no channel of this name has a socket.
    func socketFile(of name: String) -> ChannelSocketFile? {
        (try? socketPath(of: name)).flatMap { ChannelSocketFile($0) }
    }
}
