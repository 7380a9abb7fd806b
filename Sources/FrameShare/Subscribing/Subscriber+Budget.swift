internal import Logging
internal import Synchronization

// A program that holds its whole budget of frames is given no more, and may wait for ever.
extension Subscriber {
    private func budgetUse(_ state: State) -> BudgetUse {
        BudgetUse(held: state.link.leases.count, budget: hello.request.budget)
    }

    /// What a wait for a frame throws at its end.
    var timedOut: ChannelError { .timedOut(state.withLock { budgetUse($0) }) }

    /// Says once that no frame can come, on behalf of a wait without a time limit, which nothing else ends.
    func logBudgetAdvice() {
        let full: BudgetUse? = state.withLock { state in
            let use = budgetUse(state)
            guard use.isFull, !state.hasAdvised else { return nil }
            state.hasAdvised = true
            return use
        }
        guard let full else { return }
        (options.logger ?? Logger(label: "frameshare")).warning("channel '\(channel)': \(full.advice)")
    }
}
