internal import CLinuxMedia
internal import FrameMemory
internal import Glibc
internal import SystemPackage

/// Finds the channel that publishes a source, or starts a hidden process that owns the source from then on.
///
/// The owner publishes on demand and ends when nobody is left. A hundred programs that open a source at once get one owner.
public struct SourceOwner: Sendable {
    /// Where channels are; nil: ``ChannelDirectory/standard()``.
    public var directory: ChannelDirectory?
    /// How long finding and starting an owner may take.
    public var timeout: Duration = .seconds(20)
    /// How long the source goes on after its last reader, and then the owner after the source.
    public var linger: Duration = .seconds(5)

    public init(directory: ChannelDirectory? = nil) { self.directory = directory }

    /// The name of a channel that publishes a source. If there is none, an owner is started.
    /// - Parameter source: a camera's device such as `/dev/video0`, `libcamera`, `libcamera:ID`, or a file
    public func channel(of source: String) throws(OwnerError) -> String {
        try reach(source) { channel throws(ChannelError) in
            _ = try ChannelMonitor(channel: channel, directory: directory)
            return channel
        }
    }

    /// Calls `attach` with the name of a channel that publishes the source, until it succeeds.
    func reach<T>(_ source: String, _ attach: (String) throws(ChannelError) -> T) throws(OwnerError) -> T {
        guard let name = try SourceName(source) else {
            throw .badSource(source, "give a path with '/' in it, 'file:PATH', or 'libcamera'")
        }
        let deadline = Deadline(after: timeout)
        let directory = try onChannel { () throws(ChannelError) in
            let found = try ChannelDirectory.resolve(self.directory)
            try found.create()
            return found
        }
        let lock = directory.path + "/" + name.ownedChannel + ".starting"
        var pause: Int64 = 2_000_000
        // A process that was killed at once is no reason to give up; one that always is, is.
        var chances = 3
        while true {
            if let found = try find(name, directory, attach) { return found }
            if let held = try StartLock.tryTake(lock) {
                // Whoever had the lock before may have started it.
                if let found = try find(name, directory, attach) {
                    held.remove()
                    return found
                }
                if try start(name, directory, held.number, deadline) == .ready {
                    let found = try find(name, directory, attach)
                    held.remove()
                    if let found { return found }
                }
                chances -= 1
                guard chances > 0 else { throw .failed(source: name.text, "its owner ended at once, three times") }
            }
            guard !deadline.hasPassed else { throw .timedOut(source: name.text) }
            BackgroundThread.pause(nanoseconds: deadline.remaining(atMost: pause))
            pause = min(pause * 2, 50_000_000)
        }
    }

    /// Attaches to the source's own channel, or to another one that says that it publishes the source.
    /// - Returns: nil where there is none
    private func find<T>(
        _ name: SourceName,
        _ directory: ChannelDirectory,
        _ attach: (String) throws(ChannelError) -> T
    ) throws(OwnerError) -> T? {
        if let found = try attachIfTrusted(name, directory, attach) { return found }
        let channels = try onChannel { () throws(ChannelError) in try directory.channels() }
        for channel in channels where channel != name.ownedChannel && !channel.hasPrefix("owned-") {
            guard let monitor = try? ChannelMonitor(channel: channel, directory: directory, timeout: .seconds(1)),
                isTrusted(monitor.listener?.uid, directory), let statistics = try? monitor.snapshot(),
                name.isMeant(by: statistics.sourceName)
            else { continue }
            if let found = try attachIfThere(channel, attach) { return found }
        }
        return nil
    }

    /// Attaches to the source's own channel. Its name is no secret, so that any user who may make channels could have it.
    private func attachIfTrusted<T>(
        _ name: SourceName,
        _ directory: ChannelDirectory,
        _ attach: (String) throws(ChannelError) -> T
    ) throws(OwnerError) -> T? {
        guard
            let monitor = try attachIfThere(
                name.ownedChannel,
                { (channel) throws(ChannelError) in try ChannelMonitor(channel: channel, directory: directory) }
            )
        else { return nil }
        let user = monitor.listener?.uid
        guard isTrusted(user, directory) else {
            throw .failed(
                source: name.text,
                "the channel \(name.ownedChannel) is user \(user.map(String.init) ?? "unknown")'s, and not yours"
            )
        }
        return try attachIfThere(name.ownedChannel, attach)
    }

    /// Whose word is taken for what a channel shows: this user's, root's, and that of the folder's owner.
    private func isTrusted(_ user: UInt32?, _ directory: ChannelDirectory) -> Bool {
        guard let user else { return false }
        if user == geteuid() || user == 0 { return true }
        var status = stat()
        return stat(PathText.cString(directory.path), &status) == 0 && status.st_uid == user
    }

    private func attachIfThere<T>(
        _ channel: String,
        _ attach: (String) throws(ChannelError) -> T
    ) throws(OwnerError) -> T? {
        do throws(ChannelError) {
            return try attach(channel)
        } catch {
            switch error {
            // There is none, or it ends at this moment.
            case .noSuchChannel, .publisherLost, .closed: return nil
            case .system(_, .connectionReset), .system(_, .brokenPipe): return nil
            default: throw .channel(error)
            }
        }
    }

    private func start(
        _ name: SourceName,
        _ directory: ChannelDirectory,
        _ lock: Int32,
        _ deadline: Deadline
    ) throws(OwnerError) -> OwnerCommand.Outcome {
        let path = directory.path.hasPrefix("/") ? directory.path : Self.workingDirectory + "/" + directory.path
        let milliseconds = max(0, linger.nanosecondsClamped / 1_000_000)
        return try OwnerCommand.find().start(
            [
                "publish", "--source", name.text, "--channel", name.ownedChannel, "--on-demand", "--linger",
                "\(milliseconds)ms", "--exit-when-idle", "\(max(1000, milliseconds))ms", "--owner", "--detach",
            ],
            lock: lock,
            directory: path,
            source: name.text,
            until: deadline
        )
    }

    private static var workingDirectory: String {
        guard let path = getcwd(nil, 0) else { return "." }
        defer { free(path) }
        return PathText.text(cString: path)
    }

    private func onChannel<T>(_ body: () throws(ChannelError) -> T) throws(OwnerError) -> T {
        do throws(ChannelError) {
            return try body()
        } catch {
            throw .channel(error)
        }
    }
}

extension Subscriber {
    /// Reads a source, whoever publishes it: attaches to the channel that does, or starts a hidden owner of the source, which
    /// ends when nobody is left.
    ///
    /// ```swift
    /// let camera = try Subscriber.open(source: "/dev/video0")
    /// while let frame = try camera.nextBlocking() { show(frame) }
    /// ```
    /// - Parameters:
    ///   - source: a camera's device, `libcamera`, `libcamera:ID`, or a file
    ///   - owner: how the owner is found and started; its directory counts where `options` names none
    public static func open(
        source: String,
        streams: [String] = [],
        policy: Policy = .latest,
        options: Options = Options(),
        owner: SourceOwner = SourceOwner()
    ) throws(OwnerError) -> Subscriber {
        var (options, owner) = (options, owner)
        if let directory = options.directory { owner.directory = directory }
        options.directory = owner.directory
        options.waitForChannel = nil
        return try owner.reach(source) { channel throws(ChannelError) in
            try Subscriber(channel: channel, streams: streams, policy: policy, options: options)
        }
    }
}
