internal import Glibc
internal import Synchronization

// Whether anybody wants frames: for sources that run on demand.
extension Publisher {
    /// How many subscribers there are that have not said goodbye. Monitors do not count.
    public var subscriberCount: Int { core.wantingCount }

    /// Readable (an eventfd: read it to clear it) when a subscriber has come or gone, and when the channel has ended. The
    /// publisher's own: don't close it.
    public var demandDescriptor: Int32 { core.demandEvent.number }

    /// How many subscribers take the frames of a start-up.
    package var startupTakers: Int { core.state.withLock { $0.members.count(where: \.takesStartup) } }

    /// Whether the channel has ended.
    package var hasEnded: Bool { core.state.withLock(\.ended) }

    /// Ends the channel in order, unless somebody wants frames or is about to join. A connection that is not answered any
    /// more waits in the socket, where that was passed by a service manager; else it is refused.
    /// - Returns: whether it has ended
    package func closeIfUnused() -> Bool {
        guard server.stopIfUnused() else { return false }
        waiters.close()
        return true
    }

    /// Waits on the calling thread until frames are wanted, or until nobody has wanted any for a while. So a program can run
    /// its camera while somebody looks:
    ///
    /// ```swift
    /// while true {
    ///     try publisher.waitForDemandBlocking()
    ///     camera.start()                                   // publishes on a thread of its own
    ///     try publisher.waitForNoDemandBlocking(linger: .seconds(5))
    ///     camera.stop()
    /// }
    /// ```
    /// - Parameter timeout: nil: for as long as it takes
    /// - Throws: `timedOut`; `closed` once the channel has ended
    public func waitForDemandBlocking(timeout: Duration? = nil) throws(ChannelError) {
        try core.waitForDemand(true, linger: .zero, timeout: timeout, interrupted: { false })
    }

    /// Waits on the calling thread until there has been no subscriber for a while.
    /// - Parameters:
    ///   - linger: how long there must be none without a break
    ///   - timeout: nil: for as long as it takes
    /// - Throws: `timedOut`; `closed` once the channel has ended
    public func waitForNoDemandBlocking(linger: Duration, timeout: Duration? = nil) throws(ChannelError) {
        try core.waitForDemand(false, linger: linger, timeout: timeout, interrupted: { false })
    }

    /// Waits, on a thread of the publisher's own, until frames are wanted.
    /// - Throws: as ``waitForDemandBlocking(timeout:)``; `cancelled` when the task is
    public func waitForDemand(timeout: Duration? = nil) async throws(ChannelError) {
        let core = core
        try await waiters.wait(onCancel: { core.wakeSlotWaiters() }) { interrupted throws(ChannelError) in
            try core.waitForDemand(true, linger: .zero, timeout: timeout, interrupted: interrupted)
        }
    }

    /// Waits, on a thread of the publisher's own, until there has been no subscriber for a while.
    /// - Throws: as ``waitForNoDemandBlocking(linger:timeout:)``; `cancelled` when the task is
    public func waitForNoDemand(linger: Duration, timeout: Duration? = nil) async throws(ChannelError) {
        let core = core
        try await waiters.wait(onCancel: { core.wakeSlotWaiters() }) { interrupted throws(ChannelError) in
            try core.waitForDemand(false, linger: linger, timeout: timeout, interrupted: interrupted)
        }
    }

    /// Says whether the source sleeps or runs, for monitors (``ChannelStatistics/sourceState``). From any thread.
    public func setSourceState(_ state: SourceState) { host.sourceHealth.withLock { $0.state = state } }
}

extension PublisherCore {
    func waitForDemand(
        _ isWanted: Bool,
        linger: Duration,
        timeout: Duration?,
        interrupted: () -> Bool
    ) throws(ChannelError) {
        let deadline = Deadline(after: timeout)
        let linger = linger.nanosecondsClamped
        while true {
            // Before the look: a subscriber that joins or leaves after it bumps the word, and the kernel refuses to sleep.
            let seen = attentionSeen
            let (ended, count, since) = state.withLock { state in
                (state.ended, state.members.count { !$0.isLeaving }, state.unwantedSince)
            }
            if ended { throw .closed }
            let left = count > 0 ? Int64.max : max(0, since.addingClamped(linger) - monotonicNow())
            if isWanted ? count > 0 : left <= 0 { return }
            if interrupted() { throw .cancelled }
            if deadline.hasPassed { throw .timedOut() }
            // A signal that ends the caller's waits is looked at once a second at the latest.
            let longest = min(1_000_000_000, isWanted ? .max : left)
            sleep(whileAttentionIs: seen, nanoseconds: deadline.remaining(atMost: longest))
        }
    }
}
