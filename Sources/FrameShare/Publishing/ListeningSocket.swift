internal import CLinuxMedia
internal import FrameMemory
internal import Glibc
internal import SystemPackage

/// A channel's socket in its folder, and the lock that keeps the name for one publisher.
///
/// The lock file tells a living publisher from the socket of one that was killed: the kernel drops a dead process's
/// lock. Both files go away at ``remove()``.
final class ListeningSocket: Sendable {
    let path: String
    /// Nil where ``passed`` is the socket.
    private let own: OwnedDescriptor?
    private let passed: PassedSocket?
    private let lock: OwnedDescriptor
    let number: Int32

    /// - Parameter passed: the channel's socket, where a service manager has made it: its group and mode are right already
    init(
        channel: String,
        directory: ChannelDirectory,
        access: ChannelAccess,
        passed: PassedSocket? = nil
    ) throws(ChannelError) {
        path = try directory.socketPath(of: channel)
        try directory.create()
        let held = try Self.acquireLock(path + ".lock", channel: channel, socketPath: path)
        if let passed {
            guard Self.isSameFile(passed.path, path) else {
                throw .refused(
                    "the socket that was passed is at \(passed.path), and the channel's place is \(path); let both be the same "
                        + "(ListenSequentialPacket= and FRAMESHARE_DIR)"
                )
            }
            self.passed = passed
            own = nil
            lock = held
            number = passed.number
            return
        }
        do throws(ChannelError) {
            let socket = try Self.listen(at: path, access)
            number = socket.number
            own = consume socket
            self.passed = nil
        } catch {
            // While the lock is held: the files are ours, and nobody else's.
            Self.removeFiles(path)
            throw error
        }
        lock = held
    }

    private static func isSameFile(_ a: String, _ b: String) -> Bool {
        var (first, second) = (stat(), stat())
        guard lstat(PathText.cString(a), &first) == 0, lstat(PathText.cString(b), &second) == 0 else { return false }
        return first.st_dev == second.st_dev && first.st_ino == second.st_ino && first.st_mode & S_IFMT == S_IFSOCK
    }

    /// The name is ours: a socket that is still there belongs to a publisher that died, and is replaced.
    ///
    /// The socket is made in a folder that nobody else may enter, and moved to its place when its group and mode are right
    /// and it listens. So it is never there with other rights, and no name that others could put in its place is followed.
    private static func listen(at path: String, _ access: ChannelAccess) throws(ChannelError) -> OwnedDescriptor {
        let folder = path + ".new"
        let inside = try openPrivate(folder)
        defer { rmdir(PathText.cString(folder)) }
        let number = fs_seqpacket_socket()
        guard number >= 0 else { throw .failed("socket", errno: -number) }
        let socket = OwnedDescriptor(owning: number)
        // By the folder's descriptor, whatever its name stands for meanwhile; by its name where there is no /proc.
        var made = "/proc/self/fd/\(inside.number)/s"
        var error = SocketAddress(made)?.bind(number) ?? ENAMETOOLONG
        if error == ENOENT || error == EACCES {
            made = folder + "/s"
            error = SocketAddress(made)?.bind(number) ?? ENAMETOOLONG
        }
        guard error == 0 else { throw .directory(path: path, Errno(rawValue: error)) }
        do throws(ChannelError) {
            try give(made, path, access)
            guard Glibc.listen(number, SOMAXCONN) == 0 else {
                throw .system(call: "listen", Errno(rawValue: errno))
            }
            guard rename(PathText.cString(made), PathText.cString(path)) == 0 else {
                throw .directory(path: path, Errno(rawValue: errno))
            }
        } catch {
            unlink(PathText.cString(made))
            throw error
        }
        return socket
    }

    /// A folder of this user's alone. One that a killed publisher has left is used again: the name's lock is held.
    private static func openPrivate(_ path: String) throws(ChannelError) -> OwnedDescriptor {
        let name = PathText.cString(path)
        if mkdir(name, 0o700) != 0 && errno != EEXIST { throw .directory(path: path, Errno(rawValue: errno)) }
        let number = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard number >= 0 else {
            let error = errno
            rmdir(name)
            if error == EMFILE || error == ENFILE { throw .outOfDescriptors }
            throw .directory(path: path, Errno(rawValue: error))
        }
        let folder = OwnedDescriptor(owning: number)
        var status = stat()
        guard fstat(number, &status) == 0 else {
            let error = errno
            rmdir(name)
            throw .system(call: "fstat \(path)", Errno(rawValue: error))
        }
        guard status.st_uid == geteuid(), status.st_mode & 0o077 == 0 else {
            throw .directory(path: path, .permissionDenied)
        }
        unlink(PathText.cString(path + "/s"))
        return folder
    }

    /// Gives the socket its group and its mode, in this order: for no moment a group may use it that should not.
    private static func give(_ made: String, _ path: String, _ access: ChannelAccess) throws(ChannelError) {
        if let group = access.group {
            guard let gid = groupID(group) else { throw .unknownGroup(group) }
            guard chown(PathText.cString(made), uid_t.max, gid) == 0 else {
                throw .system(call: "chown \(path) to group \(group)", Errno(rawValue: errno))
            }
        }
        guard chmod(PathText.cString(made), mode_t(access.mode & 0o777)) == 0 else {
            throw .system(call: "chmod \(path)", Errno(rawValue: errno))
        }
    }

    private static func acquireLock(
        _ path: String,
        channel: String,
        socketPath: String
    ) throws(ChannelError) -> OwnedDescriptor {
        let name = PathText.cString(path)
        while true {
            let number = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
            guard number >= 0 else {
                let error = errno
                // Another user's lock file can't be opened: the name is theirs.
                if error == EACCES && access(name, F_OK) == 0 {
                    throw .channelInUse(channel: channel, path: socketPath)
                }
                if error == EMFILE || error == ENFILE { throw .outOfDescriptors }
                throw .directory(path: path, Errno(rawValue: error))
            }
            let lock = OwnedDescriptor(owning: number)
            var locked = flock(number, LOCK_EX | LOCK_NB)
            while locked != 0 && errno == EINTR { locked = flock(number, LOCK_EX | LOCK_NB) }
            guard locked == 0 else {
                let error = Errno(rawValue: errno)
                if error == .wouldBlock { throw .channelInUse(channel: channel, path: socketPath) }
                // Not removed: another publisher may have it.
                throw .system(call: "flock \(path)", error)
            }
            // A publisher that ended between our open and our lock has removed the file: then this lock guards nothing.
            var (ours, there) = (stat(), stat())
            guard fstat(number, &ours) == 0 else { throw .system(call: "fstat \(path)", Errno(rawValue: errno)) }
            if stat(name, &there) == 0 {
                if ours.st_ino == there.st_ino { return lock }
            } else if errno != ENOENT {
                throw .directory(path: path, Errno(rawValue: errno))
            }
        }
    }

    private static func groupID(_ name: String) -> gid_t? {
        if let number = gid_t(name) { return number }
        var entry = group()
        var found: UnsafeMutablePointer<group>? = nil
        var buffer = [CChar](repeating: 0, count: 16384)
        guard getgrnam_r(name, &entry, &buffer, buffer.count, &found) == 0, let found else { return nil }
        return found.pointee.gr_gid
    }

    enum AcceptOutcome: ~Copyable {
        case connection(ControlSocket)
        case nothing
        case outOfDescriptors
    }

    /// Takes one waiting connection.
    func accept() -> AcceptOutcome {
        let number = fs_accept(self.number)
        if number >= 0 { return .connection(ControlSocket(owning: OwnedDescriptor(owning: number))) }
        switch -number {
        case EMFILE, ENFILE, ENOMEM, ENOBUFS: return .outOfDescriptors
        default: return .nothing
        }
    }

    /// Removes the channel's files. The lock goes with the last reference.
    func remove() {
        // A socket that was passed stays where it is, and takes the next connections.
        if passed != nil { unlink(PathText.cString(path + ".lock")) } else { Self.removeFiles(path) }
    }

    private static func removeFiles(_ path: String) {
        unlink(PathText.cString(path))
        unlink(PathText.cString(path + ".lock"))
    }
}
