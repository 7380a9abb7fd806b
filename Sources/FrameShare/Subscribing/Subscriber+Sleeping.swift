internal import Glibc
internal import LeaseProtocol
internal import Synchronization

// The way of a reader that sleeps until the next frame comes: the steps of `prepareSleep()` and `wakeUp(_:)`, and nothing
// else. All that happens now and then is left to `waitForFrame`.
extension Subscriber {
    /// Sleeps, once, and takes the frame that ends the sleep.
    /// - Parameter before: what ``interrupts`` was before the look that found no frame
    /// - Returns: nil where something else is to be looked at first, and where something else has ended the sleep
    @inline(never)
    @section("frameshare_way")
    func sleepForFrame(_ before: UInt32, _ deadline: Deadline) throws(ChannelError) -> Frame? {
        var announced: Sleep? = nil
        if let frame = state.withLock({ $0.announceSleep(&announced, budget: hello.request.budget) }) { return frame }
        guard let sleep = announced else { return nil }
        var result: Int32 = 0
        // Once more, now that an alarm reaches this thread: an interruption may have come before.
        if interrupts.load(ordering: .acquiring) == before, !deadline.hasPassed {
            result = sleep.sleepers.page.word.sleep(
                while: sleep.seen,
                nanoseconds: deadline.remaining(atMost: sleep.limit)
            )
        }
        if let frame = state.withLock({ $0.takeAfter(sleep) }) { return frame }
        if result == -ETIMEDOUT { try lookAtSocket() }
        return nil
    }
}

extension Subscriber.State {
    /// SLEEP: announces sleep, then looks once more.
    /// - Returns: a frame that came meanwhile
    @inline(never)
    @section("frameshare_way")
    fileprivate mutating func announceSleep(_ sleep: inout Subscriber.Sleep?, budget: Int) -> Frame? {
        guard !closed, failure == nil, link.isQuiet, hasAdvised || link.leases.count < budget,
            link.sleepers.haveThread
        else { return nil }
        // Bookkeeping first: from the announcement on, a frame may be on its way.
        core.tellLatenciesIfDue()
        // Before the announcement: a publisher that sees that bumps the word after this, and the kernel refuses to sleep.
        let seen = link.sleepers.page.word.value
        // What the publisher says after this look wakes the sleeper.
        guard !hasNotice, core.current.page.notices.pointee.load(ordering: .acquiring) == link.noticesSeen else {
            return nil
        }
        core.current.lane.asleepOnFutex.pointee.store(1, ordering: .relaxed)
        // The announcement comes before the look; the publisher's offer before its look at the announcement.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        let frame = core.takeFrame()
        guard frame == nil, core.isCurrent else {
            clearAnnouncement()
            return frame
        }
        sleep = Subscriber.Sleep(
            sleepers: link.sleepers,
            seen: seen,
            ticket: link.sleepers.enter(),
            limit: Subscriber.longestSleep,
            hasNotice: false
        )
        return frame
    }

    /// Takes what the sleep has ended for, if anything, in the same step as it ends.
    @inline(never)
    @section("frameshare_way")
    fileprivate mutating func takeAfter(_ sleep: Subscriber.Sleep) -> Frame? {
        sleep.sleepers.leave(sleep.ticket)
        let frame = closed ? nil : core.takeFrame()
        clearAnnouncement()
        return frame
    }

    /// Unless another thread sleeps.
    mutating func clearAnnouncement() {
        if link.sleepers.count == 0 { core.current.lane.asleepOnFutex.pointee.store(0, ordering: .relaxed) }
    }
}
