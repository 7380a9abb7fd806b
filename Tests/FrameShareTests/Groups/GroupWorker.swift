import FrameShare

/// A member of a group in this process, on a thread of its own: it works until the channel ends or it is closed.
final class GroupWorker: Sendable {
    let subscriber: Subscriber
    private let thread: OwnThread<Int>

    /// - Parameter work: what is done with each frame; it answers, or not
    init(
        _ channel: TestChannel,
        group: String = "g",
        _ policy: Policy = .queue(1),
        budget: Int? = nil,
        _ work: @escaping @Sendable (borrowing Frame, FrameRequest) throws -> Void
    ) throws {
        let subscriber = try channel.subscriber([], policy) { options in
            options.group = group
            options.budget = budget
        }
        self.subscriber = subscriber
        thread = OwnThread {
            var count = 0
            do {
                while let frame = try subscriber.nextBlocking() {
                    count += 1
                    if let request = frame.request { try work(frame, request) }
                }
            } catch ChannelError.closed {
            } catch ChannelError.disconnected {
            }
            return count
        }
    }

    /// Leaves, and waits until it has.
    func stop() async throws -> Int {
        subscriber.close()
        return try await thread.value
    }
}
