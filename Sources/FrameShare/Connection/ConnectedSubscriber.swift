internal import CLinuxMedia
internal import Synchronization

/// A publisher's end of the connection with one subscriber.
final class ConnectedSubscriber: SubscriberPeer {
    let socket: ControlSocket
    private let unsent: UnsentMessages

    init(socket: ControlSocket, unsent: UnsentMessages) { (self.socket, self.unsent) = (socket, unsent) }

    var number: Int32 { socket.number }

    private static let wakeMessage = Message.wake.encoded

    func wake() { unsent.deliver(Self.wakeMessage, to: socket) }

    /// Sends a message that must not be lost, now or a moment later. Not called under a lock.
    func deliver(_ message: Message) { unsent.deliver(message.encoded, to: socket) }
}

/// Messages that must not be lost. The kernel may have no memory for one, and a peer no room: nobody would send it again.
final class UnsentMessages: Sendable {
    private struct Item {
        let socket: ControlSocket
        let bytes: [UInt8]
    }

    private let items = Mutex<[Item]>([])
    /// Tells the control thread that there is something to be sent again.
    private let attention: EventSignal

    /// The most that are kept. Beyond that the oldest are dropped: their peers read nothing.
    private static let mostKept = 1024
    /// How long the control thread waits between two tries, in ms.
    private static let pause: Int32 = 20

    init(attention: EventSignal) { self.attention = attention }

    /// Sends a message, or leaves it to the control thread. Not under the lock.
    @inline(__always)
    func deliver(_ bytes: [UInt8], to socket: ControlSocket) {
        let outcome = socket.send(bytes: bytes)
        if outcome == .sent { return }
        keep(Item(socket: socket, bytes: bytes), outcome)
    }

    @inline(never)
    private func keep(_ item: Item, _ outcome: ControlSocket.SendOutcome) {
        guard Self.isWorthAnotherTry(item, outcome) else { return }
        items.withLock { items in
            items.append(item)
            if items.count > Self.mostKept { items.removeFirst() }
        }
        attention.signal()
    }

    /// A peer that can't be told is hung up on: it would wait for ever.
    private static func isWorthAnotherTry(_ item: Item, _ outcome: ControlSocket.SendOutcome) -> Bool {
        switch outcome {
        case .sent: return false
        case .full, .noMemory: return true
        case .failed:
            fs_hang_up(item.socket.number)
            return false
        }
    }

    /// Tries again what could not be sent. Called by the control thread.
    func sendAgain() {
        let waiting = items.withLock { items in
            defer { items = [] }
            return items
        }
        guard !waiting.isEmpty else { return }
        let rest = waiting.filter { Self.isWorthAnotherTry($0, $0.socket.send(bytes: $0.bytes)) }
        if !rest.isEmpty { items.withLock { $0.insert(contentsOf: rest, at: 0) } }
    }

    /// How long the control thread may sleep for the sake of what was not sent, in ms; -1: for ever.
    var wait: Int32 { items.withLock { $0.isEmpty } ? -1 : Self.pause }
}
