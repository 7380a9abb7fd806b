/// Why a frame got no answer. The text says what happened, and what to do.
public enum WorkError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The group has no member.
    case noWorker(group: String)
    /// No member had room for the frame.
    case busy(group: String, frame: UInt64)
    /// The frame was taken back before a worker took it: a newer one was to have its place, or the pool ran short.
    case withdrawn(frame: UInt64)
    /// The worker said that it could not, and why.
    case failed(frame: UInt64, reason: String)
    /// The worker died or left, or was cut off, with the frame in its hands.
    case workerLost(frame: UInt64, worker: UInt32, pid: Int32, attempts: Int)
    /// No answer came in time.
    case deadlinePassed(frame: UInt64)
    /// The asking task was cancelled.
    case cancelled
    /// Answers to later frames filled the window of an ordered stream of results: this one is not waited for any more.
    case passedOver(frame: UInt64)
    /// What the worker sent can't be decoded.
    case malformed(frame: UInt64, ChannelError)
    /// The frame could not be published, or the channel ended.
    case channel(ChannelError)

    public var description: String {
        switch self {
        case .noWorker(let group):
            "group '\(group)' has no member; start one that subscribes with the option 'group'"
        case .busy(let group, let frame):
            "no member of group '\(group)' had room for frame \(frame); start more, raise their budget, or wait for room"
        case .withdrawn(let frame):
            "frame \(frame) was taken back before a worker took it, since a newer one came or the pool ran short;"
                + " give workers a longer queue, or the pool more slots"
        case .failed(let frame, let reason): "the worker failed on frame \(frame): \(reason)"
        case .workerLost(let frame, let worker, let pid, let attempts):
            "worker \(worker) (pid \(pid)) died or left with frame \(frame), which \(attempts) in all have had"
        case .deadlinePassed(let frame): "no answer to frame \(frame) came before its deadline"
        case .cancelled: "asking was cancelled"
        case .passedOver(let frame):
            "frame \(frame) was passed over: the window of results in order was full of later ones"
        case .malformed(let frame, let error): "the answer to frame \(frame) can't be read: \(error)"
        case .channel(let error): "\(error)"
        }
    }
}

/// How a group is asked.
public struct AskOptions: Sendable {
    /// What happens to a frame whose worker dies or is cut off before it has answered.
    public enum WorkerLoss: Sendable, Hashable {
        /// It fails at once, with ``WorkError/workerLost(frame:worker:pid:attempts:)``.
        case fail
        /// It is given to another member that has room, until so many workers in all have had it; then it fails.
        case handOver(attempts: Int)
    }

    /// What happens to a worker that has a frame for longer than the deadline.
    public enum Overdue: Sendable, Hashable {
        /// Its request is cancelled. It keeps the frame until it lets go of it, within its budget.
        case isCancelled
        /// It is disconnected, and all that it holds is taken back: a worker that hangs costs no slot for longer.
        case isCutOff
    }

    /// How long to wait for the answer, from publication; nil: for as long as the worker lives.
    public var deadline: Duration? = .seconds(10)
    public var overdue = Overdue.isCancelled
    public var workerLoss = WorkerLoss.fail

    public init() {}
}

/// A reply as the publisher gets it.
public struct Answer: Sendable, Hashable {
    /// The number of the frame that it belongs to.
    public let frame: UInt64
    /// The worker's number, as `top` shows it.
    public let worker: UInt32
    public let reply: Reply

    /// The value under a key; nil where there is none, or where the reply is bytes.
    public subscript(key: String) -> MetadataValue? { reply[key] }
}
