internal import CLinuxMedia
internal import FrameShare
public import FrameShareCHeader

@c @implementation
public func frameshare_subscriber_open(
    _ channel: UnsafePointer<CChar>!,
    _ options: UnsafePointer<frameshare_subscriber_options>!,
    _ subscriber: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    answer { () throws(Failure) in
        let place = try handlePlace(subscriber, "subscriber")
        let channel = try text(channel, "channel")
        let given = try read(options, frameshare_subscriber_options(), "options", optional: true)
        let (policy, streams, options) = (try policy(given), try names(given), try subscriberOptions(given))
        let subscriber: Subscriber
        if let wish = try wish(given) {
            guard streams.count <= 1 else {
                throw .invalid("options.streams: of one stream can be wished, not of several")
            }
            do throws(WishError) {
                subscriber = try Subscriber(
                    channel: channel,
                    wanting: wish,
                    stream: streams.first,
                    policy: policy,
                    options: options
                )
            } catch {
                throw Failure(error)
            }
        } else {
            subscriber = try translating { () throws(ChannelError) in
                try Subscriber(channel: channel, streams: streams, policy: policy, options: options)
            }
        }
        guard let handle = handles.subscribers.insert(subscriber) else { throw .tooManyHandles }
        place.pointee = handle
        return ok
    }
}

func policy(_ given: frameshare_subscriber_options) throws(Failure) -> Policy {
    switch Int(given.policy) {
    case FRAMESHARE_POLICY_LATEST: return .latest
    case FRAMESHARE_POLICY_QUEUE: return .queue(given.queue_depth == 0 ? 4 : Int(given.queue_depth))
    case FRAMESHARE_POLICY_EVERY_FRAME: return .everyFrame
    default: throw .invalid("there is no policy \(given.policy)")
    }
}

/// What is wanted of the pixels; nil where they are wanted as they are.
private func wish(_ given: frameshare_subscriber_options) throws(Failure) -> Wish? {
    var wish = Wish()
    wish.width = given.width == 0 ? nil : Int(given.width)
    wish.height = given.height == 0 ? nil : Int(given.height)
    if let name = optionalText(given.format) {
        guard let format = PixelFormat(name: name) else { throw Failure(WishError.format(name)) }
        wish.format = format
    }
    if given.crop_width != 0 || given.crop_height != 0 {
        wish.crop = Crop(
            x: Int(given.crop_x),
            y: Int(given.crop_y),
            width: Int(given.crop_width),
            height: Int(given.crop_height)
        )
    }
    guard let rotation = Wish.Rotation(rawValue: Int(given.rotation)) else {
        throw Failure(WishError.rotation(Int(given.rotation)))
    }
    (wish.rotation, wish.mirror) = (rotation, given.mirror != 0)
    guard wish.asksForPixels else { return nil }
    wish.rate = given.rate == 0 ? nil : given.rate
    return wish
}

func names(_ given: frameshare_subscriber_options) throws(Failure) -> [String] {
    guard given.stream_count > 0 else { return [] }
    guard given.stream_count <= UInt32(FRAMESHARE_MAX_STREAMS) else {
        throw Failure(.tooManyStreams(Int(given.stream_count)))
    }
    guard let names = given.streams else { throw .null("options.streams") }
    var result: [String] = []
    for i in 0..<Int(given.stream_count) { result.append(try text(names[i], "options.streams[\(i)]")) }
    return result
}

func subscriberOptions(_ given: frameshare_subscriber_options) throws(Failure) -> Subscriber.Options {
    var options = Subscriber.Options()
    options.name = optionalText(given.name)
    options.budget = given.budget == 0 ? nil : Int(given.budget)
    options.reserve = given.reserve != 0
    options.reconnect = given.reconnect != 0
    options.pollable = given.pollable != 0
    options.directory = channelDirectory(given.directory)
    options.group = optionalText(given.group)
    options.startupFrames = given.startup_frames != 0
    options.atMost = given.rate == 0 ? nil : given.rate
    if given.connect_timeout != 0 { options.connectTimeout = duration(given.connect_timeout) ?? .seconds(1 << 30) }
    if given.wait_for_channel != 0 {
        options.waitForChannel = duration(given.wait_for_channel) ?? .seconds(1 << 30)
    }
    switch Int(given.wait) {
    case FRAMESHARE_WAIT_SLEEP: options.wait = .sleep
    case FRAMESHARE_WAIT_SPIN_THEN_SLEEP:
        // Bounded, so that it can be added to any time.
        options.wait = .spinThenSleep(.nanoseconds(min(max(0, given.spin_time), 60_000_000_000)))
    case FRAMESHARE_WAIT_SPIN: options.wait = .spin
    default: throw .invalid("there is no way to wait \(given.wait)")
    }
    return options
}

@c @implementation
public func frameshare_subscriber_next(
    _ subscriber: OpaquePointer!,
    _ timeout: Int64,
    _ frame: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    next(subscriber, after: nil, timeout, frame)
}

@c @implementation
public func frameshare_subscriber_next_after(
    _ subscriber: OpaquePointer!,
    _ timestamp: Int64,
    _ timeout: Int64,
    _ frame: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    next(subscriber, after: FrameTimestamp(nanoseconds: timestamp), timeout, frame)
}

private func next(
    _ subscriber: OpaquePointer?,
    after moment: FrameTimestamp?,
    _ timeout: Int64,
    _ frame: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    answer { () throws(Failure) in
        let place = try handlePlace(frame, "frame")
        let subscriber = try handles.subscribers.object(subscriber)
        let frame: Frame?
        do throws(ChannelError) {
            frame = try subscriber.nextBlocking(after: moment, timeout: duration(timeout))
        } catch {
            // Why, if it is the source's doing.
            if case .timedOut(let use) = error, use?.isFull != true, fs_signal_came() == 0 {
                let trouble = subscriber.sourceTrouble
                if !trouble.isEmpty {
                    throw Failure(FRAMESHARE_ERROR_TIMED_OUT, "\(error); the source gives no frames now: \(trouble)")
                }
            }
            throw Failure(error)
        }
        guard let frame else { return Int32(FRAMESHARE_ENDED) }
        return try hand(frame, to: place)
    }
}

@c @implementation
public func frameshare_subscriber_try_next(
    _ subscriber: OpaquePointer!,
    _ frame: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    answer { () throws(Failure) in
        let place = try handlePlace(frame, "frame")
        let object = try handles.subscribers.object(subscriber)
        let frame: Frame?
        do throws(ChannelError) {
            frame = try object.tryNext()
        } catch {
            guard error == .closed else { throw Failure(error) }
            // In order, unless it was this process that closed it.
            _ = try handles.subscribers.object(subscriber)
            return Int32(FRAMESHARE_ENDED)
        }
        guard let frame else { return Int32(FRAMESHARE_NO_FRAME) }
        return try hand(frame, to: place)
    }
}

@c @implementation
public func frameshare_subscriber_poll_fd(_ subscriber: OpaquePointer!, _ fd: UnsafeMutablePointer<Int32>!) -> Int32 {
    answer { () throws(Failure) in
        let fd = try place(fd, "fd")
        let subscriber = try handles.subscribers.object(subscriber)
        fd.pointee = try translating { () throws(ChannelError) in try subscriber.pollDescriptor }
        return ok
    }
}

@c @implementation
public func frameshare_subscriber_interrupt(_ subscriber: OpaquePointer!) -> Int32 {
    answer { () throws(Failure) in
        try handles.subscribers.object(subscriber).interrupt()
        return ok
    }
}

@c @implementation
public func frameshare_subscriber_stream_at(
    _ subscriber: OpaquePointer!,
    _ index: Int,
    _ stream: UnsafeMutablePointer<frameshare_stream>!
) -> Int32 {
    answer { () throws(Failure) in
        let streams = try handles.subscribers.object(subscriber).streams
        guard streams.indices.contains(index) else { return Int32(FRAMESHARE_NOT_FOUND) }
        try write(try cStream(streams[index]), to: stream, "stream")
        return ok
    }
}

@c @implementation
public func frameshare_subscriber_get_statistics(
    _ subscriber: OpaquePointer!,
    _ statistics: UnsafeMutablePointer<frameshare_subscriber_statistics>!
) -> Int32 {
    answer { () throws(Failure) in
        let subscriber = try handles.subscribers.object(subscriber)
        let (now, publisher) = (subscriber.statistics, subscriber.publisher)
        var result = frameshare_subscriber_statistics()
        result.held = UInt32(clamping: now.held)
        result.delivered = now.delivered
        result.lost_source = now.lost.source
        result.lost_no_free_slot = now.lost.noFreeSlot
        result.lost_policy = now.lost.policy
        result.lost_unknown = now.lost.isKnown ? 0 : 1
        result.connections = now.connections
        result.latency_p50 = now.latencyP50
        result.latency_p99 = now.latencyP99
        result.latency_max = now.latencyMax
        result.publisher_pid = publisher.pid
        result.publisher_uid = publisher.uid
        result.slots = UInt32(clamping: publisher.slots)
        result.passed_over = now.passedOver
        try write(result, to: statistics, "statistics")
        return ok
    }
}

@c @implementation
public func frameshare_subscriber_close(_ subscriber: OpaquePointer!) -> Int32 {
    answer { () throws(Failure) in
        guard let subscriber = handles.subscribers.remove(subscriber) else { throw .invalidHandle }
        subscriber.close()
        return ok
    }
}

@c @implementation
public func frameshare_set_interruptible(_ on: Int32) -> Int32 {
    answer { () throws(Failure) in
        fs_set_interruptible(on)
        return ok
    }
}
