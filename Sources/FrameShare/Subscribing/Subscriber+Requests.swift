internal import CLinuxMedia
internal import Glibc
internal import Synchronization

// A member of a group reads its control socket while it works.
extension Subscriber {
    /// Lets a thread read what the publisher says as it comes: a cancelled request is known while its frame is worked on.
    func watchSocket() throws(ChannelError) {
        try BackgroundThread.start(name: "fs-requests") { [weak self] in
            // Not held while it sleeps. Leaving hangs up, which ends the sleep.
            while let socket = self?.watchedSocket {
                _ = socket.waitReadable(milliseconds: 1000)
                guard self?.takeInSocket() ?? true else { continue }
                // Over, until it has connected again.
                var pause = timespec(tv_sec: 0, tv_nsec: 50_000_000)
                nanosleep(&pause, nil)
            }
        }
    }

    /// The socket to watch; nil once there is nothing more to come.
    var watchedSocket: ControlSocket? {
        state.withLock { $0.closed || $0.isOver && !options.reconnect ? nil : $0.link.socket }
    }

    /// Whether the connection is over.
    func takeInSocket() -> Bool {
        let (isOver, sleepers) = state.withLock { state in
            do throws(ChannelError) {
                try state.link.receive(channel: channel)
            } catch {
                state.failure = error
            }
            return (state.isOver, state.link.sleepers)
        }
        // Threads that sleep are to see it.
        if isOver { raiseAlarm(sleepers) }
        return isOver
    }
}
