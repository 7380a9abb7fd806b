import FrameCommand
import FrameShare

/// Takes a channel's frames one after the other, until it ends or the command is to stop.
struct FrameFollower {
    let subscriber: Subscriber
    let stop: StopRequest
    /// End after so many frames that count, and at this moment of the monotonic clock.
    var frames: Int?
    var until: Int64?

    init(_ subscriber: Subscriber, stop: StopRequest, frames: Int?, seconds: Duration?) {
        (self.subscriber, self.stop, self.frames) = (subscriber, stop, frames)
        until = seconds.map { FrameTimestamp.now().nanoseconds + $0.nanoseconds }
        stop.whenStopped { subscriber.interrupt() }
    }

    /// - Parameters:
    ///   - idle: called a few times a second at least
    ///   - body: called with each frame; tells whether it counts, as one that is left out does not
    func follow(
        idle: () throws -> Void = {},
        _ body: (consuming Frame) throws -> Bool
    ) throws {
        var left = frames ?? .max
        while left > 0, !stop.isStopped {
            try idle()
            let remaining = until.map { $0 - FrameTimestamp.now().nanoseconds } ?? .max
            guard remaining > 0 else { return }
            do {
                guard let frame = try subscriber.nextBlocking(timeout: .nanoseconds(min(250_000_000, remaining)))
                else { return }
                if try body(frame) { left -= 1 }
            } catch ChannelError.timedOut {
                continue
            } catch ChannelError.cancelled {
                continue
            }
        }
    }
}
