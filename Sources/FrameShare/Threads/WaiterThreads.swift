internal import Synchronization

/// The threads on which async callers wait: one for each that waits at the same moment, so that every one of them is
/// cancelled and timed out by itself. Those that are idle are kept for the next.
package final class WaiterThreads: Sendable {
    private struct State {
        var idle: [WaiterThread] = []
        var closed = false
    }
    private let name: String
    private let state = Mutex(State())

    package init(name: String) { self.name = name }

    /// Ends the idle threads now and the others with their wait. Who waits later gets `closed`.
    package func close() {
        state.withLock { state in
            state.closed = true
            state.idle = []
        }
    }

    /// Runs `body` on a thread of its own, as ``WaiterThread/wait(onCancel:_:)`` does.
    package func wait<T: Sendable>(
        onCancel wake: @escaping @Sendable () -> Void,
        _ body: @escaping @Sendable (_ interrupted: () -> Bool) throws(ChannelError) -> T
    ) async throws(ChannelError) -> T {
        let (kept, closed) = state.withLock { ($0.idle.popLast(), $0.closed) }
        guard !closed else { throw .closed }
        let thread = if let kept { kept } else { try WaiterThread(name: name) }
        defer { state.withLock { if !$0.closed { $0.idle.append(thread) } } }
        return try await thread.wait(onCancel: wake, body)
    }
}

/// A thread on which an async caller lets a blocking wait run: Swift's cooperative pool is never blocked, and the wait
/// costs the other side no more than a blocking reader does. It ends with its last reference.
final class WaiterThread: Sendable {
    private let queue: ClosureQueue

    init(name: String) throws(ChannelError) {
        let queue = ClosureQueue()
        self.queue = queue
        try BackgroundThread.start(name: name) { queue.run() }
    }

    deinit { queue.stop() }

    /// Runs `body` on the thread and returns what it returns. `body` is told by `interrupted` that the task was
    /// cancelled; `onCancel` must wake it so that it asks.
    func wait<T: Sendable>(
        onCancel wake: @escaping @Sendable () -> Void,
        _ body: @escaping @Sendable (_ interrupted: () -> Bool) throws(ChannelError) -> T
    ) async throws(ChannelError) -> T {
        let flag = CancellationFlag()
        let result: Result<T, ChannelError> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let accepted = queue.submit {
                    do throws(ChannelError) {
                        continuation.resume(returning: .success(try body { flag.isSet }))
                    } catch {
                        continuation.resume(returning: .failure(error))
                    }
                }
                if !accepted { continuation.resume(returning: .failure(.closed)) }
            }
        } onCancel: {
            flag.set()
            wake()
        }
        return try result.get()
    }
}

private final class CancellationFlag: Sendable {
    private let flag = Atomic<Bool>(false)
    var isSet: Bool { flag.load(ordering: .sequentiallyConsistent) }
    func set() { flag.store(true, ordering: .sequentiallyConsistent) }
}

/// Closures for one thread, in order.
final class ClosureQueue: Sendable {
    private struct State {
        var work: [@Sendable () -> Void] = []
        var stopped = false
    }
    private let state = Mutex(State())
    // The word that the thread sleeps on; bumped after each change of `state`. In memory of its own, since a futex
    // needs a stable address and an Atomic in a class gives no pointer to it.
    private let word: FutexWord = FutexWord()

    /// Queues a closure; false once the queue has been stopped.
    func submit(_ body: @escaping @Sendable () -> Void) -> Bool {
        let accepted = state.withLock { state in
            if !state.stopped { state.work.append(body) }
            return !state.stopped
        }
        word.bump()
        return accepted
    }

    /// Lets the thread end once it has run what was queued.
    func stop() {
        state.withLock { $0.stopped = true }
        word.bump()
    }

    /// The thread's loop.
    func run() {
        while true {
            let seen = word.value
            let (next, stopped): ((@Sendable () -> Void)?, Bool) = state.withLock { state in
                (state.work.isEmpty ? nil : state.work.removeFirst(), state.stopped)
            }
            if let next {
                next()
            } else if stopped {
                return
            } else {
                word.wait(while: seen)
            }
        }
    }
}
