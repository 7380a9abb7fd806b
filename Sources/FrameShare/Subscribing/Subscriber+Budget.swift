internal import Logging
internal import Synchronization

// A program that holds its whole budget of frames is given no more, and may wait for ever.
extension Subscriber {
    /// Why no frame can come, where that is this program's own doing; nil while it may be given one.
    package var budgetAdvice: String? { state.withLock { advice($0) } }

    private func advice(_ state: State) -> String? {
        let (held, budget) = (state.link.leases.count, hello.request.budget)
        guard held >= budget else { return nil }
        return "no frame can come: you hold \(held) of \(budget) frames; release one, copy what you keep, or"
            + " ask for a larger budget"
    }

    /// Says it once, on behalf of a wait without a time limit, which nothing else ends.
    func logBudgetAdvice() {
        let advice: String? = state.withLock { state in
            guard !state.hasAdvised, let advice = self.advice(state) else { return nil }
            state.hasAdvised = true
            return advice
        }
        guard let advice else { return }
        (options.logger ?? Logger(label: "frameshare")).warning("channel '\(channel)': \(advice)")
    }
}
