internal import FrameShare
public import FrameShareCHeader

@c @implementation
public func frameshare_publisher_get_statistics(
    _ publisher: OpaquePointer!,
    _ statistics: UnsafeMutablePointer<frameshare_channel_statistics>!,
    _ subscribers: UnsafeMutablePointer<frameshare_subscriber_status>!,
    _ capacity: Int
) -> Int32 {
    answer { () throws(Failure) in
        let now = try handles.publishers.object(publisher).statistics
        return try tell(now, statistics, subscribers, capacity)
    }
}

@c @implementation
public func frameshare_monitor_open(
    _ channel: UnsafePointer<CChar>!,
    _ directory: UnsafePointer<CChar>!,
    _ monitor: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    answer { () throws(Failure) in
        let place = try handlePlace(monitor, "monitor")
        let channel = try text(channel, "channel")
        let monitor = try translating { () throws(ChannelError) in
            try ChannelMonitor(channel: channel, directory: channelDirectory(directory))
        }
        guard let handle = handles.monitors.insert(monitor) else { throw .tooManyHandles }
        place.pointee = handle
        return ok
    }
}

@c @implementation
public func frameshare_monitor_get_statistics(
    _ monitor: OpaquePointer!,
    _ statistics: UnsafeMutablePointer<frameshare_channel_statistics>!,
    _ subscribers: UnsafeMutablePointer<frameshare_subscriber_status>!,
    _ capacity: Int
) -> Int32 {
    answer { () throws(Failure) in
        guard let now = try snapshot(monitor) else { return Int32(FRAMESHARE_ENDED) }
        return try tell(now, statistics, subscribers, capacity)
    }
}

@c @implementation
public func frameshare_publisher_get_groups(
    _ publisher: OpaquePointer!,
    _ groups: UnsafeMutablePointer<frameshare_group_status>!,
    _ capacity: Int,
    _ count: UnsafeMutablePointer<Int>!
) -> Int32 {
    answer { () throws(Failure) in
        try tell(try handles.publishers.object(publisher).statistics.groups, groups, capacity, count)
    }
}

@c @implementation
public func frameshare_monitor_get_groups(
    _ monitor: OpaquePointer!,
    _ groups: UnsafeMutablePointer<frameshare_group_status>!,
    _ capacity: Int,
    _ count: UnsafeMutablePointer<Int>!
) -> Int32 {
    answer { () throws(Failure) in
        guard let now = try snapshot(monitor) else { return Int32(FRAMESHARE_ENDED) }
        return try tell(now.groups, groups, capacity, count)
    }
}

/// What a monitor sees now; nil once the channel has ended in order.
private func snapshot(_ monitor: OpaquePointer?) throws(Failure) -> ChannelStatistics? {
    let monitor = try handles.monitors.object(monitor)
    do throws(ChannelError) {
        return try monitor.snapshot()
    } catch {
        if error == .closed { return nil }
        throw Failure(error)
    }
}

@c @implementation
public func frameshare_monitor_close(_ monitor: OpaquePointer!) -> Int32 {
    answer { () throws(Failure) in
        guard handles.monitors.remove(monitor) != nil else { throw .invalidHandle }
        return ok
    }
}

@c @implementation
public func frameshare_channels(
    _ directory: UnsafePointer<CChar>!,
    _ names: UnsafeMutablePointer<CChar>!,
    _ size: Int,
    _ needed: UnsafeMutablePointer<Int>!
) -> Int32 {
    answer { () throws(Failure) in
        let found = try translating { () throws(ChannelError) -> [String] in
            if let given = channelDirectory(directory) { return try given.channels() }
            return try ChannelDirectory.standard().channels()
        }
        try write(found.joined(separator: "\n"), to: names, size: size, needed: needed)
        return ok
    }
}

private func tell(
    _ now: [ChannelStatistics.GroupStatus],
    _ groups: UnsafeMutablePointer<frameshare_group_status>?,
    _ capacity: Int,
    _ count: UnsafeMutablePointer<Int>?
) throws(Failure) -> Int32 {
    let count = try place(count, "count")
    try write(now.map(status), to: groups, capacity, "groups")
    count.pointee = now.count
    return ok
}

/// Writes structs of which each begins with its `struct_size`, as many as there is room for.
func write<T: BitwiseCopyable>(
    _ values: [T],
    to array: UnsafeMutablePointer<T>?,
    _ capacity: Int,
    _ parameter: String
) throws(Failure) {
    guard let array else {
        if capacity == 0 { return }
        throw .null(parameter)
    }
    guard capacity > 0 else { return }
    // The first says how far apart they are: an array of structs of the caller's release.
    let stride = Int(UnsafeRawPointer(array).loadUnaligned(as: UInt32.self))
    for (i, value) in values.prefix(capacity).enumerated() {
        let one = UnsafeMutableRawPointer(array).advanced(by: i * stride)
        try write(value, to: one.assumingMemoryBound(to: T.self), "\(parameter)[\(i)]")
    }
}

private func status(_ now: ChannelStatistics.GroupStatus) -> frameshare_group_status {
    var result = frameshare_group_status()
    groupMembers.fill(&result, ChannelStatistics.GroupStatus.figures, of: now)
    withUnsafeMutableBytes(of: &result.name) { copy(now.name, into: $0) }
    return result
}

/// Writes what is known of a channel, and of as many of its subscribers as there is room for.
func tell(
    _ now: ChannelStatistics,
    _ statistics: UnsafeMutablePointer<frameshare_channel_statistics>?,
    _ subscribers: UnsafeMutablePointer<frameshare_subscriber_status>?,
    _ capacity: Int
) throws(Failure) -> Int32 {
    try write(now.subscribers.map(status), to: subscribers, capacity, "subscribers")
    var result = frameshare_channel_statistics()
    result.publisher_pid = now.publisherPID
    result.publisher_uid = now.publisherUID
    result.stream_count = UInt32(clamping: now.streams.count)
    result.subscriber_count = UInt32(clamping: now.subscribers.count)
    channelMembers.fill(&result, ChannelStatistics.figures, of: now)
    if let copies = now.copies { channelMembers.fill(&result, ChannelStatistics.CopyStatus.figures, of: copies) }
    withUnsafeMutableBytes(of: &result.source_name) { copy(now.sourceName, into: $0) }
    withUnsafeMutableBytes(of: &result.source_trouble) { copy(now.sourceTrouble, into: $0) }
    try write(result, to: statistics, "statistics")
    return ok
}

private func status(_ now: ChannelStatistics.SubscriberStatus) -> frameshare_subscriber_status {
    var result = frameshare_subscriber_status()
    result.id = now.id
    result.pid = now.pid
    result.uid = now.uid
    switch now.policy {
    case .latest: result.policy = UInt32(FRAMESHARE_POLICY_LATEST)
    case .queue(let depth):
        result.policy = UInt32(FRAMESHARE_POLICY_QUEUE)
        result.queue_depth = UInt32(clamping: depth)
    case .everyFrame: result.policy = UInt32(FRAMESHARE_POLICY_EVERY_FRAME)
    }
    subscriberMembers.fill(&result, ChannelStatistics.SubscriberStatus.figures, of: now)
    withUnsafeMutableBytes(of: &result.name) { copy(now.name, into: $0) }
    return result
}

private let channelMembers = CStructMembers(of: frameshare_channel_statistics())
private let subscriberMembers = CStructMembers(of: frameshare_subscriber_status())
private let groupMembers = CStructMembers(of: frameshare_group_status())
