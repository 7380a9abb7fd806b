import FrameShare
import Glibc
import Synchronization

/// What can be seen of several channels at once.
enum ChannelLooks {
    /// Looks at each in its own time, on a thread of its own: a publisher that does not answer delays no other.
    /// - Returns: in the order of the names
    static func all<Seen: Sendable>(
        _ names: [String],
        _ look: @escaping @Sendable (String) throws(ChannelError) -> Seen
    ) -> [(name: String, result: Result<Seen, ChannelError>)] {
        let looks = names.map { Look($0, look) }
        let threads = looks.map { look in try? BackgroundThread.startJoinable(name: "fs-look") { look.run() } }
        for (look, thread) in zip(looks, threads) {
            if let thread { pthread_join(thread, nil) } else { look.run() }
        }
        return looks.compactMap { look in look.result.withLock { $0 }.map { (look.name, $0) } }
    }

    /// A channel's state.
    static func state(of channel: String, in directory: ChannelDirectory) throws(ChannelError) -> ChannelStatistics {
        try ChannelMonitor(channel: channel, directory: directory).snapshot()
    }

    private final class Look<Seen: Sendable>: Sendable {
        let name: String
        let result = Mutex<Result<Seen, ChannelError>?>(nil)
        private let look: @Sendable (String) throws(ChannelError) -> Seen

        init(_ name: String, _ look: @escaping @Sendable (String) throws(ChannelError) -> Seen) {
            (self.name, self.look) = (name, look)
        }

        func run() {
            let seen = Result { () throws(ChannelError) in try look(name) }
            result.withLock { $0 = seen }
        }
    }
}
