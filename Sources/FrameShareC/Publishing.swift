internal import FrameShare
public import FrameShareCHeader

@c @implementation
public func frameshare_publisher_open(
    _ channel: UnsafePointer<CChar>!,
    _ streams: UnsafePointer<frameshare_stream>!,
    _ streamCount: Int,
    _ slots: UInt32,
    _ options: UnsafePointer<frameshare_publisher_options>!,
    _ publisher: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    answer { () throws(Failure) in
        let place = try handlePlace(publisher, "publisher")
        let channel = try text(channel, "channel")
        let (streams, options) = (try FrameShareC.streams(streams, streamCount), try publisherOptions(options))
        let publisher = try translating { () throws(ChannelError) in
            try Publisher(channel: channel, streams: streams, slots: Int(slots), options: options)
        }
        guard let handle = handles.publishers.insert(publisher) else { throw .tooManyHandles }
        place.pointee = handle
        return ok
    }
}

@c @implementation
public func frameshare_publisher_open_buffers(
    _ channel: UnsafePointer<CChar>!,
    _ streams: UnsafePointer<frameshare_stream>!,
    _ streamCount: Int,
    _ slots: UInt32,
    _ buffers: UnsafePointer<frameshare_buffer>!,
    _ bufferCount: Int,
    _ options: UnsafePointer<frameshare_publisher_options>!,
    _ publisher: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    answer { () throws(Failure) in
        let place = try handlePlace(publisher, "publisher")
        let channel = try text(channel, "channel")
        let (streams, options) = (try FrameShareC.streams(streams, streamCount), try publisherOptions(options))
        let pool = try pool(streams, slots, buffers, bufferCount)
        let publisher = try translating { () throws(ChannelError) in
            try Publisher(channel: channel, pool: pool, options: options)
        }
        guard let handle = handles.publishers.insert(publisher) else { throw .tooManyHandles }
        place.pointee = handle
        return ok
    }
}

@c @implementation
public func frameshare_publisher_take_free(
    _ publisher: OpaquePointer!,
    _ slots: UnsafeMutablePointer<UInt32>!,
    _ capacity: Int,
    _ count: UnsafeMutablePointer<Int>!
) -> Int32 {
    answer { () throws(Failure) in
        let (slots, count) = (try place(slots, "slots"), try place(count, "count"))
        let publisher = try handles.publishers.object(publisher)
        var written = 0
        publisher.takeFreeSlots { slot in
            if written < capacity {
                slots[written] = UInt32(slot)
                written += 1
            } else {
                publisher.giveBack(slot: slot)
            }
        }
        count.pointee = written
        return ok
    }
}

@c @implementation
public func frameshare_publisher_publish(
    _ publisher: OpaquePointer!,
    _ slot: UInt32,
    _ description: UnsafePointer<frameshare_description>!,
    _ metadata: OpaquePointer!,
    _ number: UnsafeMutablePointer<UInt64>!
) -> Int32 {
    answer { () throws(Failure) in
        let publisher = try handles.publishers.object(publisher)
        let (description, metadata) = (try frameDescription(description), try metadataNow(metadata))
        let slot = try slotNumber(slot)
        let published = try translating { () throws(ChannelError) in
            try publisher.publish(slot: slot, description, metadata: metadata)
        }
        if let number { number.pointee = published }
        return ok
    }
}

@c @implementation
public func frameshare_publisher_give_back(_ publisher: OpaquePointer!, _ slot: UInt32) -> Int32 {
    answer { () throws(Failure) in
        let publisher = try handles.publishers.object(publisher)
        publisher.giveBack(slot: try slotNumber(slot))
        return ok
    }
}

/// A number that a slot can have.
func slotNumber(_ slot: UInt32) throws(Failure) -> Int {
    guard slot < 1024 else { throw Failure(.slotNotAtSource(Int(slot))) }
    return Int(slot)
}

@c @implementation
public func frameshare_publisher_free_slot_fd(_ publisher: OpaquePointer!, _ fd: UnsafeMutablePointer<Int32>!) -> Int32
{
    answer { () throws(Failure) in
        let fd = try place(fd, "fd")
        fd.pointee = try handles.publishers.object(publisher).freeSlotDescriptor
        return ok
    }
}

@c @implementation
public func frameshare_publisher_wait_for_room(_ publisher: OpaquePointer!, _ timeout: Int64) -> Int32 {
    answer { () throws(Failure) in
        let publisher = try handles.publishers.object(publisher)
        try translating { () throws(ChannelError) in try publisher.waitForRoom(timeout: duration(timeout)) }
        return ok
    }
}

@c @implementation
public func frameshare_publisher_wait_for_subscribers(
    _ publisher: OpaquePointer!,
    _ count: UInt32,
    _ timeout: Int64
) -> Int32 {
    answer { () throws(Failure) in
        let publisher = try handles.publishers.object(publisher)
        try translating { () throws(ChannelError) in
            try publisher.waitForSubscribersBlocking(Int(count), timeout: duration(timeout))
        }
        return ok
    }
}

@c @implementation
public func frameshare_publisher_generation(
    _ publisher: OpaquePointer!,
    _ generation: UnsafeMutablePointer<UInt32>!
) -> Int32 {
    answer { () throws(Failure) in
        let generation = try place(generation, "generation")
        generation.pointee = try handles.publishers.object(publisher).generation
        return ok
    }
}

@c @implementation
public func frameshare_publisher_held_slots(
    _ publisher: OpaquePointer!,
    _ generation: UInt32,
    _ slots: UnsafeMutablePointer<UInt32>!,
    _ capacity: Int,
    _ count: UnsafeMutablePointer<Int>!
) -> Int32 {
    answer { () throws(Failure) in
        let (slots, count) = (try place(slots, "slots"), try place(count, "count"))
        let held = try handles.publishers.object(publisher).heldSlots(ofGeneration: generation).prefix(max(0, capacity))
        for (i, slot) in held.enumerated() { slots[i] = UInt32(slot) }
        count.pointee = held.count
        return ok
    }
}

@c @implementation
public func frameshare_publisher_set_metadata_capacity(_ publisher: OpaquePointer!, _ bytes: UInt32) -> Int32 {
    answer { () throws(Failure) in
        let publisher = try handles.publishers.object(publisher)
        try translating { () throws(ChannelError) in try publisher.setMetadataCapacity(Int(bytes)) }
        return ok
    }
}

@c @implementation
public func frameshare_publisher_count_lost(
    _ publisher: OpaquePointer!,
    _ source: UInt64,
    _ noFreeSlot: UInt64
) -> Int32 {
    answer { () throws(Failure) in
        let publisher = try handles.publishers.object(publisher)
        publisher.countLost(source: source)
        publisher.countLost(noFreeSlot: noFreeSlot)
        return ok
    }
}

@c @implementation
public func frameshare_publisher_reconfigure(
    _ publisher: OpaquePointer!,
    _ streams: UnsafePointer<frameshare_stream>!,
    _ streamCount: Int,
    _ slots: UInt32
) -> Int32 {
    answer { () throws(Failure) in
        let publisher = try handles.publishers.object(publisher)
        let streams = try FrameShareC.streams(streams, streamCount)
        try translating { () throws(ChannelError) in try publisher.reconfigure(streams: streams, slots: Int(slots)) }
        return ok
    }
}

@c @implementation
public func frameshare_publisher_reconfigure_buffers(
    _ publisher: OpaquePointer!,
    _ streams: UnsafePointer<frameshare_stream>!,
    _ streamCount: Int,
    _ slots: UInt32,
    _ buffers: UnsafePointer<frameshare_buffer>!,
    _ bufferCount: Int
) -> Int32 {
    answer { () throws(Failure) in
        let publisher = try handles.publishers.object(publisher)
        let pool = try pool(try FrameShareC.streams(streams, streamCount), slots, buffers, bufferCount)
        try translating { () throws(ChannelError) in try publisher.reconfigure(pool: pool) }
        return ok
    }
}

@c @implementation
public func frameshare_publisher_close(_ publisher: OpaquePointer!) -> Int32 {
    answer { () throws(Failure) in
        guard let publisher = handles.publishers.remove(publisher) else { throw .invalidHandle }
        publisher.close()
        return ok
    }
}

@c @implementation
public func frameshare_publisher_close_revoking(_ publisher: OpaquePointer!) -> Int32 {
    answer { () throws(Failure) in
        guard let publisher = handles.publishers.remove(publisher) else { throw .invalidHandle }
        publisher.close(revoking: true)
        return ok
    }
}

@c @implementation
public func frameshare_publisher_fail(_ publisher: OpaquePointer!, _ reason: UnsafePointer<CChar>!) -> Int32 {
    answer { () throws(Failure) in
        let reason = try text(reason, "reason")
        guard let publisher = handles.publishers.remove(publisher) else { throw .invalidHandle }
        publisher.fail(reason)
        return ok
    }
}
