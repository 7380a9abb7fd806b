internal import CLinuxMedia
internal import Glibc
internal import Synchronization

// Finding the channel again.
extension Subscriber {
    func reconnect(deadline: Deadline, interrupted: () -> Bool) throws(ChannelError) {
        var pause: Int64 = 10_000_000
        while true {
            if interrupted() { throw .cancelled }
            if state.withLock({ $0.closed }) { throw .closed }
            do throws(ChannelError) {
                let left = deadline.remaining(atMost: options.connectTimeout.nanosecondsClamped)
                var link = try SubscriberLink.connect(
                    channel: channel,
                    directory: directory,
                    hello: hello,
                    timeout: .nanoseconds(left)
                )
                guard let first = link.takeArrived() else { continue }
                let established = link
                state.withLock { state in
                    state.link = established
                    state.failure = nil
                    state.deliveredBefore = state.delivered
                    state.attach(first)
                    state.before = nil
                    state.connections += 1
                }
                return
            } catch {
                if deadline.hasPassed { throw .timedOut }
                var wait = timespec(tv_sec: 0, tv_nsec: Int(min(pause, deadline.remaining(atMost: pause))))
                nanosleep(&wait, nil)
                pause = min(pause * 2, 250_000_000)
            }
        }
    }
}
