internal import CLinuxMedia
internal import Glibc
internal import Synchronization

// Finding the channel again.
extension Subscriber {
    /// Between two attempts, in ns; each pause is twice the one before.
    static let shortestPause: Int64 = 10_000_000
    private static let longestPause: Int64 = 250_000_000

    private enum Attempt {
        case closed
        /// There is a connection again.
        case connected
        /// Another thread's attempt is under way, or it is too early for the next; look again after so many ns.
        case wait(Int64)
        case begin
    }

    /// Waits until there is a connection again, or the subscriber is closed.
    ///
    /// One thread connects for all that wait. It is the subscriber's own, so that an attempt may take longer than any of
    /// them waits.
    func reconnect(deadline: Deadline, interrupted: () -> Bool) throws(ChannelError) {
        while true {
            // Before the look: an attempt that ends after it ends the sleep.
            let seen = reconnection.value
            if interrupted() { throw .cancelled }
            switch state.withLock({ Self.nextStep(&$0) }) {
            case .closed: throw .closed
            case .connected: return
            case .begin:
                do throws(ChannelError) {
                    try beginAttempt()
                } catch {
                    endAttempt()
                }
            case .wait(let nanoseconds):
                if deadline.hasPassed { throw timedOut }
                reconnection.wait(while: seen, nanoseconds: deadline.remaining(atMost: nanoseconds))
            }
        }
    }

    private static func nextStep(_ state: inout State) -> Attempt {
        if state.closed { return .closed }
        guard state.isOver else { return .connected }
        if state.isConnecting { return .wait(100_000_000) }
        let early = state.nextAttempt.subtractingClamped(monotonicNow())
        if early > 0 { return .wait(early) }
        state.isConnecting = true
        return .begin
    }

    /// Tries to connect, on a thread that keeps nobody's reference while it waits.
    /// - Parameter again: until it is connected, or the subscriber closed; else once
    func beginAttempt(again: Bool = false) throws(ChannelError) {
        let (channel, directory, hello, timeout) = (channel, directory, hello, options.connectTimeout)
        let startupFrames = options.startupFrames
        let prepare = options.beforeReconnecting
        try BackgroundThread.start(name: "fs-connect") { [weak self] in
            while true {
                var link: SubscriberLink?
                prepare?()
                do throws(ChannelError) {
                    link = try SubscriberLink.connect(
                        channel: channel,
                        directory: directory,
                        hello: hello,
                        startupFrames: startupFrames,
                        timeout: timeout,
                        isGivenUp: { self?.state.withLock(\.closed) ?? true }
                    )
                } catch {}
                guard let pause = self?.endAttempt(link, again: again) else { return }
                BackgroundThread.pause(nanoseconds: pause)
            }
        }
    }

    /// Goes over to the new connection, unless the subscriber was closed meanwhile: then it hangs up again.
    /// - Returns: after how many ns another attempt is to be made, where one is
    @discardableResult
    private func endAttempt(_ made: SubscriberLink? = nil, again: Bool = false) -> Int64? {
        var link = made
        var first = link?.takeArrived()
        var pause: Int64?
        locked { state in
            state.isConnecting = false
            guard !state.closed else { return }
            // A socket that can't be watched is as good as none.
            if let socket = link?.socket, let gate, (try? gate.watch(socket)) == nil { first = nil }
            guard var next = link, let received = first else {
                state.isConnecting = again
                if again { pause = state.attemptPause } else { gate?.raise() }
                state.nextAttempt = monotonicNow().addingClamped(state.attemptPause)
                state.attemptPause = min(state.attemptPause * 2, Self.longestPause)
                return
            }
            gate?.forget(state.link.socket)
            // What was before goes outside of the lock: a cancelled request's action may end with it.
            swap(&state.link, &next)
            first = state.core.current
            link = next
            state.failure = nil
            state.core.attach(reconnected: received)
            state.chooseThinning(hello.interval)
            state.connections += 1
            (state.nextAttempt, state.attemptPause) = (0, Self.shortestPause)
            // Nothing is announced in the new lane yet: whoever polls is to look.
            gate?.raise()
        }
        withExtendedLifetime((link, first)) {}
        reconnection.bump()
        return pause
    }
}
