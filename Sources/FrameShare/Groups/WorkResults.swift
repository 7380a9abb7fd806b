internal import Synchronization

/// What became of one frame that a group was given.
public struct WorkResult: Sendable {
    /// The number of the frame.
    public let frame: UInt64
    public let outcome: Result<Answer, WorkError>

    /// The answer.
    /// - Throws: why there is none.
    public var answer: Answer { get throws(WorkError) { try outcome.get() } }

    init(_ item: ResultQueue.Item) {
        frame = item.frame
        switch item.outcome {
        case .failure(let error): outcome = .failure(error)
        case .success((let worker, let reply)):
            outcome = Answer.decode(reply, frame: item.frame, worker: worker)
        }
    }
}

/// The results of all frames that a group is given, one for each: an answer, or why there is none. See
/// ``Publisher/results(of:order:capacity:options:)``.
///
/// ```swift
/// for await result in try publisher.results(of: "detectors", order: .frames(window: 8)) {
///     draw(try? result.answer, result.frame)
/// }
/// ```
public final class WorkResults: AsyncSequence, Sendable {
    /// The order in which results are given out.
    public enum Order: Sendable, Hashable {
        /// As they come.
        case arrival
        /// In the order in which the frames were published. At most `window` results wait for an earlier one; when one more
        /// would have to, that one is passed over: its result is ``WorkError/passedOver(frame:)``.
        case frames(window: Int)
    }

    private let core: PublisherCore
    private let groups: GroupWork
    private let group: String
    private let queue: ResultQueue

    init(core: PublisherCore, groups: GroupWork, group: String, queue: ResultQueue) {
        (self.core, self.groups) = (core, groups)
        self.group = group
        self.queue = queue
    }

    deinit { end() }

    /// Ends it now: who waits for a result gets nil, and the group can have another reader.
    public func end() { groups.endResults(of: group, queue, core) }

    /// Results that were dropped since nobody read them in time.
    public var missed: UInt64 { queue.missed }

    /// The next result, waiting on the calling thread.
    /// - Returns: nil when the channel has ended
    /// - Throws: `timedOut`.
    public func nextBlocking(timeout: Duration? = nil) throws(ChannelError) -> WorkResult? {
        try queue.nextBlocking(until: Deadline(after: timeout)).map(WorkResult.init)
    }

    /// For event loops: an eventfd (read it to clear it), readable when ``nextBlocking(timeout:)`` should be called, until
    /// that has nothing to return. It belongs to this object: don't close it.
    /// - Throws: `outOfDescriptors`, `system`.
    public var pollDescriptor: Int32 { get throws(ChannelError) { try queue.descriptor() } }

    public func makeAsyncIterator() -> Iterator { Iterator(results: self) }

    /// Gives the results one by one. It ends with the channel, or with the task that waits.
    public struct Iterator: AsyncIteratorProtocol {
        private let results: WorkResults

        fileprivate init(results: WorkResults) { self.results = results }

        public func next() async -> WorkResult? {
            await results.queue.next().map(WorkResult.init)
        }
    }
}

extension Answer {
    static func decode(_ reply: ReceivedReply, frame: UInt64, worker: UInt32) -> Result<Answer, WorkError> {
        do throws(ChannelError) {
            return .success(Answer(frame: frame, worker: worker, reply: try reply.decoded()))
        } catch {
            return .failure(.malformed(frame: frame, error))
        }
    }
}

/// The results of a group's frames, between the publisher's threads and whoever reads them.
final class ResultQueue: WorkSink {
    /// A result that is not decoded yet.
    struct Item: Sendable {
        let frame: UInt64
        let outcome: Result<(worker: UInt32, reply: ReceivedReply), WorkError>
    }

    private struct State {
        var window: ReorderWindow<Item>?
        var ready: [Item] = []
        var readers: [(id: UInt64, continuation: CheckedContinuation<Item?, Never>)] = []
        var nextID: UInt64 = 0
        var missed: UInt64 = 0
        var closed = false
        /// For who waits on a thread or in an event loop; made when the first one comes.
        var signal: ArrivalSignal?
    }

    let askOptions: AskOptions
    private let capacity: Int
    private let state: Mutex<State>
    /// Tells the publisher that a frame's answer is not wanted any more.
    private let giveUp: @Sendable (UInt64) -> Void

    init(
        order: WorkResults.Order,
        capacity: Int,
        options: AskOptions,
        giveUp: @escaping @Sendable (UInt64) -> Void
    ) {
        var initial = State()
        if case .frames(let window) = order { initial.window = ReorderWindow(limit: window) }
        state = Mutex(initial)
        self.capacity = max(1, capacity)
        askOptions = options
        self.giveUp = giveUp
    }

    var missed: UInt64 { state.withLock { $0.missed } }

    /// A frame was offered to the group: its result will come. Called under the publisher's lock, in frame order.
    func expect(_ frame: UInt64) { state.withLock { $0.window?.expect(frame) } }

    func receive(_ event: WorkEvent) {
        let item: Item
        switch event {
        case .progress: return
        case .answered(let frame, let worker, let reply): item = Item(frame: frame, outcome: .success((worker, reply)))
        case .failed(let frame, let error): item = Item(frame: frame, outcome: .failure(error))
        }
        var passedOver: [UInt64] = []
        let handed: [(CheckedContinuation<Item?, Never>, Item)] = state.withLock { state in
            guard let output = state.window?.complete(item.frame, item) else {
                state.ready.append(item)
                return Self.hand(&state, capacity)
            }
            for one in output {
                switch one {
                case .value(let item): state.ready.append(item)
                case .passedOver(let frame):
                    passedOver.append(frame)
                    state.ready.append(Item(frame: frame, outcome: .failure(.passedOver(frame: frame))))
                }
            }
            return Self.hand(&state, capacity)
        }
        for (continuation, item) in handed { continuation.resume(returning: item) }
        state.withLock { $0.signal }?.note()
        for frame in passedOver { giveUp(frame) }
    }

    /// Readers and what they get. What nobody reads in time is dropped, the oldest first.
    private static func hand(
        _ state: inout State,
        _ capacity: Int
    ) -> [(CheckedContinuation<Item?, Never>, Item)] {
        var handed: [(CheckedContinuation<Item?, Never>, Item)] = []
        while !state.readers.isEmpty && !state.ready.isEmpty {
            handed.append((state.readers.removeFirst().continuation, state.ready.removeFirst()))
        }
        let excess = state.ready.count - capacity
        if excess > 0 {
            state.ready.removeFirst(excess)
            state.missed += UInt64(excess)
        }
        return handed
    }

    /// The next result; nil when there will be no more, or when the task is cancelled.
    func next() async -> Item? {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let now: Item?? = state.withLock { state in
                    if !state.ready.isEmpty { return .some(state.ready.removeFirst()) }
                    if state.closed || Task.isCancelled { return .some(nil) }
                    state.readers.append((id, continuation))
                    return nil
                }
                if let now { continuation.resume(returning: now) }
            }
        } onCancel: {
            let waiting = state.withLock { state in
                state.readers.firstIndex { $0.id == id }.map { state.readers.remove(at: $0).continuation }
            }
            waiting?.resume(returning: nil)
        }
    }

    /// No more results will come; what is there can still be read.
    func close() {
        let readers = state.withLock { state in
            state.closed = true
            defer { state.readers = [] }
            return state.readers
        }
        for reader in readers { reader.continuation.resume(returning: nil) }
        state.withLock { $0.signal }?.note()
    }

    private var signal: ArrivalSignal {
        state.withLock { state in
            let signal = state.signal ?? ArrivalSignal()
            state.signal = signal
            return signal
        }
    }

    /// As ``next()``, on the calling thread.
    /// - Returns: nil when there will be no more
    func nextBlocking(until deadline: Deadline) throws(ChannelError) -> Item? {
        let found: Item?? = signal.wait(until: deadline) {
            state.withLock { state -> Item?? in
                if !state.ready.isEmpty { return .some(state.ready.removeFirst()) }
                return state.closed ? .some(nil) : nil
            }
        }
        guard let found else { throw .timedOut() }
        return found
    }

    func descriptor() throws(ChannelError) -> Int32 {
        try signal.descriptor { state.withLock { !$0.ready.isEmpty || $0.closed } }
    }
}

/// Puts what comes in any order into the order in which it was expected, and waits for no straggler longer than until so
/// many later values are there.
struct ReorderWindow<Value> {
    /// What is given out, each expected frame once.
    enum Output {
        case value(Value)
        /// Later values filled the window: this frame's, should it come, is not taken any more.
        case passedOver(UInt64)
    }

    /// The most values that wait for an earlier one.
    let limit: Int
    private var expected: [(frame: UInt64, value: Value?)] = []
    private var waiting = 0

    init(limit: Int) { self.limit = max(0, limit) }

    /// A frame's value will come; call it in the order wanted.
    mutating func expect(_ frame: UInt64) { expected.append((frame, nil)) }

    /// A frame's value is there. Returns what can be given out now; nothing for a frame that is not expected (any more).
    mutating func complete(_ frame: UInt64, _ value: Value) -> [Output] {
        guard let i = expected.firstIndex(where: { $0.frame == frame && $0.value == nil }) else { return [] }
        expected[i].value = value
        waiting += 1
        var output: [Output] = []
        while let head = expected.first {
            if let value = head.value {
                waiting -= 1
                output.append(.value(value))
            } else if waiting > limit {
                output.append(.passedOver(head.frame))
            } else {
                break
            }
            expected.removeFirst()
        }
        return output
    }
}
