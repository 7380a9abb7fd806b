extension Subscriber {
    /// Subscribes to what is wanted of a channel.
    ///
    /// ```swift
    /// let small = try Subscriber(channel: "camera0", wanting: .rgb(640, 360), atMost: 10)
    /// ```
    ///
    /// Where a stream of the channel is that already, its frames are read in place. Otherwise one converter makes it for all
    /// subscribers of this user that want the same: a process of its own, which is started for the first of them and ends some
    /// seconds after the last. ``Subscriber/channel`` is then the derived channel's name. If the converter ends otherwise, its
    /// readers get an error, or with ``Options/reconnect`` another converter.
    /// - Parameters:
    ///   - stream: of which stream; nil: the first, or the one that is as wanted
    ///   - rate: as the wish's ``Wish/rate``, and in its place
    /// - Throws: `wish` with the reason why it can't be fulfilled; what ``init(channel:streams:policy:options:)`` throws.
    public convenience init(
        channel: String,
        wanting wish: Wish,
        atMost rate: Double? = nil,
        stream: String? = nil,
        policy: Policy = .latest,
        options: Options = Options()
    ) throws(WishError) {
        var (wish, options) = (wish, options)
        if let rate { wish.rate = rate }
        try wish.check()
        let search = try WishSearch(channel: channel, stream: stream, wish: wish, options: options)
        switch try search.find() {
        case .stream(let name):
            options.atMost = wish.rate
            do throws(ChannelError) {
                try self.init(channel: channel, streams: [name], policy: policy, options: options)
            } catch {
                throw .channel(error)
            }
        case .derived(let derived):
            // The converter thins.
            options.atMost = nil
            // The channel itself is there: it was looked at.
            options.waitForChannel = nil
            options.beforeReconnecting = { search.startAgain(derived) }
            var attempts = 0
            while true {
                try search.start(derived)
                do throws(ChannelError) {
                    try self.init(channel: derived, policy: policy, options: options)
                    return
                } catch {
                    // It has just ended since nobody read it.
                    attempts += 1
                    switch error {
                    case .noSuchChannel, .closed, .publisherLost: if attempts < 5 { continue }
                    default: break
                    }
                    throw .channel(error)
                }
            }
        }
    }
}
