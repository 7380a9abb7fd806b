internal import CLinuxMedia
internal import Synchronization

/// A subscriber's end of its connection. It stays until the last frame that came by it is released.
final class SubscriberConnection: LeaseConnection {
    let socket: ControlSocket
    /// The requests to a member of a group that its publisher has cancelled; nil outside of groups.
    let cancelled: CancelledRequests?
    /// Where a member's tasks wait until there is room for their replies; nil outside of groups.
    let replyThreads: WaiterThreads?

    init(socket: ControlSocket, isMember: Bool) {
        self.socket = socket
        cancelled = isMember ? CancelledRequests() : nil
        replyThreads = isMember ? WaiterThreads(name: "fs-replies") : nil
    }

    private static let slotReleased = Message.slotReleased.encoded

    // A full socket has messages that will wake the publisher anyway.
    func tellReleased() { _ = socket.send(bytes: Self.slotReleased) }

    func hangUp() { fs_hang_up(socket.number) }
}

/// Which of the requests that a member was given are not wanted any more.
final class CancelledRequests: Sendable {
    private struct State {
        var cancelled: Set<UInt64> = []
        var actions: [UInt64: @Sendable () -> Void] = [:]
    }
    private let state = Mutex(State())

    /// The most that are kept: of those beyond, the oldest are forgotten.
    private static let limit = 1024

    func cancel(_ frame: UInt64) {
        let action = state.withLock { state in
            state.cancelled.insert(frame)
            if state.cancelled.count > Self.limit, let oldest = state.cancelled.min() { state.cancelled.remove(oldest) }
            return state.actions.removeValue(forKey: frame)
        }
        // Not here: the subscriber's lock is held.
        if let action { Task.detached { action() } }
    }

    func contains(_ frame: UInt64) -> Bool { state.withLock { $0.cancelled.contains(frame) } }

    /// Runs `action` when the request is cancelled; at once if it was already.
    func whenCancelled(_ frame: UInt64, _ action: @escaping @Sendable () -> Void) {
        // An action goes outside of the lock: what it refers to may end with it, and ask something here.
        let (isCancelled, replaced) = state.withLock { state in
            let isCancelled = state.cancelled.contains(frame)
            return (isCancelled, isCancelled ? nil : state.actions.updateValue(action, forKey: frame))
        }
        withExtendedLifetime(replaced) {}
        if isCancelled { action() }
    }

    /// The request has been answered.
    func forget(_ frame: UInt64) {
        let action = state.withLock { state in
            state.cancelled.remove(frame)
            return state.actions.removeValue(forKey: frame)
        }
        withExtendedLifetime(action) {}
    }
}
