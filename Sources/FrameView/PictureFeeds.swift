#if View
internal import FrameShare
internal import Synchronization

/// The feeds that somebody looks at, or looked at lately.
final class PictureFeeds: Sendable {
    struct Key: Hashable, Sendable {
        var channel: String
        var stream: String
    }
    private struct State {
        var feeds: [Key: PictureFeed] = [:]
        var viewers = 0
        var isClosed = false
    }
    private let options: ViewServer.Options
    private let directory: ChannelDirectory
    private let state = Mutex(State())

    init(_ options: ViewServer.Options, _ directory: ChannelDirectory) {
        (self.options, self.directory) = (options, directory)
    }

    /// The feed of a stream that exists, one more viewer counted; nil when there are as many as may be.
    func feed(_ key: Key) -> PictureFeed? {
        state.withLock { state in
            guard hasTakenPlace(&state) else { return nil }
            if let feed = state.feeds[key] { return feed }
            let feed = PictureFeed(channel: key.channel, stream: key.stream, options: options, directory: directory)
            state.feeds[key] = feed
            return feed
        }
    }

    /// Counts a viewer who needs no feed; false when there are as many as may be.
    func takePlace() -> Bool { state.withLock { hasTakenPlace(&$0) } }

    private func hasTakenPlace(_ state: inout State) -> Bool {
        guard state.viewers < options.maximumViewers, !state.isClosed else { return false }
        state.viewers += 1
        return true
    }

    /// A viewer has gone.
    func release() { state.withLock { $0.viewers -= 1 } }

    /// What each has done, in a fixed order.
    var figures: [(key: Key, figures: PictureFeed.Figures)] {
        let feeds = state.withLock { $0.feeds }
        return feeds.map { ($0.key, $0.value.figures) }.sorted {
            ($0.key.channel, $0.key.stream) < ($1.key.channel, $1.key.stream)
        }
    }

    func close() {
        let feeds = state.withLock { state in
            state.isClosed = true
            return Array(state.feeds.values)
        }
        for feed in feeds { feed.close() }
    }
}
#endif
