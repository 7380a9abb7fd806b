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

    /// The feed of a stream that exists.
    func feed(_ key: Key) -> PictureFeed {
        state.withLock { state in
            if let feed = state.feeds[key] { return feed }
            let feed = PictureFeed(channel: key.channel, stream: key.stream, options: options, directory: directory)
            state.feeds[key] = feed
            if state.isClosed { feed.close() }
            return feed
        }
    }

    /// A viewer's place, which is free again with the last reference: also where the answer that has it is never sent, since
    /// its viewer was gone first.
    final class Place: Sendable {
        private let feeds: PictureFeeds
        fileprivate init(_ feeds: PictureFeeds) { self.feeds = feeds }
        deinit { feeds.state.withLock { $0.viewers -= 1 } }
    }

    /// Nil when there are as many viewers as may be.
    func takePlace() -> Place? {
        let isFree = state.withLock { state in
            guard state.viewers < options.maximumViewers, !state.isClosed else { return false }
            state.viewers += 1
            return true
        }
        return isFree ? Place(self) : nil
    }

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
