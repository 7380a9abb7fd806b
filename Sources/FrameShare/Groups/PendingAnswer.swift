internal import Synchronization

/// The answer to one frame, while it is waited for. See ``Publisher/submit(_:_:_:metadata:options:)``.
///
/// Dropping it does not cancel the request: ``cancel()`` does.
public final class PendingAnswer: Sendable {
    /// The number of the frame.
    public let frame: UInt64
    /// The group that was asked.
    public let group: String
    private let core: PublisherCore
    private let groups: GroupWork
    private let inbox: Inbox

    init(core: PublisherCore, groups: GroupWork, group: String, frame: UInt64, inbox: Inbox) {
        (self.core, self.groups, self.group, self.frame, self.inbox) = (core, groups, group, frame, inbox)
    }

    /// The answer, when it has come. May be asked for several times, and by several tasks. A task that is cancelled cancels
    /// the request.
    /// - Throws: why there is none.
    public var answer: Answer {
        get async throws(WorkError) {
            while true {
                switch await inbox.next(keepingProgress: true, onCancel: { self.cancel() }) {
                case .over(let outcome): return try outcome.decoded()
                case .progress: continue
                }
            }
        }
    }

    /// What the worker says on its way, in order: the next such reply, nil once the request has ended. At most the last
    /// 64 that were not asked for are kept.
    public func progress() async throws(WorkError) -> Answer? {
        switch await inbox.next(keepingProgress: false, onCancel: { self.cancel() }) {
        case .over: return nil
        case .progress(let frame, let worker, let reply):
            return try Answer.decode(reply, frame: frame, worker: worker).get()
        }
    }

    /// As ``answer``, waiting on the calling thread.
    /// - Throws: `channel(.timedOut)` once `timeout` has passed, and the request goes on; else why there is no answer.
    public func answerBlocking(timeout: Duration? = nil) throws(WorkError) -> Answer {
        switch inbox.nextBlocking(keepingProgress: true, until: Deadline(after: timeout)) {
        case .over(let outcome): return try outcome.decoded()
        case .progress, nil: throw .channel(.timedOut())
        }
    }

    /// As ``progress()``, waiting on the calling thread.
    /// - Throws: `channel(.timedOut)` once `timeout` has passed.
    public func progressBlocking(timeout: Duration? = nil) throws(WorkError) -> Answer? {
        switch inbox.nextBlocking(keepingProgress: false, until: Deadline(after: timeout)) {
        case .over: return nil
        case .progress(let frame, let worker, let reply):
            return try Answer.decode(reply, frame: frame, worker: worker).get()
        case nil: throw .channel(.timedOut())
        }
    }

    /// For event loops: an eventfd (read it to clear it), readable when ``progressBlocking(timeout:)`` or
    /// ``answerBlocking(timeout:)`` has something to return. It belongs to this object: don't close it.
    /// - Throws: `outOfDescriptors`, `system`.
    public var pollDescriptor: Int32 { get throws(ChannelError) { try inbox.descriptor() } }

    /// Gives the request up. It fails with ``WorkError/cancelled``, unless it has ended already: the worker is told, and a
    /// frame that it has not taken yet is taken back.
    public func cancel() { groups.cancel(frame, group: group, core) }
}

/// Where the replies to one request arrive.
final class Inbox: WorkSink {
    enum Outcome: Sendable {
        case answered(frame: UInt64, worker: UInt32, ReceivedReply)
        case failed(WorkError)

        func decoded() throws(WorkError) -> Answer {
            switch self {
            case .failed(let error): throw error
            case .answered(let frame, let worker, let reply):
                try Answer.decode(reply, frame: frame, worker: worker).get()
            }
        }
    }

    enum Next: Sendable {
        case progress(frame: UInt64, worker: UInt32, ReceivedReply)
        case over(Outcome)
    }

    private struct State {
        var progress: [Next] = []
        var outcome: Outcome?
        var waiting: [(wantsProgress: Bool, continuation: CheckedContinuation<Next, Never>)] = []
        /// For who waits on a thread or in an event loop; made when the first one comes.
        var signal: ArrivalSignal?

        mutating func take(keepingProgress: Bool) -> Next? {
            if !keepingProgress && !progress.isEmpty { return progress.removeFirst() }
            return outcome.map(Next.over)
        }
    }
    private let state = Mutex(State())

    private static let limit = 64

    func receive(_ event: WorkEvent) {
        var signal: ArrivalSignal?
        let resumed: [(CheckedContinuation<Next, Never>, Next)] = state.withLock { state in
            signal = state.signal
            switch event {
            case .progress(let frame, let worker, let reply):
                guard state.outcome == nil else { return [] }
                let next = Next.progress(frame: frame, worker: worker, reply)
                if let i = state.waiting.firstIndex(where: \.wantsProgress) {
                    return [(state.waiting.remove(at: i).continuation, next)]
                }
                state.progress.append(next)
                if state.progress.count > Self.limit { state.progress.removeFirst() }
                return []
            case .answered(let frame, let worker, let reply):
                return Self.end(&state, .answered(frame: frame, worker: worker, reply))
            case .failed(_, let error): return Self.end(&state, .failed(error))
            }
        }
        for (continuation, next) in resumed { continuation.resume(returning: next) }
        signal?.note()
    }

    private static func end(
        _ state: inout State,
        _ outcome: Outcome
    ) -> [(CheckedContinuation<Next, Never>, Next)] {
        guard state.outcome == nil else { return [] }
        state.outcome = outcome
        defer { state.waiting = [] }
        return state.waiting.map { ($0.continuation, .over(outcome)) }
    }

    /// The next reply on the way, unless they are to be kept for others; else the end.
    func next(keepingProgress: Bool, onCancel: @escaping @Sendable () -> Void) async -> Next {
        // A request that is cancelled ends, and so does the wait for it.
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let now: Next? = state.withLock { state in
                    if let now = state.take(keepingProgress: keepingProgress) { return now }
                    state.waiting.append((!keepingProgress, continuation))
                    return nil
                }
                if let now { continuation.resume(returning: now) }
            }
        } onCancel: {
            onCancel()
        }
    }

    private var signal: ArrivalSignal {
        state.withLock { state in
            let signal = state.signal ?? ArrivalSignal()
            state.signal = signal
            return signal
        }
    }

    /// As ``next(keepingProgress:onCancel:)``, on the calling thread; nil once the deadline has passed.
    func nextBlocking(keepingProgress: Bool, until deadline: Deadline) -> Next? {
        signal.wait(until: deadline) { state.withLock { $0.take(keepingProgress: keepingProgress) } }
    }

    func descriptor() throws(ChannelError) -> Int32 {
        try signal.descriptor { state.withLock { !$0.progress.isEmpty || $0.outcome != nil } }
    }
}
