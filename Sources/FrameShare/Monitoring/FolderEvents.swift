internal import CLinuxMedia
internal import FrameMemory
internal import Glibc
internal import SystemPackage

/// What the kernel tells of a channel folder (inotify), by the names of channels. A folder that is not there is waited for:
/// then the nearest folder above it is watched.
struct FolderEvents: ~Copyable, Sendable {
    /// What has happened since the last look.
    struct News {
        /// Channels of which a file came, went or changed.
        var touched: Set<String> = []
        /// Channels that got a new socket.
        var arrived: Set<String> = []
        /// Channels whose lock file was closed: by a publisher that ended or died, or by a program that wanted the name.
        var unlocked: Set<String> = []
        /// Anything may have happened.
        var isUnclear = false

        var isEmpty: Bool { touched.isEmpty && !isUnclear }
    }

    private let inotify: OwnedDescriptor
    private let path: String
    private var watch: Int32 = -1
    /// The folder is there, and watched; else a folder above it is.
    private(set) var isThere = false

    var number: Int32 { inotify.number }

    private init(inotify: consuming OwnedDescriptor, path: String) {
        self.inotify = inotify
        self.path = path
    }

    /// Begins to hear of a folder.
    static func of(_ directory: ChannelDirectory) throws(ChannelError) -> FolderEvents {
        var events = FolderEvents(inotify: try descriptor(), path: directory.path)
        try events.arm()
        return events
    }

    private static func descriptor() throws(ChannelError) -> OwnedDescriptor {
        let number = fs_inotify_create()
        guard number >= 0 else {
            // The kernel has one error for this process's descriptors and for the user's watches.
            let limits = "'ulimit -n' and fs.inotify.max_user_instances"
            throw .system(call: "inotify_init1 (see \(limits))", Errno(rawValue: -number))
        }
        return OwnedDescriptor(owning: number)
    }

    /// Watches the folder that has the name now.
    private mutating func arm() throws(ChannelError) {
        while true {
            let folder = fs_inotify_add(number, PathText.cString(path), FS_FOLDER_EVENTS)
            if folder >= 0 { return use(folder, isThere: true) }
            guard -folder == ENOENT || -folder == ENOTDIR else { throw Self.error(path, -folder) }
            use(try addAbove(), isThere: false)
            // It may have come while the one above was not watched yet.
            if access(PathText.cString(path), F_OK) != 0 { return }
        }
    }

    private func addAbove() throws(ChannelError) -> Int32 {
        var above = FilePath(path)
        while true {
            let isLast = above.components.isEmpty
            above = isLast ? (above.isAbsolute ? "/" : ".") : above.removingLastComponent()
            let name = above.isEmpty ? "." : above.string
            let watch = fs_inotify_add(number, name, FS_FOLDER_ARRIVALS)
            if watch >= 0 { return watch }
            guard -watch == ENOENT || -watch == ENOTDIR, !isLast else { throw Self.error(name, -watch) }
        }
    }

    private mutating func use(_ new: Int32, isThere: Bool) {
        // The number of a folder that is watched already is the same again.
        if watch >= 0, watch != new { fs_inotify_remove(number, watch) }
        (watch, self.isThere) = (new, isThere)
    }

    private static func error(_ path: String, _ errno: Int32) -> ChannelError {
        if errno == ENOSPC { return .system(call: "inotify_add_watch (see fs.inotify.max_user_watches)", .noSpace) }
        return .directory(path: path, Errno(rawValue: errno))
    }

    /// What has happened since the last call. Never waits.
    mutating func take() throws(ChannelError) -> News {
        var news = News()
        // Events of a folder above say no more than that it is time to look.
        let wasThere = isThere
        var bytes = [UInt8](repeating: 0, count: 16384)
        while true {
            let count = bytes.withUnsafeMutableBytes { read(number, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            bytes.withUnsafeBytes { note(UnsafeRawBufferPointer(rebasing: $0[..<count]), in: &news) }
        }
        if news.isUnclear || !wasThere { try arm() }
        if isThere != wasThere { news.isUnclear = true }
        return news
    }

    /// Events as the kernel writes them: watch, mask, cookie and the length of the name, 4 bytes each, then the name.
    private func note(_ bytes: UnsafeRawBufferPointer, in news: inout News) {
        var offset = 0
        while offset + 16 <= bytes.count {
            // Inside the buffer: the kernel writes whole events, and both ends are compared with its size.
            let from = bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self)
            let mask = bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
            let length = Int(bytes.loadUnaligned(fromByteOffset: offset + 12, as: UInt32.self))
            let end = min(bytes.count, offset + 16 + length)
            let name = PathText.text(bytes[(offset + 16)..<end].prefix { $0 != 0 })
            offset = end
            if mask & FS_INOTIFY_LOST != 0 {
                // A watch that was given up for another says so once.
                if from == watch || from < 0 { news.isUnclear = true }
            } else if from == watch, isThere {
                note(name, mask, in: &news)
            }
        }
    }

    private func note(_ file: String, _ mask: UInt32, in news: inout News) {
        if file.hasSuffix(".sock") {
            let channel = String(file.dropLast(5))
            news.touched.insert(channel)
            if mask & FS_INOTIFY_ARRIVED != 0 { news.arrived.insert(channel) }
        } else if file.hasSuffix(".sock.lock") {
            let channel = String(file.dropLast(10))
            news.touched.insert(channel)
            if mask & FS_INOTIFY_CLOSED != 0 { news.unlocked.insert(channel) }
        }
    }
}
