internal import CLinuxMedia
internal import Glibc
internal import Synchronization

// Sleeping and spinning until a frame is there.
extension Subscriber {
    enum Step {
        case taken(Taken)
        case sleep(on: WakePage, seen: UInt32)
        /// Another generation has taken over: sleep is to be announced in its lane.
        case lookAgain
        case readSocket
        case over(ChannelError)
        case closedHere
    }

    func waitForFrame(
        passing moment: FrameTimestamp?,
        deadline: Deadline,
        interrupted: () -> Bool
    ) throws(ChannelError) -> Taken? {
        while true {
            guard let taken = try waitForAnyFrame(deadline: deadline, interrupted: interrupted) else { return nil }
            if let moment, taken.record.timestamp <= moment {
                _ = taken.frame  // its lease ends here
                // The frame that the program gets is the first after the break.
                if taken.record.flags.contains(.discontinuity) { state.withLock { $0.marks = .discontinuity } }
                continue
            }
            return taken
        }
    }

    func waitForAnyFrame(deadline: Deadline, interrupted: () -> Bool) throws(ChannelError) -> Taken? {
        var spinUntil = spinDeadline()
        var silences = 0
        while true {
            if interrupted() { throw .cancelled }
            if let taken = try takeNow() { return taken }
            if spinUntil != 0, try !lookNowAndThen(), spin(until: spinUntil) {
                if deadline.hasPassed { throw .timedOut }
                continue
            }
            switch try prepareSleep() {
            case .taken(let taken): return taken
            case .closedHere: throw .closed
            case .lookAgain: if deadline.hasPassed { throw .timedOut }
            case .over(let error):
                if options.reconnect {
                    try reconnect(deadline: deadline, interrupted: interrupted)
                } else if error == .closed {
                    return nil  // in order
                } else {
                    throw error
                }
            case .readSocket:
                if deadline.hasPassed { throw .timedOut }
                let socket = state.withLock { $0.link.socket }
                _ = socket.waitReadable(milliseconds: Int32(deadline.remaining(atMost: 10_000_000) / 1_000_000))
            case .sleep(let page, let seen):
                if deadline.hasPassed {
                    endSleep()
                    throw .timedOut
                }
                // A tenth of a second at most: then we look whether the publisher is still there.
                let result = page.word.sleep(while: seen, nanoseconds: deadline.remaining(atMost: 100_000_000))
                if let taken = try wakeUp() { return taken }
                if result == -ETIMEDOUT {
                    try lookAtSocket()
                    silences += 1
                    // After a second.
                    if silences == 10, deadline.isNever { logBudgetAdvice() }
                }
            }
            spinUntil = spinDeadline()
        }
    }

    /// SLEEP: announces sleep, then looks once more.
    func prepareSleep() throws(ChannelError) -> Step {
        var failure: ChannelError? = nil
        let step: Step = state.withLock { state in
            do throws(ChannelError) {
                // Bookkeeping first: from the announcement on, a frame may be on its way.
                state.bookLatency()
                try lookNowAndThen(&state)
                let announced = state.current
                let page = announced.page
                let wakePage = state.link.wakePage
                // Before the announcement: a publisher that sees that bumps the word after this, and the kernel refuses to
                // sleep.
                let seen = wakePage.word.value
                announced.lane.asleepOnFutex.pointee.store(1, ordering: .relaxed)
                // The announcement comes before the look; the publisher's offer before its look at the announcement.
                atomicMemoryFence(ordering: .sequentiallyConsistent)
                if let taken = try take(&state) {
                    clearAnnouncement(&state)
                    return .taken(taken)
                }
                if let error = try ended(state) {
                    clearAnnouncement(&state)
                    return .over(error)
                }
                if page.state != .open
                    || page.generation.pointee.load(ordering: .acquiring) != state.current.offer.generation
                {
                    // The rest comes by the socket.
                    clearAnnouncement(&state)
                    return .readSocket
                }
                guard state.current === announced else { return .lookAgain }
                state.sleepers += 1
                return .sleep(on: wakePage, seen: seen)
            } catch {
                clearAnnouncement(&state)
                if error != .closed { failure = error }
                return .closedHere
            }
        }
        if let failure { throw failure }
        return step
    }

    func clearAnnouncement(_ state: inout State) {
        if state.sleepers == 0 { state.current.lane.asleepOnFutex.pointee.store(0, ordering: .relaxed) }
    }

    /// Takes what it was woken for, if anything, in the same step as it ends the sleep.
    func wakeUp() throws(ChannelError) -> Taken? {
        var failure: ChannelError? = nil
        let taken: Taken? = state.withLock { state in
            state.sleepers -= 1
            defer { clearAnnouncement(&state) }
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

    func endSleep() {
        state.withLock { state in
            state.sleepers -= 1
            clearAnnouncement(&state)
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
        guard now - state.lookedAt >= 100_000_000 else { return }
        state.lookedAt = now
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
