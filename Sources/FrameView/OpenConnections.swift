#if View
internal import NIOCore
internal import Synchronization

/// The connections that ask something, so that the server's end is theirs, too: streams of pictures have none of their own.
final class OpenConnections: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        var isClosed = false
    }
    private let state = Mutex(State())

    func add(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        let (isNew, isClosed) = state.withLock { state in
            if state.isClosed { return (false, true) }
            return (state.channels.updateValue(channel, forKey: id) == nil, false)
        }
        if isClosed { channel.close(promise: nil) }
        if isNew { channel.closeFuture.whenComplete { [self] _ in state.withLock { $0.channels[id] = nil } } }
    }

    func closeAll() {
        let channels = state.withLock { state in
            state.isClosed = true
            return Array(state.channels.values)
        }
        for channel in channels { channel.close(promise: nil) }
    }
}
#endif
