internal import Synchronization

// Subscribers in event loops.
extension Subscriber {
    /// A descriptor for event loops (`poll`, `select`, `epoll`, GLib, asyncio): readable while ``tryNext()`` has something to
    /// return or to look after. It is an epoll descriptor, and the same as long as the subscriber lives, whatever happens to
    /// its connection. Only poll it, don't read or close it.
    ///
    /// It may be polled first, before any call of ``tryNext()``. A loop that takes one frame each time the descriptor is
    /// readable misses none.
    /// - Throws: `notPollable` without ``Options/pollable``.
    public var pollDescriptor: Int32 {
        get throws(ChannelError) {
            guard let gate else { throw .notPollable }
            return gate.number
        }
    }

    /// The next frame if there is one now; nil if not. Never waits.
    /// - Throws: as ``next(timeout:)``; `closed` when the channel has ended in order.
    public func tryNext() throws(ChannelError) -> Frame? {
        if !isMember, let frame = takeFrame() { return frame }
        var (failure, connects) = (nil as ChannelError?, false)
        let taken: Taken? = locked { state in
            do throws(ChannelError) {
                return try gate == nil ? tryTake(&state) : tryTakeOrArm(&state, &connects)
            } catch {
                failure = error
                return nil
            }
        }
        if connects { connectAgainInBackground() }
        if let failure { throw failure }
        return taken?.frame
    }

    private func tryTake(_ state: inout State) throws(ChannelError) -> Taken? {
        if let taken = try take(&state) { return taken }
        try lookNowAndThen(&state)
        return try takeAtEnd(&state)
    }

    /// Takes a frame, or sees to it that the descriptor becomes readable when there is one. While frames are there, what the
    /// socket has stays in it, and so the descriptor stays readable.
    /// - Parameter connects: set where a new connection is to be made
    private func tryTakeOrArm(_ state: inout State, _ connects: inout Bool) throws(ChannelError) -> Taken? {
        // A member hears at once what of its work was cancelled.
        if isMember { try state.link.receive(channel: channel) }
        if let taken = try take(&state) {
            // A generation's message may be what the descriptor was readable by.
            gate?.raise()
            return taken
        }
        for _ in 0..<Self.maximumEmptyGenerations {
            try state.link.receive(channel: channel)
            // Before the look: what raises it after this is something that the look may miss.
            gate?.clear()
            let announced = state.current
            Self.arm(&state)
            if let taken = try take(&state) {
                // Whether somebody sends a message for this arming is open.
                gate?.raise()
                return taken
            }
            // That look may have gone over to another generation, in whose lane nothing is announced yet.
            guard state.current === announced else { continue }
            let taken = try takeAtEnd(&state)
            if taken == nil, options.reconnect, state.isOver {
                gate?.forget(state.link.socket)
                if !state.isConnecting { (state.isConnecting, connects) = (true, true) }
            }
            return taken
        }
        throw Self.endlessGenerations
    }

    /// Takes in what the publisher says, for whoever waits or takes. What an event loop was to be woken by may be among it: then
    /// the alarm wakes it.
    func takeInMessages(_ state: inout State) throws(ChannelError) {
        let before = state.link.messages
        defer { if state.link.messages != before { gate?.raise() } }
        try state.link.receive(channel: channel)
    }

    /// What was offered before the end that was just heard of, or the end.
    private func takeAtEnd(_ state: inout State) throws(ChannelError) -> Taken? {
        guard let end = try ended(state) else { return nil }
        if let taken = try take(&state) { return taken }
        if options.reconnect { return nil }
        throw end
    }

    /// SLEEP of an event loop: announces in the lane that it will poll.
    /// - Returns: whether something was offered meanwhile, for which no message may come
    @discardableResult
    static func arm(_ state: inout State) -> Bool {
        state.arming = state.arming &+ 1 == 0 ? 1 : state.arming &+ 1
        state.takes.memory.asleepOnSocket.pointee.store(state.arming, ordering: .relaxed)
        // The announcement comes before the look; the publisher's offer before its look at the announcement.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        return state.takes.somethingOffered
    }

    /// Connects again and again until that works, on a thread of its own: nobody waits who could.
    private func connectAgainInBackground() {
        do throws(ChannelError) {
            try beginAttempt(again: true)
        } catch {
            // No thread can be started now: the next look tries once more, a moment later.
            SubscriberLink.sleep(nanoseconds: 10_000_000)
            state.withLock {
                $0.isConnecting = false
                gate?.raise()
            }
        }
    }
}
