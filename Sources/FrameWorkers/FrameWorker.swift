public import FrameShare

/// A program that works on the frames that a group is given, and answers them.
///
/// ```swift
/// import FrameShare
/// import FrameWorkers
///
/// @main
/// struct Detector: FrameWorker {
///     static var configuration: WorkerConfiguration { WorkerConfiguration(group: "detectors", streams: ["main"]) }
///     let model: Model
///     init() async throws { model = try Model(path: "model.bin") }
///
///     func handle(_ frame: borrowing Frame, _ request: FrameRequest) async throws -> Reply {
///         ["boxes": .rectangles(model.detect(frame["main"].bytes))]
///     }
/// }
/// ```
///
/// `./detector camera0` is one worker; `frameshare workers camera0 --count 4 -- ./detector` starts four of them and starts
/// those again that die. SIGTERM and Ctrl-C end it in order: what it works on is answered, and what waits for it goes to
/// other members.
public protocol FrameWorker: Sendable {
    /// What it wants of the channel.
    static var configuration: WorkerConfiguration { get }

    /// Makes ready: loads a model, say. No frame comes before it has returned.
    init() async throws

    /// Works on a frame, which stays as it is until this returns. What it returns is the answer. What it throws is told to the
    /// program that asked, and the next frame comes.
    ///
    /// When the answer is not wanted any more, the task is cancelled. In a long computation look now and then at
    /// `Task.isCancelled`, or at `FrameRequest.isCancelled`. `FrameRequest.progress` says how far the work is.
    func handle(_ frame: borrowing Frame, _ request: FrameRequest) async throws -> Reply
}

extension FrameWorker {
    public static var configuration: WorkerConfiguration { WorkerConfiguration() }
}

/// What a worker wants of its channel.
public struct WorkerConfiguration: Sendable {
    /// The group that it joins. `FRAMESHARE_GROUP` in the environment comes before it.
    public var group: String
    /// The streams that it needs; empty: all.
    public var streams: [String]
    /// How many frames it works on at the same time, from 1.
    public var concurrency: Int
    /// How many frames wait beside them: the next is there when one is done.
    public var queue: Int
    /// Whether its slots are kept for it alone.
    public var reserve = false
    /// At most so many frames a second for the whole group, as ``Subscriber/Options/atMost``; nil: all.
    public var atMost: Double?
    /// Whether to wait for the channel, and connect again when it ends.
    public var reconnect = false

    public init(group: String = "workers", streams: [String] = [], concurrency: Int = 1, queue: Int = 1) {
        self.group = group
        self.streams = streams
        self.concurrency = max(1, concurrency)
        self.queue = max(1, queue)
    }

    /// As a subscriber of its channel.
    var subscriberOptions: Subscriber.Options {
        var options = Subscriber.Options()
        options.group = group
        options.budget = max(1, concurrency).addingClamped(max(1, queue))
        options.reserve = reserve
        options.atMost = atMost
        options.reconnect = reconnect
        return options
    }
}
