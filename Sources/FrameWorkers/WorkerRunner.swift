public import FrameShare

/// Hands a worker its frames, one task each, and sends its answers. `FrameWorker.main()` uses it; so can a program that
/// does more than that.
public final class WorkerRunner<Worker: FrameWorker>: Sendable {
    private let worker: Worker
    private let subscriber: Subscriber
    private let concurrency: Int

    /// Joins the group of a channel.
    /// - Throws: what `Subscriber.init` throws.
    public init(
        _ worker: Worker,
        channel: String,
        configuration: WorkerConfiguration = Worker.configuration,
        directory: ChannelDirectory? = nil
    ) throws(ChannelError) {
        self.worker = worker
        concurrency = max(1, configuration.concurrency)
        var options = configuration.subscriberOptions
        options.directory = directory
        subscriber = try Subscriber(
            channel: channel,
            streams: configuration.streams,
            policy: .queue(max(1, configuration.queue)),
            options: options
        )
    }

    /// Works until the channel ends, or until ``stop()``. A task that is cancelled stops its work, too, with what it is at
    /// unanswered.
    /// - Returns: how many frames it has had
    /// - Throws: `publisherLost`, `sourceFailed`, `disconnected`, and others of `Subscriber.next`.
    @discardableResult
    public func run() async throws(ChannelError) -> Int {
        let outcome: (count: Int, failure: ChannelError?) = await withTaskGroup(of: Void.self) { group in
            var (running, count) = (0, 0)
            while true {
                // No frame is taken before there is a task for it: meanwhile another member may get it.
                if running == concurrency {
                    await group.next()
                    running -= 1
                }
                do throws(ChannelError) {
                    guard let frame = try await subscriber.next() else { break }
                    Self.begin(worker, frame, in: &group)
                    running += 1
                    count += 1
                } catch {
                    await group.waitForAll()
                    return (count, error == .closed ? nil : error)
                }
            }
            await group.waitForAll()
            return (count, nil)
        }
        if let failure = outcome.failure { throw failure }
        return outcome.count
    }

    /// Takes no more frames: those that wait go to other members, and ``run()`` returns once what is being worked on is
    /// answered. From any thread.
    public func stop() { subscriber.close() }

    private static func begin(_ worker: Worker, _ frame: consuming Frame, in group: inout TaskGroup<Void>) {
        // Every frame of a member of a group has one.
        guard let request = frame.request else { return }
        let task = Task { [frame = consume frame] in
            // The frame is given back only after the answer: until then another member can still be given it.
            do {
                let reply = try await worker.handle(frame, request)
                try await request.answer(reply)
            } catch let error as ChannelError where error == .closed {
                // The publisher has gone, and with it whoever asked.
            } catch {
                try? await request.fail("\(error)")
            }
            _ = frame.number
        }
        request.whenCancelled { task.cancel() }
        group.addTask {
            await withTaskCancellationHandler {
                await task.value
            } onCancel: {
                task.cancel()
            }
        }
    }
}
