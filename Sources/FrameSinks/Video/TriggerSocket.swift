internal import CLinuxMedia
public import FrameShare
internal import Glibc

/// Where a recorder that waits hears that something has happened, from any process that may write to the channels' folder.
///
/// A datagram socket `CHANNEL.PID-N.trigger` beside the channel's. A trigger goes to every recorder of the channel.
public final class TriggerSocket: Sendable {
    /// A trigger: something happens now.
    public struct Trigger: Sendable, Hashable {
        /// How long to go on recording after it; nil: as the recorder was told.
        public var post: Duration?
        public init(post: Duration? = nil) { self.post = post }
    }

    /// Polls readable when a trigger has come. The socket's own: don't close it.
    public let descriptor: Int32
    private let path: String

    /// Listens for triggers of a channel.
    /// - Parameter directory: nil: `ChannelDirectory.standard()`
    public init(channel: String, directory: ChannelDirectory? = nil) throws(VideoError) {
        let folder = try Self.folder(of: channel, directory)
        var (number, made) = (0, Int32(-1))
        var path = ""
        // Several recorders may be in one process.
        repeat {
            path = "\(folder)/\(channel).\(getpid())-\(number).trigger"
            made = try Self.open(path) { socket, address in
                // The file has the mode of the socket from its first moment, and no name is followed to set it.
                fchmod(socket, 0o600) == 0 ? address.bind(socket) : errno
            }
            number += 1
        } while made < 0 && number < 64
        guard made >= 0 else { throw .output(path: path, reason: "there are 64 recorders in this process") }
        (descriptor, self.path) = (made, path)
    }

    deinit {
        close(descriptor)
        unlink(PathText.cString(path))
    }

    /// The next trigger that has come; nil when there is none. Never waits.
    public func receive() -> Trigger? {
        var nanoseconds: Int64 = 0
        while true {
            let size = recv(descriptor, &nanoseconds, 8, Int32(MSG_DONTWAIT))
            if size < 0, errno == EINTR { continue }
            guard size >= 0 else { return nil }
            guard size == 8 else { continue }
            return Trigger(post: nanoseconds < 0 ? nil : .nanoseconds(nanoseconds))
        }
    }

    /// Triggers every recorder of a channel that waits for it.
    /// - Returns: how many there are
    public static func send(
        _ trigger: Trigger,
        channel: String,
        directory: ChannelDirectory? = nil
    ) throws(VideoError) -> Int {
        let folder = try Self.folder(of: channel, directory)
        var reached = 0
        for name in names(in: folder, of: channel) {
            let path = folder + "/" + name
            let socket = try open(path) { $1.connect($0) }
            guard socket >= 0 else {
                if isSocket(path) { unlink(PathText.cString(path)) }  // its recorder was killed
                continue
            }
            defer { close(socket) }
            var nanoseconds: Int64 = trigger.post.map { max(0, $0.nanosecondsClamped) } ?? -1
            guard Glibc.send(socket, &nanoseconds, 8, Int32(MSG_DONTWAIT | MSG_NOSIGNAL)) == 8 else {
                throw .output(path: path, reason: String(cString: strerror(errno)))
            }
            reached += 1
        }
        return reached
    }

    private static func folder(of channel: String, _ directory: ChannelDirectory?) throws(VideoError) -> String {
        do throws(ChannelError) {
            try ChannelName.check(channel)
            if let directory { return directory.path }
            return try ChannelDirectory.standard().path
        } catch {
            throw .channel(error)
        }
    }

    /// Whether a recorder of a channel waits for a trigger, or one that was killed did.
    public static func isAwaited(channel: String, directory: ChannelDirectory? = nil) -> Bool {
        guard let folder = try? folder(of: channel, directory) else { return false }
        return !names(in: folder, of: channel).isEmpty
    }

    private static func names(in folder: String, of channel: String) -> [String] {
        names(in: folder).filter { name in
            name.hasPrefix(channel + ".") && name.hasSuffix(".trigger")
                // What stands between has no point: camera0's is not that of camera0.left.
                && !name.dropFirst(channel.utf8.count + 1).dropLast(8).contains(".")
        }
    }

    /// A file that only looks like one is somebody else's.
    private static func isSocket(_ path: String) -> Bool {
        var status = stat()
        return lstat(PathText.cString(path), &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
    }

    private static func names(in folder: String) -> [String] {
        guard let listing = opendir(PathText.cString(folder)) else { return [] }
        defer { closedir(listing) }
        var names: [String] = []
        while let entry = readdir(listing) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { PathText.text(cString: $0) }
                }
            )
        }
        return names
    }

    /// A socket that was bound or connected; -1 where somebody, or nobody, is there.
    private static func open(
        _ path: String,
        _ use: (Int32, SocketAddress) -> Int32
    ) throws(VideoError) -> Int32 {
        guard let address = SocketAddress(path) else {
            throw .output(path: path, reason: "the path of a socket has at most \(SocketAddress.longestPath) bytes")
        }
        let socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw .output(path: path, reason: String(cString: strerror(errno))) }
        let reason = use(socket, address)
        guard reason != 0 else { return socket }
        close(socket)
        if reason == EADDRINUSE || reason == ECONNREFUSED || reason == ENOENT { return -1 }
        throw .output(path: path, reason: String(cString: strerror(reason)))
    }
}
