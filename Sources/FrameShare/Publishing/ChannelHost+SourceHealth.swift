internal import LeaseProtocol
internal import Synchronization

/// What a source tells of itself.
struct SourceHealth {
    var trouble = ""
    var errors: UInt64 = 0
    var state = SourceState.alwaysOn
    /// Whether subscribers are to be told of the trouble.
    var isNews = false
}

// Subscribers hear why no frames come.
extension ChannelHost {
    /// The first protocol version whose subscribers read of troubles.
    private static let tellingVersion = ProtocolVersion(major: 3, minor: 2)

    func setTrouble(_ text: String) {
        let isNews = sourceHealth.withLock { health in
            let text = String(text.prefix(500))
            guard health.trouble != text else { return false }
            health.trouble = text
            health.isNews = true
            return true
        }
        if isNews { core.controlEvent.signal() }
    }

    /// Tells a subscriber that has just joined, if there is something to tell.
    func tellTrouble(to socket: ControlSocket, version: ProtocolVersion) {
        let text = sourceHealth.withLock(\.trouble)
        guard !text.isEmpty, version >= Self.tellingVersion else { return }
        unsent.deliver(Message.trouble(text).encoded, to: socket)
        core.page.notices.pointee.wrappingAdd(1, ordering: .releasing)
    }

    /// On the control thread: tells all subscribers of a change, and wakes those who sleep.
    func tellTrouble() {
        let text: String? = sourceHealth.withLock { health in
            defer { health.isNews = false }
            return health.isNews ? health.trouble : nil
        }
        guard let text else { return }
        let bytes = Message.trouble(text).encoded
        let members = core.state.withLock { $0.members.filter { $0.version >= Self.tellingVersion } }
        for case let peer as ConnectedSubscriber in members.map(\.peer) { unsent.deliver(bytes, to: peer.socket) }
        // After the messages, and before the words: a reader that sees the bumped word finds the notice and its message.
        core.page.notices.pointee.wrappingAdd(1, ordering: .releasing)
        let pages = core.state.withLock { PublisherCore.bumpWords(of: $0.members) }
        for page in pages { core.wake(page.word) }
    }
}
