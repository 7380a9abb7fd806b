/// What became of one frame that a group was given.
public struct WorkResult: Sendable {
    /// The number of the frame.
    public let frame: UInt64
    public let outcome: Result<Answer, WorkError>

    /// The answer.
    /// - Throws: why there is none.
    public var answer: Answer { get throws(WorkError) { try outcome.get() } }
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

    deinit { core.endResults(of: group, queue) }

    /// Results that were dropped since nobody read them in time.
    public var missed: UInt64 { queue.missed }

    public func makeAsyncIterator() -> Iterator { Iterator(results: self) }

    /// Gives the results one by one. It ends with the channel, or with the task that waits.
    public struct Iterator: AsyncIteratorProtocol {
        private let results: WorkResults

        fileprivate init(results: WorkResults) { self.results = results }

        public func next() async -> WorkResult? {
            guard let item = await results.queue.next() else { return nil }
            switch item.outcome {
            case .failure(let error): return WorkResult(frame: item.frame, outcome: .failure(error))
            case .success((let worker, let reply)):
                return WorkResult(frame: item.frame, outcome: Answer.decode(reply, frame: item.frame, worker: worker))
            }
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
