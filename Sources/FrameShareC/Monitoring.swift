public import CFrameShare
internal import FrameShare

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
private func write<T: BitwiseCopyable>(
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
    result.members = UInt32(clamping: now.members)
    result.pending = UInt32(clamping: now.pending)
    result.given = now.given
    result.lost = now.lost
    result.answered = now.answered
    result.failed = now.failed
    result.discarded = now.discarded
    withUnsafeMutableBytes(of: &result.name) { copy(now.name, into: $0) }
    return result
}

private func tell(
    _ now: ChannelStatistics,
    _ statistics: UnsafeMutablePointer<frameshare_channel_statistics>?,
    _ subscribers: UnsafeMutablePointer<frameshare_subscriber_status>?,
    _ capacity: Int
) throws(Failure) -> Int32 {
    try write(now.subscribers.map(status), to: subscribers, capacity, "subscribers")
    var result = frameshare_channel_statistics()
    result.publisher_pid = now.publisherPID
    result.publisher_uid = now.publisherUID
    result.generation = now.generation
    result.stream_count = UInt32(clamping: now.streams.count)
    result.subscriber_count = UInt32(clamping: now.subscribers.count)
    result.slots = UInt32(clamping: now.slots)
    result.slots_free = UInt32(clamping: now.slotsFree)
    result.slots_at_source = UInt32(clamping: now.slotsAtSource)
    result.source_need = UInt32(clamping: now.sourceNeed)
    result.slots_reserved = UInt32(clamping: now.slotsReserved)
    result.retired_slots_held = UInt32(clamping: now.retiredSlotsHeld)
    if let copies = now.copies {
        result.copy_slots = UInt32(clamping: copies.slots)
        result.copy_slots_free = UInt32(clamping: copies.free)
        result.copy_floor = UInt32(clamping: copies.floor)
        result.copied = copies.copied
    }
    result.published = now.published
    result.lost_source = now.lostBySource
    result.lost_no_free_slot = now.lostNoFreeSlot
    result.damaged = now.damaged
    result.age = now.age
    result.since_last_frame = now.sinceLastFrame
    withUnsafeMutableBytes(of: &result.source_name) { copy(now.sourceName, into: $0) }
    result.source_errors = now.sourceErrors
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
    result.budget = UInt32(clamping: now.budget)
    result.reserved = now.reserved ? 1 : 0
    result.queued = UInt32(clamping: now.queued)
    result.held = UInt32(clamping: now.held)
    result.delivered = now.delivered
    result.dropped_by_policy = now.droppedByPolicy
    result.dropped_by_budget = now.droppedByBudget
    result.dropped_by_shortage = now.droppedByShortage
    result.copies = now.copies
    result.gets_copies = now.getsCopies ? 1 : 0
    result.oldest_lease_age = now.oldestLeaseAge
    result.latency_p50 = now.latencyP50
    result.latency_p99 = now.latencyP99
    result.latency_max = now.latencyMax
    result.age = now.age
    withUnsafeMutableBytes(of: &result.name) { copy(now.name, into: $0) }
    return result
}
