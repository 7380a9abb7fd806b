internal import CLinuxMedia
internal import Synchronization

/// How many frames of one connection are held, and the connection itself: it must not end before the last of them,
/// since the publisher takes everything back when it does.
final class SubscriberConnection: Sendable {
    let socket: ControlSocket
    /// What was cancelled of a member's requests; nil for who is in no group.
    let cancelled: CancelledRequests?
    /// Where tasks of a member wait whose replies find no room; nil for who is in no group.
    let replyThreads: WaiterThreads?
    private let held = Atomic<Int>(0)
    private let closing = Atomic<Bool>(false)

    init(socket: ControlSocket, isMember: Bool = false) {
        self.socket = socket
        cancelled = isMember ? CancelledRequests() : nil
        replyThreads = isMember ? WaiterThreads(name: "fs-replies") : nil
    }

    var count: Int { held.load(ordering: .relaxed) }

    func begin() { held.wrappingAdd(1, ordering: .relaxed) }

    /// One lease has ended. Sequentially consistent with `close`: one of the two sees that it is the last.
    func end() {
        let left = held.wrappingSubtract(1, ordering: .sequentiallyConsistent).newValue
        if left == 0 && closing.load(ordering: .sequentiallyConsistent) { hangUp() }
    }

    /// Hangs up as soon as nothing is held.
    func close() {
        closing.store(true, ordering: .sequentiallyConsistent)
        if held.load(ordering: .sequentiallyConsistent) == 0 { hangUp() }
    }

    private func hangUp() { fs_hang_up(socket.number) }
}
