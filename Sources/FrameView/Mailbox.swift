#if View
internal import Synchronization

/// Room for one thing on its way to one reader: a newer one takes its place, so that who is slow loses its own.
final class Mailbox<Item: Sendable>: Sendable {
    private struct State {
        var item: Item?
        var waiter: (id: UInt64, continuation: CheckedContinuation<Item?, Never>)?
        var nextID: UInt64 = 0
        var isClosed = false
    }
    private let state = Mutex(State())

    /// - Returns: false if something that nobody had taken was replaced
    @discardableResult
    func put(_ item: Item) -> Bool {
        let (waiter, wasEmpty) = state.withLock { state -> (CheckedContinuation<Item?, Never>?, Bool) in
            if let waiter = state.waiter {
                state.waiter = nil
                return (waiter.continuation, true)
            }
            defer { state.item = item }
            return (nil, state.item == nil)
        }
        waiter?.resume(returning: item)
        return wasEmpty
    }

    /// Whoever waits gets nil, now and from now on.
    func close() {
        let waiter = state.withLock { state -> CheckedContinuation<Item?, Never>? in
            state.isClosed = true
            defer { state.waiter = nil }
            return state.waiter?.continuation
        }
        waiter?.resume(returning: nil)
    }

    var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Takes what is there or comes within the time. One reader at a time.
    /// - Returns: nil when the time is up, it was closed, or the task was cancelled
    func take(within time: Duration) async -> Item? {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let timer = Task { [self] in
            try await Task.sleep(for: time)
            giveUp(id)
        }
        defer { timer.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let item: Item?? = state.withLock { state in
                    if let item = state.item {
                        state.item = nil
                        return .some(item)
                    }
                    if state.isClosed || Task.isCancelled { return .some(nil) }
                    state.waiter = (id, continuation)
                    return nil
                }
                if let item { continuation.resume(returning: item) }
            }
        } onCancel: {
            giveUp(id)
        }
    }

    private func giveUp(_ id: UInt64) {
        let waiter = state.withLock { state -> CheckedContinuation<Item?, Never>? in
            guard let waiter = state.waiter, waiter.id == id else { return nil }
            state.waiter = nil
            return waiter.continuation
        }
        waiter?.resume(returning: nil)
    }
}
#endif
