internal import FrameShare
public import FrameShareCHeader

@c @implementation
public func frameshare_channel_list(
    _ directory: UnsafePointer<CChar>!,
    _ channels: UnsafeMutablePointer<frameshare_channel_entry>!,
    _ capacity: Int,
    _ count: UnsafeMutablePointer<Int>!
) -> Int32 {
    answer { () throws(Failure) in
        let count = try place(count, "count")
        let found = try translating { () throws(ChannelError) in try folder(directory).entries() }
        try write(found.map { cEntry($0, change: 0) }, to: channels, capacity, "channels")
        count.pointee = found.count
        return ok
    }
}

@c @implementation
public func frameshare_channel_watch_open(
    _ directory: UnsafePointer<CChar>!,
    _ watch: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    answer { () throws(Failure) in
        let place = try handlePlace(watch, "watch")
        let watch = try translating { () throws(ChannelError) in try folder(directory).watch() }
        guard let handle = handles.channelWatches.insert(watch) else { throw .tooManyHandles }
        place.pointee = handle
        return ok
    }
}

@c @implementation
public func frameshare_channel_watch_next(
    _ watch: OpaquePointer!,
    _ timeout: Int64,
    _ channel: UnsafeMutablePointer<frameshare_channel_entry>!
) -> Int32 {
    answer { () throws(Failure) in
        let watch = try handles.channelWatches.object(watch)
        // Before a change is taken, which would be lost.
        try checkRoom(channel, "channel")
        let change: ChannelChange
        do throws(ChannelError) {
            change = try watch.nextBlocking(timeout: duration(timeout))
        } catch {
            guard error.isTimeout, !Failure.isSignal(error) else { throw Failure(error) }
            throw Failure(
                FRAMESHARE_ERROR_TIMED_OUT,
                "nothing has happened to a channel of \(watch.directory.path) in the given time"
            )
        }
        let number =
            switch change {
            case .appeared: FRAMESHARE_CHANNEL_APPEARED
            case .changed: FRAMESHARE_CHANNEL_CHANGED
            case .vanished: FRAMESHARE_CHANNEL_VANISHED
            }
        try write(cEntry(change.entry, change: UInt32(number)), to: channel, "channel")
        return ok
    }
}

@c @implementation
public func frameshare_channel_watch_poll_fd(_ watch: OpaquePointer!, _ fd: UnsafeMutablePointer<Int32>!) -> Int32 {
    answer { () throws(Failure) in
        let fd = try place(fd, "fd")
        fd.pointee = try handles.channelWatches.object(watch).pollDescriptor
        return ok
    }
}

@c @implementation
public func frameshare_channel_watch_close(_ watch: OpaquePointer!) -> Int32 {
    answer { () throws(Failure) in
        guard let watch = handles.channelWatches.remove(watch) else { throw .invalidHandle }
        watch.close()
        return ok
    }
}

private func folder(_ directory: UnsafePointer<CChar>?) throws(ChannelError) -> ChannelDirectory {
    if let given = channelDirectory(directory) { return given }
    return try ChannelDirectory.standard()
}

private func cEntry(_ entry: ChannelEntry, change: UInt32) -> frameshare_channel_entry {
    var result = frameshare_channel_entry()
    result.change = change
    result.state = UInt32(entry.state.rawValue)
    result.mode = entry.mode
    result.uid = entry.uid
    result.gid = entry.gid
    withUnsafeMutableBytes(of: &result.name) { copy(entry.name, into: $0) }
    return result
}
