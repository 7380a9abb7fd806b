internal import Synchronization

/// A thread on which an async caller lets a blocking wait run: Swift's cooperative pool is never blocked, and the wait
/// costs the other side no more than a blocking reader does. It ends with its last reference.
final class WaiterThread: Sendable {
    private let queue: WorkQueue

    init(name: String) throws(ChannelError) {
        let queue = WorkQueue()
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
