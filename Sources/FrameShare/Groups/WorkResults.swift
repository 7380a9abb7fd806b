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
    private let group: String
    private let queue: ResultQueue

    init(core: PublisherCore, group: String, queue: ResultQueue) {
        self.core = core
        self.group = group
        self.queue = queue
    }

    deinit { end() }

    /// Ends it now: who waits for a result gets nil, and the group can have another reader.
    public func end() { core.endResults(of: group, queue) }

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
