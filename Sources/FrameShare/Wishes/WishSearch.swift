internal import CLinuxMedia
internal import Glibc
internal import SystemPackage

/// Finds what fulfils a wish: a stream of the channel, or the derived channel of a converter, which it starts where none runs.
struct WishSearch: Sendable {
    let channel: String
    let stream: String?
    let wish: Wish
    let directory: ChannelDirectory
    /// How long it may wait for the channel to be there.
    let patience: Duration?

    enum Found {
        case stream(String)
        case derived(String)
    }

    /// The most converters of one channel that one user may have at a time.
    static let mostWishes = 16
    /// How long a converter may take to begin.
    private static let startTime = Duration.seconds(20)

    init(channel: String, stream: String?, wish: Wish, options: Subscriber.Options) throws(WishError) {
        (self.channel, self.stream, self.wish) = (channel, stream, wish)
        patience = options.waitForChannel
        do throws(ChannelError) {
            directory = try ChannelDirectory.resolve(options.directory)
            try ChannelName.check(channel)
        } catch {
            throw .channel(error)
        }
    }

    func find() throws(WishError) -> Found {
        let streams: [Stream]
        do throws(ChannelError) {
            streams = try offered()
            if let stream, !streams.contains(where: { $0.name == stream }) {
                throw .unknownStream(name: stream, offered: streams.map(\.name))
            }
        } catch {
            throw .channel(error)
        }
        let candidates = streams.filter { stream == nil || $0.name == stream }
        if let fitting = candidates.first(where: { wish.isFulfilled(by: $0.layout) }) { return .stream(fitting.name) }
        return .derived(wish.channelName(of: channel, stream: stream ?? "", user: geteuid()))
    }

    private func offered() throws(ChannelError) -> [Stream] {
        let wait = Deadline(after: patience ?? .zero)
        var pause = ConnectPause()
        while true {
            do throws(ChannelError) {
                return try ChannelMonitor(channel: channel, directory: directory).snapshot().streams.map(\.stream)
            } catch {
                guard case .noSuchChannel = error, patience != nil, !wait.hasPassed else { throw error }
            }
            try pause.take(until: wait, channel: channel)
        }
    }

    // MARK: the converter

    /// Sees to it that the derived channel is there. A hundred that ask at once wait for one, which starts it.
    func start(_ derived: String) throws(WishError) {
        if isThere(derived) { return }
        let lock = try locked()
        defer { close(lock) }
        if isThere(derived) { return }
        try checkCount(but: derived)
        try ConverterProcess(
            arguments: arguments(derived),
            environment: [("FRAMESHARE_DIR", directory.path)]
        ).waitUntilReady(atMost: Self.startTime)
    }

    /// Whether this user's own process publishes it: its name is no secret, so that another user's could.
    private func isThere(_ name: String) -> Bool {
        (try? ChannelMonitor(channel: name, directory: directory))?.listener?.uid == geteuid()
    }

    /// Starts a converter again, once there is something to convert.
    func startAgain(_ derived: String) {
        guard (try? ChannelMonitor(channel: channel, directory: directory)) != nil else { return }
        try? start(derived)
    }

    /// One starter at a time of each user. The lock ends with the descriptor, also where its process dies.
    private func locked() throws(WishError) -> Int32 {
        let path = "\(directory.path)/.wishes-\(geteuid()).lock"
        let file = open(PathText.cString(path), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw .channel(.directory(path: path, Errno(rawValue: errno))) }
        let deadline = Deadline(after: Self.startTime)
        while flock(file, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR, !deadline.hasPassed else {
                close(file)
                throw .notStarted("another process of this user has been starting one for \(Self.startTime) (\(path))")
            }
            var pause = timespec(tv_sec: 0, tv_nsec: 5_000_000)
            if nanosleep(&pause, nil) != 0 { fs_note_signal() }
        }
        return file
    }

    /// Refuses more different wishes of a user than a machine should work at.
    private func checkCount(but derived: String) throws(WishError) {
        let prefix = Wish.channelPrefix(of: channel, user: geteuid())
        guard let names = try? directory.channels() else { return }
        let others = names.filter { $0.hasPrefix(prefix) && $0 != derived }
        guard others.count >= Self.mostWishes else { return }
        // Sockets that a killed converter has left behind don't count.
        if others.count(where: isThere) >= Self.mostWishes { throw .tooMany(channel: channel, most: Self.mostWishes) }
    }

    private func arguments(_ derived: String) -> [String] {
        var arguments = ["convert", channel, "--as", derived, "--hidden", "--linger", "3s"]
        func add(_ name: String, _ value: String?) { if let value { arguments += [name, value] } }
        if wish.width != nil || wish.height != nil {
            add("--size", "\(wish.width.map { "\($0)" } ?? "")x\(wish.height.map { "\($0)" } ?? "")")
        }
        add("--format", wish.format?.name)
        add("--rate", wish.rate.map { "\($0)" })
        add("--crop", wish.crop?.description)
        if wish.rotation != .none { add("--rotate", "\(wish.rotation.rawValue)") }
        if wish.mirror { arguments.append("--mirror") }
        if wish.filter != .area { add("--filter", wish.filter.rawValue) }
        add("--stream", stream)
        return arguments
    }
}
