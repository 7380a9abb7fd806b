internal import FrameMemory
internal import FrameShare
public import FrameShareCHeader

/// A slot that a program fills through pointers, and the streams of it whose CPU access was begun.
struct FilledSlot: ~Copyable, Sendable {
    let publisher: Publisher
    private let slot: WritableSlot
    private var touched: UInt32 = 0

    init(_ slot: consuming WritableSlot, of publisher: Publisher) {
        self.slot = slot
        self.publisher = publisher
    }

    /// The image of a stream, by its name or the first; nil where there is none. Its pointers are valid as long as the
    /// slot.
    mutating func image(_ name: String?) -> frameshare_image? {
        let streams = slot.streams
        let index = name.map { name in streams.firstIndex { $0.name == name } } ?? 0
        guard let index, streams.indices.contains(index) else { return nil }
        let (stream, buffers) = (streams[index], slot.buffers(ofStream: index))
        guard let first = buffers.first else { return nil }
        if touched & (1 << UInt32(index)) == 0 {
            touched |= 1 << UInt32(index)
            for buffer in buffers { try? buffer.beginCPUAccess(.write) }
        }
        return cImage(
            name: stream.name,
            layout: stream.layout,
            kind: first.kind,
            protection: first.writeProtection,
            bytesUsed: { stream.layout.planes[$0].size },
            memory: {
                let buffer = buffers[$0]
                return PlaneMemory(
                    base: buffer.writableMapping?.baseAddress,
                    descriptor: buffer.descriptor,
                    offset: buffer.offset
                )
            }
        )
    }

    var streamNames: [String] { slot.streams.map(\.name) }

    var memory: KeptMemory { KeptMemory((0..<slot.streams.count).flatMap { slot.buffers(ofStream: $0) }) }

    /// The CPU has done with the slot.
    private func endAccess() {
        for index in 0..<slot.streams.count where touched & (1 << UInt32(index)) != 0 {
            for buffer in slot.buffers(ofStream: index) { try? buffer.endCPUAccess(.write) }
        }
    }

    /// Publishes it. On failure the slot goes back to the pool.
    consuming func publish(_ description: FrameDescription, _ metadata: Metadata) throws(ChannelError) -> UInt64 {
        endAccess()
        return try publisher.publish(slot, description, metadata: metadata)
    }

    /// Publishes it, and asks a group about it. On failure the slot goes back to the pool.
    consuming func ask(
        _ group: String,
        _ description: FrameDescription,
        _ metadata: Metadata,
        _ options: AskOptions
    ) throws(WorkError) -> PendingAnswer {
        endAccess()
        return try publisher.submit(group, slot, description, metadata: metadata, options: options)
    }

    /// Gives it back unpublished.
    consuming func discard() { endAccess() }
}

/// The memory of a slot's images, for views that may outlive the slot.
final class KeptMemory: Sendable {
    private let buffers: [FrameBuffer]

    init(_ buffers: [FrameBuffer]) { self.buffers = buffers }
}

@c @implementation
public func frameshare_slot_keep_memory(
    _ slot: OpaquePointer!,
    _ memory: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    answer { () throws(Failure) in
        let place = try handlePlace(memory, "memory")
        let kept = try handles.slots.with(slot) { (slot: inout FilledSlot) throws(Failure) in slot.memory }
        guard let handle = handles.memories.insert(kept) else { throw .tooManyHandles }
        place.pointee = handle
        return ok
    }
}

@c @implementation
public func frameshare_memory_release(_ memory: OpaquePointer!) -> Int32 {
    answer { () throws(Failure) in
        guard handles.memories.remove(memory) != nil else { throw .invalidHandle }
        return ok
    }
}

@c @implementation
public func frameshare_publisher_next_slot(
    _ publisher: OpaquePointer!,
    _ timeout: Int64,
    _ slot: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    answer { () throws(Failure) in
        let place = try handlePlace(slot, "slot")
        let publisher = try handles.publishers.object(publisher)
        let slot = try translating { () throws(ChannelError) in
            try publisher.nextSlotBlocking(timeout: duration(timeout))
        }
        return try hand(slot, of: publisher, to: place)
    }
}

@c @implementation
public func frameshare_publisher_try_next_slot(
    _ publisher: OpaquePointer!,
    _ slot: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    answer { () throws(Failure) in
        let place = try handlePlace(slot, "slot")
        let publisher = try handles.publishers.object(publisher)
        let slot = try translating { () throws(ChannelError) in try publisher.tryNextSlot() }
        guard let slot else { return Int32(FRAMESHARE_NO_FRAME) }
        return try hand(slot, of: publisher, to: place)
    }
}

private func hand(
    _ slot: consuming WritableSlot,
    of publisher: Publisher,
    to place: UnsafeMutablePointer<OpaquePointer?>
) throws(Failure) -> Int32 {
    guard let handle = handles.slots.insert(FilledSlot(slot, of: publisher)) else { throw .tooManyHandles }
    place.pointee = handle
    return ok
}

@c @implementation
public func frameshare_slot_image(
    _ slot: OpaquePointer!,
    _ stream: UnsafePointer<CChar>!,
    _ image: UnsafeMutablePointer<frameshare_image>!
) -> Int32 {
    answer { () throws(Failure) in
        let name = optionalText(stream)
        let result = try handles.slots.with(slot) { (slot: inout FilledSlot) throws(Failure) in
            guard let image = slot.image(name) else {
                throw Failure(.unknownStream(name: name ?? "", offered: slot.streamNames))
            }
            return image
        }
        try write(result, to: image, "image")
        return ok
    }
}

@c @implementation
public func frameshare_slot_publish(
    _ slot: OpaquePointer!,
    _ description: UnsafePointer<frameshare_description>!,
    _ metadata: OpaquePointer!,
    _ number: UnsafeMutablePointer<UInt64>!
) -> Int32 {
    answer { () throws(Failure) in
        guard let slot = handles.slots.remove(slot) else { throw .invalidHandle }
        let (description, metadata) = (try frameDescription(description), try metadataNow(metadata))
        var failure: ChannelError? = nil
        var published: UInt64 = 0
        do throws(ChannelError) {
            published = try slot.publish(description, metadata)
        } catch {
            failure = error
        }
        if let failure { throw Failure(failure) }
        if let number { number.pointee = published }
        return ok
    }
}

@c @implementation
public func frameshare_slot_discard(_ slot: OpaquePointer!) -> Int32 {
    answer { () throws(Failure) in
        guard let slot = handles.slots.remove(slot) else { throw .invalidHandle }
        slot.discard()
        return ok
    }
}
