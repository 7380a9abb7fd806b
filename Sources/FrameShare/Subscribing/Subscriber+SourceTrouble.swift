internal import Logging
internal import Synchronization

// A subscriber that waits in vain learns why.
extension Subscriber {
    /// What is amiss with the source now, in its own words, such as a camera that can't be started; empty: nothing. The source
    /// is tried again meanwhile. A publisher that is older than this program does not tell. From any thread.
    public var sourceTrouble: String {
        state.withLock { state in
            guard !state.closed else { return "" }
            do throws(ChannelError) {
                try takeInMessages(&state)
            } catch {
                // For the next wait to throw.
                if state.failure == nil { state.failure = error }
            }
            return state.link.trouble
        }
    }

    /// Reads the control socket where the channel page says that there is something to read. The word that a thread is going to
    /// sleep on was noted before: what the publisher says after this look wakes it.
    func lookForNotices(_ state: inout State) throws(ChannelError) {
        let notices = state.core.current.page.notices.pointee.load(ordering: .acquiring)
        guard notices != state.link.noticesSeen else { return }
        state.link.noticesSeen = notices
        state.hasNotice = true
        try takeInMessages(&state)
    }

    /// Says once what the source's trouble is, on behalf of a thread that waits for its frames.
    func logTrouble() {
        let news: String? = state.withLock { state in
            state.hasNotice = false
            let (before, now) = (state.toldTrouble, state.link.trouble)
            state.toldTrouble = now
            // Once, until it is over: a camera that is tried again and again would fill the log.
            return before.isEmpty && !now.isEmpty ? now : nil
        }
        guard let news else { return }
        let logger = options.logger ?? Logger(label: "frameshare")
        logger.warning("channel '\(channel)' gives no frames now: \(news.displayText)")
    }
}
