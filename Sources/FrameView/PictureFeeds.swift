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
        /// Viewers of streams of packets, for which nothing is encoded here.
        var packetViewers: [Key: Int] = [:]
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
        private let packets: Key?
        fileprivate init(_ feeds: PictureFeeds, packets: Key?) { (self.feeds, self.packets) = (feeds, packets) }
        deinit {
            feeds.state.withLock { state in
                state.viewers -= 1
                if let packets { state.packetViewers[packets]? -= 1 }
            }
        }
    }

    /// Nil when there are as many viewers as may be.
    /// - Parameter packets: the stream, for a viewer of packets
    func takePlace(forPackets packets: Key? = nil) -> Place? {
        let isFree = state.withLock { state in
            guard state.viewers < options.maximumViewers, !state.isClosed else { return false }
            state.viewers += 1
            if let packets { state.packetViewers[packets, default: 0] += 1 }
            return true
        }
        return isFree ? Place(self, packets: packets) : nil
    }

    /// What each has done, in a fixed order.
    var figures: [(key: Key, figures: PictureFeed.Figures)] {
        let (feeds, packets) = state.withLock { ($0.feeds, $0.packetViewers) }
        var all = feeds.map { (key: $0.key, figures: $0.value.figures) }
        for (key, viewers) in packets { all.append((key, PictureFeed.Figures(viewers: viewers))) }
        return all.sorted {
            ($0.key.channel, $0.key.stream) < ($1.key.channel, $1.key.stream)
        }
    }

    /// The channel is gone for long: nothing of it is kept.
    func forget(channel: String) {
        let feeds = state.withLock { state in
            let gone = state.feeds.filter { $0.key.channel == channel }
            for key in gone.keys { state.feeds[key] = nil }
            for (key, viewers) in state.packetViewers where key.channel == channel && viewers == 0 {
                state.packetViewers[key] = nil
            }
            return Array(gone.values)
        }
        for feed in feeds { feed.close() }
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
