import Glibc
import Synchronization

/// A body that blocks, on a thread of its own: Swift's threads are few, and all tests share them.
final class OwnThread<T: Sendable>: Sendable {
    private final class State: Sendable {
        let body: @Sendable () throws -> T
        let result = Mutex<Result<T, any Error>?>(nil)
        init(_ body: @escaping @Sendable () throws -> T) { self.body = body }

        func run() {
            let outcome = Result { try body() }
            result.withLock { $0 = outcome }
        }
    }
    private let state: State

    init(_ body: @escaping @Sendable () throws -> T) {
        state = State(body)
        let state = state
        let run: @Sendable () -> Void = { state.run() }
        var thread = pthread_t()
        let result = pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            },
            Unmanaged.passRetained(Start(run)).toOpaque()
        )
        precondition(result == 0, "no thread could be made")
        pthread_detach(thread)
    }

    /// What the body has returned or thrown; nil while it runs.
    var result: Result<T, any Error>? { state.result.withLock { $0 } }

    /// What the body returned or threw.
    var value: T {
        get async throws {
            while true {
                if let outcome = state.result.withLock({ $0 }) { return try outcome.get() }
                try await Task.sleep(for: .milliseconds(1))
            }
        }
    }
}

private final class Start: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}
