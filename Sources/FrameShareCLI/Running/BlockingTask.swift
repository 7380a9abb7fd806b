import FrameCommand
import Glibc
import Synchronization

/// A task that a command's own thread waits for: `frameshare` begins without Swift's concurrency.
final class BlockingTask: Sendable {
    private let task: Task<Void, Never>
    private let outcome: Outcome
    private let ending: Int32

    private final class Outcome: Sendable {
        let result = Mutex<Result<Void, any Error>?>(nil)
    }

    init(_ body: @escaping @Sendable () async throws -> Void) throws(CommandFailure) {
        let pipe = try Pipe()
        ending = pipe.read
        let outcome = Outcome()
        self.outcome = outcome
        task = Task { [written = pipe.write] in
            let result: Result<Void, any Error>
            do {
                result = .success(try await body())
            } catch {
                result = .failure(error)
            }
            outcome.result.withLock { $0 = result }
            close(written)  // whoever waits reads the end of the pipe
        }
    }

    deinit { close(ending) }

    func cancel() { task.cancel() }

    /// Waits until it has ended, and throws what it threw.
    func wait() throws {
        var byte: UInt8 = 0
        while read(ending, &byte, 1) < 0, errno == EINTR {}
        try outcome.result.withLock { $0 }?.get()
    }
}
