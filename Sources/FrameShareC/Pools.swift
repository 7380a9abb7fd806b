internal import FrameShare
public import FrameShareCHeader

@c @implementation
public func frameshare_subscriber_pool(
    _ subscriber: OpaquePointer!,
    _ pool: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    answer { () throws(Failure) in
        let place = try handlePlace(pool, "pool")
        let subscriber = try handles.subscribers.object(subscriber)
        guard let handle = handles.pools.insert(subscriber.pool) else { throw .tooManyHandles }
        place.pointee = handle
        return ok
    }
}

@c @implementation
public func frameshare_pool_get_info(
    _ pool: OpaquePointer!,
    _ info: UnsafeMutablePointer<frameshare_pool_info>!
) -> Int32 {
    answer { () throws(Failure) in
        let result = try handles.pools.with(pool) { (pool: inout MappedPool) throws(Failure) in
            var result = frameshare_pool_info()
            result.generation = pool.generation
            result.slot_count = UInt32(clamping: pool.slotCount)
            result.first_copy_slot = UInt32(clamping: pool.firstCopySlot)
            result.stream_count = UInt32(clamping: pool.streams.count)
            return result
        }
        try write(result, to: info, "info")
        return ok
    }
}

@c @implementation
public func frameshare_pool_image(
    _ pool: OpaquePointer!,
    _ slot: UInt32,
    _ stream: UnsafePointer<CChar>!,
    _ image: UnsafeMutablePointer<frameshare_image>!
) -> Int32 {
    answer { () throws(Failure) in
        let name = optionalText(stream)
        let result = try handles.pools.with(pool) { (pool: inout MappedPool) throws(Failure) in
            try cImage(of: pool, slot: Int(slot), stream: name)
        }
        guard let result else { return Int32(FRAMESHARE_NOT_FOUND) }
        try write(result, to: image, "image")
        return ok
    }
}

@c @implementation
public func frameshare_pool_release(_ pool: OpaquePointer!) -> Int32 {
    answer { () throws(Failure) in
        guard handles.pools.remove(pool) != nil else { throw .invalidHandle }
        return ok
    }
}

/// Where an image lies in a slot; nil beyond the last slot.
private func cImage(of pool: MappedPool, slot: Int, stream name: String?) throws(Failure) -> frameshare_image? {
    let streams = pool.streams
    guard let index = name.map({ name in streams.firstIndex { $0.name == name } }) ?? 0 else {
        throw Failure(.unknownStream(name: name ?? "", offered: streams.map(\.name)))
    }
    guard let protection = pool.protection(slot: slot, streamAt: index) else { return nil }
    let buffers = pool.buffers(slot: slot, streamAt: index)
    let layout = streams[index].layout
    return cImage(
        name: streams[index].name,
        layout: layout,
        kind: buffers.first?.memory ?? .memfd,
        protection: protection,
        bytesUsed: { layout.planes[$0].size },
        memory: { number in
            guard buffers.indices.contains(number) else { return PlaneMemory(base: nil, descriptor: -1, offset: 0) }
            let buffer = buffers[number]
            return PlaneMemory(
                base: buffer.address.flatMap { UnsafeMutableRawPointer(bitPattern: $0) },
                descriptor: buffer.descriptor,
                offset: buffer.offset
            )
        }
    )
}
