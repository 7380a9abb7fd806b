internal import CLinuxMedia
internal import FrameMemory
internal import Glibc
internal import Synchronization
internal import SystemPackage

/// Something that happened to a channel of a folder.
public enum ChannelChange: Sendable, Hashable {
    /// A publisher offers it, or its socket was there when the watch began.
    case appeared(ChannelEntry)
    /// Its publisher was killed, or who may connect is another matter now.
    case changed(ChannelEntry)
    /// It has gone. What was known of it last.
    case vanished(ChannelEntry)

    /// The channel, as it is after the change.
    public var entry: ChannelEntry {
        switch self {
        case .appeared(let entry), .changed(let entry), .vanished(let entry): entry
        }
    }
}

/// Watches the channels of a folder: which appear, which vanish, and which are left behind by a publisher that was killed.
///
/// ```swift
/// let watch = try ChannelDirectory.standard().watch()
/// while true { print(try await watch.next()) }
/// ```
///
/// The channels that are there when it begins come first, as appeared. A channel whose publisher was replaced vanishes and
/// appears. Changes that undo each other between two looks are not told. The folder need not be there yet. The kernel wakes the
/// watch (inotify), so waiting costs nothing. Any thread may call any method; threads that wait at once share the changes.
public final class ChannelDirectoryWatch: Sendable {
    private struct Seen {
        var entry: ChannelEntry
        var identity: ChannelSocketFile.Identity
    }

    private struct State: ~Copyable {
        var events: FolderEvents
        var seen: [String: Seen] = [:]
        var pending: [ChannelChange] = []
        /// Channels that are to be looked at again: their lock was closed, and their socket listened still.
        var again: Set<String> = []
        var looks = 0
        /// A look failed, and what it was to find is still to be found.
        var isBehind = false
        var isAlarmRaised = false
        var closed = false
    }

    public let directory: ChannelDirectory
    private let state: Mutex<State>
    /// Stands for the three below.
    private let epoll: OwnedDescriptor
    private let timer: OwnedDescriptor
    /// Raised while changes wait to be taken, and for ever once it is closed.
    private let alarm: OwnedDescriptor
    private let threads = WaiterThreads(name: "fs-channels")

    /// How often a channel whose lock was closed is looked at again: 10 ms later, then after twice as long each time. The kernel
    /// closes a dead process's lock and socket one after the other.
    private static let looksAgain = 9

    init(_ directory: ChannelDirectory) throws(ChannelError) {
        self.directory = directory
        var state = State(events: try FolderEvents.of(directory))
        epoll = try Self.owned("epoll_create1", fs_epoll_create())
        timer = try Self.owned("timerfd_create", fs_timer_create())
        alarm = try Self.owned("eventfd", fs_eventfd(0))
        for number in [state.events.number, timer.number, alarm.number] {
            let result = fs_epoll_add(epoll.number, number, FS_EPOLLIN, 0)
            guard result == 0 else { throw .system(call: "epoll_ctl", Errno(rawValue: -result)) }
        }
        var everything = FolderEvents.News()
        everything.isUnclear = true
        try Self.scan(directory, everything, &state)
        Self.raise(alarm.number, &state)
        self.state = Mutex(state)
    }

    private static func owned(_ call: String, _ result: Int32) throws(ChannelError) -> OwnedDescriptor {
        guard result >= 0 else { throw .failed(call, errno: -result) }
        return OwnedDescriptor(owning: result)
    }

    /// The next change, waiting on the calling thread.
    /// - Parameter timeout: nil waits for ever
    /// - Throws: `timedOut`, `closed`, `directory` when the folder can't be read any more, `outOfDescriptors`.
    public func nextBlocking(timeout: Duration? = nil) throws(ChannelError) -> ChannelChange {
        try next(until: Deadline(after: timeout), slice: 3_600_000_000_000, interrupted: { false })
    }

    /// The next change. Cancelling the task ends the wait.
    /// - Throws: `cancelled`, and as ``nextBlocking(timeout:)``.
    public func next(timeout: Duration? = nil) async throws(ChannelError) -> ChannelChange {
        let deadline = Deadline(after: timeout)
        return try await threads.wait(onCancel: {}) { [self] interrupted throws(ChannelError) in
            // A task that was cancelled is to be noticed.
            try next(until: deadline, slice: 100_000_000, interrupted: interrupted)
        }
    }

    /// - Parameter slice: the longest sleep in one go, in ns
    private func next(
        until deadline: Deadline,
        slice: Int64,
        interrupted: () -> Bool
    ) throws(ChannelError) -> ChannelChange {
        while true {
            if let change = try takeNow() { return change }
            if interrupted() { throw .cancelled }
            if deadline.hasPassed { throw .timedOut() }
            let pause = (deadline.remaining(atMost: slice) + 999_999) / 1_000_000
            var entry = pollfd(fd: epoll.number, events: Int16(POLLIN), revents: 0)
            if poll(&entry, 1, Int32(pause)) < 0, errno == EINTR { fs_note_signal() }
        }
    }

    /// For event loops: an epoll descriptor, readable when ``nextBlocking(timeout:)`` should be called with a timeout of zero,
    /// until that throws `timedOut`. Only poll it. It belongs to this object.
    public var pollDescriptor: Int32 { epoll.number }

    /// Ends the watch: threads that wait get `closed`.
    public func close() {
        state.withLock { state in
            state.closed = true
            Self.raise(alarm.number, &state)
        }
        threads.close()
    }

    // MARK: looking

    private func takeNow() throws(ChannelError) -> ChannelChange? {
        let result: Result<ChannelChange?, ChannelError> = state.withLock { state in
            do throws(ChannelError) {
                return .success(try take(&state))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private func take(_ state: inout State) throws(ChannelError) -> ChannelChange? {
        guard !state.closed else { throw .closed }
        // Until a look succeeds, an event loop is to come again.
        if state.isBehind { Self.raise(alarm.number, &state) }
        if state.pending.isEmpty { try look(&state) }
        guard !state.pending.isEmpty else {
            lower(&state)
            return nil
        }
        let change = state.pending.removeFirst()
        if state.pending.isEmpty { lower(&state) } else { Self.raise(alarm.number, &state) }
        return change
    }

    private func look(_ state: inout State) throws(ChannelError) {
        var news = try state.events.take()
        var expirations: UInt64 = 0
        if read(timer.number, &expirations, 8) == 8 { news.touched.formUnion(state.again) }
        if !news.unlocked.isEmpty {
            state.again.formUnion(news.unlocked)
            state.looks = 0
        }
        if state.isBehind { news.isUnclear = true }
        guard !news.isEmpty else { return }
        state.isBehind = true
        try Self.scan(directory, news, &state)
        state.isBehind = false
        state.again = state.again.filter { state.seen[$0]?.entry.state == .live }
        if state.looks >= Self.looksAgain { state.again = [] }
        guard !state.again.isEmpty else { return }
        let result = fs_timer_set(timer.number, 10_000_000 << Int64(state.looks))
        guard result == 0 else { throw .system(call: "timerfd_settime", Errno(rawValue: -result)) }
        state.looks += 1
    }

    /// Compares the folder with what was seen of it.
    private static func scan(
        _ directory: ChannelDirectory,
        _ news: FolderEvents.News,
        _ state: inout State
    ) throws(ChannelError) {
        let names = try directory.channels()
        for name in state.seen.keys.sorted() where !names.contains(name) { vanish(name, &state) }
        for name in names {
            guard let file = directory.socketFile(of: name) else {
                vanish(name, &state)
                continue
            }
            let old = state.seen[name]
            if let old, old.identity == file.identity, !news.isUnclear, !news.touched.contains(name) { continue }
            guard let entry = try file.entry(name) else {
                vanish(name, &state)
                continue
            }
            if let old, old.identity.inode != file.identity.inode || news.arrived.contains(name),
                old.identity != file.identity
            {
                vanish(name, &state)
            }
            if let known = state.seen[name] {
                if known.entry != entry { state.pending.append(.changed(entry)) }
            } else {
                state.pending.append(.appeared(entry))
            }
            state.seen[name] = Seen(entry: entry, identity: file.identity)
        }
    }

    private static func vanish(_ name: String, _ state: inout State) {
        if let old = state.seen.removeValue(forKey: name) { state.pending.append(.vanished(old.entry)) }
    }

    // MARK: the alarm

    private static func raise(_ alarm: Int32, _ state: inout State) {
        guard !state.isAlarmRaised else { return }
        state.isAlarmRaised = true
        var one: UInt64 = 1
        _ = write(alarm, &one, 8)
    }

    private func lower(_ state: inout State) {
        guard state.isAlarmRaised else { return }
        state.isAlarmRaised = false
        var value: UInt64 = 0
        _ = read(alarm.number, &value, 8)
    }
}

extension ChannelDirectory {
    /// Watches which channels appear in this folder and which vanish.
    /// - Throws: `directory` when the folder can't be read, `outOfDescriptors`, `system`.
    public func watch() throws(ChannelError) -> ChannelDirectoryWatch { try ChannelDirectoryWatch(self) }
}
