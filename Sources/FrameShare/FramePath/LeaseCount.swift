internal import Synchronization

/// What the frames of a subscriber need of its connection.
protocol LeaseConnection: AnyObject, Sendable {
    /// A slot was released, and the publisher wants to hear of it by a message.
    func tellReleased()
    /// The subscriber has left, and its last frame is released.
    func hangUp()
}

/// How many frames of one connection are held. The connection must not end before the last of them: the publisher takes
/// everything back when it does.
final class LeaseCount: Sendable {
    let connection: any LeaseConnection
    private let held = Atomic<Int>(0)
    private let closing = Atomic<Bool>(false)

    init(of connection: any LeaseConnection) { self.connection = connection }

    var count: Int { held.load(ordering: .relaxed) }

    @inline(__always)
    func begin() { held.wrappingAdd(1, ordering: .relaxed) }

    /// One lease has ended. Sequentially consistent with `close`: one of the two sees that it is the last.
    @inline(__always)
    func end() {
        let left = held.wrappingSubtract(1, ordering: .sequentiallyConsistent).newValue
        if left == 0 && closing.load(ordering: .sequentiallyConsistent) { connection.hangUp() }
    }

    /// Hangs up as soon as nothing is held.
    func close() {
        closing.store(true, ordering: .sequentiallyConsistent)
        if held.load(ordering: .sequentiallyConsistent) == 0 { connection.hangUp() }
    }
}
