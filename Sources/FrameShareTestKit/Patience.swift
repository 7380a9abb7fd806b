internal import FrameShare

/// How long a test waits for something, and how: looking again every few milliseconds.
struct Patience {
    private let end: ContinuousClock.Instant

    init(_ timeout: Duration) { end = ContinuousClock.now.advanced(by: timeout) }

    /// Waits a moment.
    /// - Throws: `timedOut` when there was no time left; `cancelled` when the task is
    func pause() async throws(ChannelError) {
        guard ContinuousClock.now < end else { throw .timedOut() }
        do {
            try await Task.sleep(for: .milliseconds(2))
        } catch {
            throw .cancelled
        }
    }
}
