internal import CLinuxMedia
internal import Glibc
internal import LeaseProtocol
internal import Synchronization

// Sleeping and spinning until a frame is there.
extension Subscriber {
    enum Step {
        case taken(TakenFrame)
        case sleep(Sleep)
        /// Nothing ends a sleep yet when the publisher dies: that comes first.
        case watchFirst
        /// Another generation has taken over: sleep is to be announced in its lane.
        case lookAgain
        case readSocket
        case over(ChannelError)
        case closedHere
    }

    /// A thread's sleep, once it is announced.
    struct Sleep {
        let sleepers: SleepingThreads
        /// What its wake page's word was before it looked.
        let seen: UInt32
        /// From ``SleepingThreads/enter()``.
        let ticket: UInt32
        /// After so many ns it looks again.
        let limit: Int64
        /// Whether ``Subscriber/logTrouble()`` has something to look at.
        let hasNotice: Bool
    }

    /// Without a thread that watches the connection: how long a sleeper relies on the publisher.
    private static let timer: Int64 = 100_000_000
    /// With one: a publisher of bad intent can move its sleepers to another word (`FUTEX_REQUEUE`), where no alarm reaches them.
    static let longestSleep: Int64 = 30_000_000_000
    /// How long a program that holds its whole budget waits before it is told so.
    private static let adviceDelay: Int64 = 1_000_000_000

    @section("frameshare_way")
    func waitForFrame(
        passing moment: FrameTimestamp?,
        deadline: Deadline,
        interrupted: () -> Bool
    ) throws(ChannelError) -> TakenFrame? {
        while true {
            guard let taken = try waitForAnyFrame(deadline: deadline, interrupted: interrupted) else { return nil }
            if let moment, taken.record.timestamp <= moment {
                _ = taken.frame  // its lease ends here
                state.withLock { $0.core.passOver(taken) }
                continue
            }
            return taken
        }
    }

    @section("frameshare_way")
    func waitForAnyFrame(deadline: Deadline, interrupted: () -> Bool) throws(ChannelError) -> TakenFrame? {
        var spinUntil = spinDeadline()
        var silence: Int64 = 0
        var socketLooks = 0
        while true {
            if interrupted() { throw .cancelled }
            if let taken = try takeNow() { return taken }
            if spinUntil != 0, try !lookNowAndThen(), spin(until: spinUntil) {
                if deadline.hasPassed { throw timedOut }
                continue
            }
            switch try prepareSleep() {
            case .taken(let taken): return taken
            case .closedHere: throw .closed
            case .lookAgain: if deadline.hasPassed { throw timedOut }
            case .over(let error):
                if options.reconnect {
                    try reconnect(deadline: deadline, interrupted: interrupted)
                } else if error == .closed {
                    return nil  // in order
                } else {
                    throw error
                }
            case .readSocket:
                if deadline.hasPassed { throw timedOut }
                let socket = state.withLock { $0.link.socket }
                // Usually what it waits for is on its way. A subscriber that does not fit the channel as it is now may wait for
                // hours: it looks less often whether it was interrupted.
                let pause: Int64 = socketLooks < 100 ? 10_000_000 : 100_000_000
                socketLooks += 1
                _ = socket.waitReadable(milliseconds: Int32(deadline.remaining(atMost: pause) / 1_000_000))
            case .watchFirst: watchForHangUp()
            case .sleep(let sleep):
                if sleep.hasNotice { logTrouble() }
                // Once more, now that an alarm reaches this thread: an interruption may have come before.
                if interrupted() {
                    endSleep(sleep)
                    throw .cancelled
                }
                if deadline.hasPassed {
                    endSleep(sleep)
                    throw timedOut
                }
                let result = sleep.sleepers.page.word.sleep(
                    while: sleep.seen,
                    nanoseconds: deadline.remaining(atMost: sleep.limit)
                )
                if let taken = try wakeUp(sleep) { return taken }
                if result == -ETIMEDOUT {
                    try lookAtSocket()
                    silence += sleep.limit
                    if silence >= Self.adviceDelay, deadline.isNever { logBudgetAdvice() }
                }
            }
            spinUntil = spinDeadline()
        }
    }

    /// SLEEP: announces sleep, then looks once more.
    @section("frameshare_way")
    func prepareSleep() throws(ChannelError) -> Step {
        var failure: ChannelError? = nil
        let step: Step = locked { state in
            do throws(ChannelError) {
                // Bookkeeping first: from the announcement on, a frame may be on its way.
                state.core.tellLatenciesIfDue()
                guard let limit = sleepLimit(state) else { return .watchFirst }
                // A member of a group is told by its socket what is no longer wanted.
                if limit == Self.timer || options.group != nil || state.link.sleepers.isHungUp {
                    try lookNowAndThen(&state)
                }
                let announced = state.core.current
                let page = announced.page
                let sleepers = state.link.sleepers
                // Before the announcement: a publisher that sees that bumps the word after this, and the kernel refuses to
                // sleep.
                let seen = sleepers.page.word.value
                try lookForNotices(&state)
                announced.lane.asleepOnFutex.pointee.store(1, ordering: .relaxed)
                // The announcement comes before the look; the publisher's offer before its look at the announcement.
                atomicMemoryFence(ordering: .sequentiallyConsistent)
                if let taken = try take(&state) {
                    state.clearAnnouncement()
                    return .taken(taken)
                }
                if let error = try ended(state) {
                    state.clearAnnouncement()
                    return .over(error)
                }
                if page.state != .open || sleepers.isHungUp
                    || page.generation.pointee.load(ordering: .acquiring) != state.core.current.offer.generation
                {
                    // The rest comes by the socket.
                    state.clearAnnouncement()
                    return .readSocket
                }
                guard state.core.current === announced else { return .lookAgain }
                let ticket = sleepers.enter()
                return .sleep(
                    Sleep(
                        sleepers: sleepers,
                        seen: seen,
                        ticket: ticket,
                        limit: limit,
                        hasNotice: state.hasNotice
                    )
                )
            } catch {
                state.clearAnnouncement()
                if error != .closed { failure = error }
                return .closedHere
            }
        }
        if let failure { throw failure }
        return step
    }

    /// How long a thread may sleep on the publisher's word alone, in ns; nil: that is to be settled first.
    private func sleepLimit(_ state: State) -> Int64? {
        switch state.link.sleepers.watch {
        case .thread(let watch) where watch.isOfThisProcess:
            // Nothing ends a wait that is in vain.
            !state.hasAdvised && state.link.leases.count >= hello.request.budget
                ? Self.adviceDelay : Self.longestSleep
        case .timer: Self.timer
        case .none, .thread: nil
        }
    }

    /// WATCH: sees to it that sleepers of the present connection hear of its end.
    private func watchForHangUp() {
        let (socket, sleepers) = state.withLock { ($0.link.socket, $0.link.sleepers) }
        let watch = HangUpWatcher.watch(socket) { [weak self, weak sleepers] in
            if let self, let sleepers { connectionHasHungUp(sleepers) }
        }
        // What was there before ends after the lock.
        let before = state.withLock { _ in
            let before = sleepers.watch
            // A parent's threads are not here.
            let isWatched = if case .thread(let old) = before { old.isOfThisProcess } else { false }
            if case .thread = before, !isWatched { sleepers.forgetAll() }
            if let watch {
                sleepers.watch = .thread(watch)
            } else if !isWatched {
                // Unless another thread was quicker: a socket can be watched once.
                sleepers.watch = .timer
            }
            return before
        }
        withExtendedLifetime(before) {}
    }

    /// On the watcher's thread: nobody sleeps for this connection from now on.
    private func connectionHasHungUp(_ sleepers: SleepingThreads) {
        state.withLock { _ in sleepers.isHungUp = true }
        raiseAlarm(sleepers)
    }

    /// ALARM: makes all threads look again that sleep for a connection, or are about to. What they are to see was stored
    /// before.
    func raiseAlarm(_ sleepers: SleepingThreads) {
        guard let watch = state.withLock({ _ in sleepers.raiseAlarm() ? sleepers.watch : nil }) else { return }
        // Sleepers of the user's other subscribers wake too, find nothing and sleep again.
        sleepers.page.word.wakeSleepers(atMost: .max)
        // A reader can't change the word. So the kernel lets a thread sleep that has announced it and does not sleep yet: it is
        // woken again and again until it has heard. With a timer it looks by itself.
        guard case .thread(let thread) = watch else { return }
        thread.handOver { [weak self] in
            guard let self else { return true }
            if state.withLock({ _ in sleepers.unheard == 0 }) { return true }
            sleepers.page.word.wakeSleepers(atMost: .max)
            return false
        }
    }

    /// Takes what it was woken for, if anything, in the same step as it ends the sleep.
    @section("frameshare_way")
    func wakeUp(_ sleep: Sleep) throws(ChannelError) -> TakenFrame? {
        var failure: ChannelError? = nil
        let taken: TakenFrame? = locked { state in
            sleep.sleepers.leave(sleep.ticket)
            defer { state.clearAnnouncement() }
            do throws(ChannelError) {
                return try take(&state)
            } catch {
                failure = error
                return nil
            }
        }
        if let failure { throw failure }
        return taken
    }

    func endSleep(_ sleep: Sleep) {
        state.withLock { state in
            sleep.sleepers.leave(sleep.ticket)
            state.clearAnnouncement()
        }
    }

    /// Takes in what the control socket has, above all a hang-up.
    func lookAtSocket() throws(ChannelError) {
        var failure: ChannelError? = nil
        state.withLock { state in
            do throws(ChannelError) {
                try takeInMessages(&state)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    /// As ``lookAtSocket()``, but once a tenth of a second at most, and not while frames come: they show that the
    /// publisher lives. For those who never sleep so long that they would look. True when the connection has ended.
    func lookNowAndThen() throws(ChannelError) -> Bool {
        var failure: ChannelError? = nil
        let over = state.withLock { state in
            do throws(ChannelError) {
                try lookNowAndThen(&state)
            } catch {
                failure = error
            }
            return state.link.end != nil || state.link.hungUp || state.closed
        }
        if let failure { throw failure }
        return over
    }

    func lookNowAndThen(_ state: inout State) throws(ChannelError) {
        let now = monotonicNow()
        guard now - state.core.lookedAt >= Self.timer || state.link.sleepers.isHungUp else { return }
        state.core.lookedAt = now
        try takeInMessages(&state)
    }

    func spinDeadline() -> Int64 {
        switch options.wait {
        case .sleep: 0
        case .spinThenSleep(let duration): monotonicNow().addingClamped(duration.nanosecondsClamped)
        case .spin: .max
        }
    }

    /// Waits a moment without sleeping. False when it is time to sleep.
    func spin(until limit: Int64) -> Bool {
        for _ in 0..<16 { fs_cpu_relax() }
        return monotonicNow() < limit
    }
}
