internal import Synchronization

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
        guard let found else { throw .timedOut }
        return found
    }

    func descriptor() throws(ChannelError) -> Int32 {
        try signal.descriptor { state.withLock { !$0.ready.isEmpty || $0.closed } }
    }
}
