internal import CLinuxMedia
internal import Synchronization

// Messages that must not be lost. The kernel may have no memory for one, and a peer no room: nobody would send it again.
extension PublisherCore {
    struct Unsent {
        let socket: ControlSocket
        let bytes: [UInt8]
    }

    /// The most that are kept. Beyond that the oldest are dropped: their peers read nothing.
    private static let mostUnsent = 1024
    /// How long the control thread waits between two tries, in ms.
    private static let unsentPause: Int32 = 20
    /// How often the control thread looks for releases while an event-driven source is short of slots, in ms: the message
    /// that tells of one may be lost, and only its sender could know.
    private static let shortagePause: Int32 = 250

    /// Sends a message, or leaves it to the control thread. Not under the lock.
    @inline(__always)
    func deliver(_ bytes: [UInt8], to socket: ControlSocket) {
        let outcome = socket.send(bytes: bytes)
        if outcome == .sent { return }
        keep(Unsent(socket: socket, bytes: bytes), outcome)
    }

    @inline(never)
    private func keep(_ message: Unsent, _ outcome: ControlSocket.SendOutcome) {
        guard Self.isWorthAnotherTry(message, outcome) else { return }
        state.withLock { state in
            state.unsent.append(message)
            if state.unsent.count > Self.mostUnsent { state.unsent.removeFirst() }
        }
        Self.signal(controlEvent)
    }

    /// A peer that can't be told is hung up on: it would wait for ever.
    private static func isWorthAnotherTry(_ message: Unsent, _ outcome: ControlSocket.SendOutcome) -> Bool {
        switch outcome {
        case .sent: return false
        case .full, .noMemory: return true
        case .failed:
            fs_hang_up(message.socket.number)
            return false
        }
    }

    /// Tries again what could not be sent. Called by the control thread.
    func sendUnsent() {
        let waiting = state.withLock { state in
            defer { state.unsent = [] }
            return state.unsent
        }
        guard !waiting.isEmpty else { return }
        let rest = waiting.filter { Self.isWorthAnotherTry($0, $0.socket.send(bytes: $0.bytes)) }
        if !rest.isEmpty { state.withLock { $0.unsent.insert(contentsOf: rest, at: 0) } }
    }

    /// How long the control thread may sleep for the sake of what was not sent, or not heard of, in ms; -1: for ever.
    var unsentWait: Int32 {
        if state.withLock({ !$0.unsent.isEmpty }) { return Self.unsentPause }
        return isShortOnSocket ? Self.shortagePause : -1
    }

    private var isShortOnSocket: Bool {
        page.shortage.pointee.load(ordering: .relaxed) & FS_SHORT_SOCKET != 0
    }

    /// Tells an event-driven source that is short of slots of releases that no message told of.
    func noticeReleases() {
        guard isShortOnSocket else { return }
        let isFree = state.withLock { state in
            state.generation.leases.collectReleases()
            return !state.generation.leases.free.isEmpty
        }
        if isFree { Self.signal(freeSlotEvent) }
    }
}
