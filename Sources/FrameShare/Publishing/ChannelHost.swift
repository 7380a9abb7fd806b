internal import CLinuxMedia
internal import Glibc
internal import Logging
internal import Synchronization

/// A channel that is open: the way of its frames, with all that hangs on it.
final class ChannelHost: Sendable {
    let options: Publisher.Options
    let core: PublisherCore
    /// What groups are asked, and what they answer.
    let groups = GroupWork()
    /// Answers for the source's controls.
    let controls: CameraControlService
    /// What could not be sent to subscribers.
    let unsent: UnsentMessages
    /// Serialises joining and reconfiguring, which make system calls. Taken before the locks of the core.
    let control = Mutex<Void>(())
    /// What the source tells of itself, for monitors.
    let sourceHealth = Mutex(SourceHealth())

    var channel: String { core.channel }

    init(channel: String, pool: FramePool, options: Publisher.Options) throws(ChannelError) {
        self.options = options
        controls = CameraControlService(access: options.access.control)
        var settings = PublisherCore.Settings(
            sourceNeed: options.sourceNeed,
            stallLimit: options.stallLimit,
            leaseLimit: options.leaseLimit
        )
        if let copies = options.lagCopies {
            settings.makeCopies = { (pool, metadataCapacity) throws(ChannelError) in
                try CopySlots(
                    copies,
                    of: pool,
                    sourceNeed: options.sourceNeed,
                    metadataCapacity: metadataCapacity,
                    name: "frameshare:\(channel):copy"
                )
            }
        }
        core = try PublisherCore(
            channel: channel,
            pool: pool,
            metadataCapacity: options.metadataCapacity,
            settings: settings,
            groups: groups
        )
        unsent = UnsentMessages(attention: core.controlEvent)
    }

    /// Ends the channel for everyone. Returns false when it had ended before.
    func end(_ end: Message.End) -> Bool {
        var pages: [WakePage] = []
        let peers: [any SubscriberPeer]? = core.state.withLock { state in
            guard !state.ended else { return nil }
            state.ended = true
            if case .sourceFailed = end { core.page.set(.failed) } else { core.page.set(.ended) }
            pages = PublisherCore.bumpWords(of: state.members)
            return state.members.map(\.peer)
        }
        guard let peers else { return false }
        controls.stop()
        for case let peer as ConnectedSubscriber in peers { peer.socket.send(.ended(end)) }
        groups.end(end.error ?? .closed, core)
        for page in pages { core.wake(page.word) }
        core.wakeSlotWaiters()
        core.freeSlotEvent.signal()
        core.demandEvent.signal()
        return true
    }

    func log(_ level: Logger.Level, _ message: @autoclosure () -> String) {
        guard let logger = options.logger else { return }
        // A peer's words may be in it, and log lines are for people.
        let text = message().displayText
        logger.log(level: level, "\(text)")
    }
}
