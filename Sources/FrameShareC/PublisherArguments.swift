internal import FrameShare
internal import FrameShareCHeader
internal import Glibc
internal import SystemPackage

func publisherOptions(_ pointer: UnsafePointer<frameshare_publisher_options>?) throws(Failure) -> Publisher.Options {
    let given = try read(pointer, frameshare_publisher_options(), "options", optional: true)
    var options = Publisher.Options()
    options.directory = channelDirectory(given.directory)
    guard given.mode <= 0o777 else { throw .invalid("options.mode \(given.mode) is no permission") }
    if given.mode != 0 { options.access.mode = given.mode }
    options.access.group = optionalText(given.group)
    if let users = given.allowed_users {
        guard given.allowed_user_count <= 4096 else {
            throw .invalid("\(given.allowed_user_count) allowed users are too many")
        }
        options.access.allowedUsers = (0..<Int(given.allowed_user_count)).map { users[$0] }
    }
    for number in Publisher.Options.numbers {
        let value = optionMembers.number(number.name, in: given)
        if value != 0 { options[keyPath: number.path] = Int(clamping: value) }
    }
    switch Int(given.control_access) {
    case FRAMESHARE_CONTROL_ACCESS_OWNER: options.access.control = .owner
    case FRAMESHARE_CONTROL_ACCESS_NOBODY: options.access.control = .nobody
    case FRAMESHARE_CONTROL_ACCESS_EVERYONE: options.access.control = .everyone
    default: throw .invalid("there is no options.control_access \(given.control_access)")
    }
    if given.stall_limit != 0 { options.stallLimit = duration(given.stall_limit) }
    if given.lease_limit != 0 { options.leaseLimit = duration(given.lease_limit) }
    if given.copy_slots != 0 {
        let floor = given.copy_floor == 0 ? nil : Int(given.copy_floor)
        options.lagCopies = LagCopies(.slots(Int(given.copy_slots)), floor: floor)
    } else if given.copy_floor != 0 {
        throw .invalid("options.copy_floor is \(given.copy_floor), and there are no copy_slots")
    }
    options.keepsMisfits = given.keep_misfits != 0
    options.sourceName = optionalText(given.source_name) ?? ""
    if let memory = optionalText(given.memory) {
        guard let preference = MemoryPreference(memory) else {
            throw .invalid("there is no memory '\(memory)'; try memfd, auto, heap, heap:NAME or udmabuf")
        }
        options.memory = preference
    }
    return options
}

private let optionMembers = CStructMembers(of: frameshare_publisher_options())

/// A pool of a caller's buffers: the descriptors are duplicated, and checked for what they are said to be.
func pool(
    _ streams: [Stream],
    _ slots: UInt32,
    _ buffers: UnsafePointer<frameshare_buffer>?,
    _ count: Int
) throws(Failure) -> FramePool {
    guard let buffers else { throw .null("buffers") }
    guard (2...1024).contains(slots) else { throw Failure(.badSlotCount(Int(slots))) }
    let perSlot = streams.reduce(0) { $0 + $1.layout.bufferCount }
    guard count == perSlot * Int(slots) else {
        throw Failure(
            FRAMESHARE_ERROR_LAYOUT,
            "\(slots) slots of these streams take \(perSlot * Int(slots)) buffers, \(count) were given"
        )
    }
    var next = 0
    var pool: [[[FrameBuffer]]] = []
    for _ in 0..<slots {
        var slot: [[FrameBuffer]] = []
        for stream in streams {
            var image: [FrameBuffer] = []
            for _ in 0..<stream.layout.bufferCount {
                image.append(try frameBuffer(buffers[next]))
                next += 1
            }
            slot.append(image)
        }
        pool.append(slot)
    }
    return try translating { () throws(ChannelError) in try FramePool(streams: streams, slots: pool) }
}

private func frameBuffer(_ given: frameshare_buffer) throws(Failure) -> FrameBuffer {
    guard let memory = UInt8(exactly: given.memory), let kind = MemoryKind(rawValue: memory) else {
        throw .invalid("there is no kind of memory \(given.memory)")
    }
    do throws(MemoryError) {
        let copy = fcntl(given.fd, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else {
            if errno == EMFILE { throw .outOfDescriptors(call: "fcntl(F_DUPFD_CLOEXEC)") }
            throw .call("fcntl(\(given.fd), F_DUPFD_CLOEXEC)", Errno(rawValue: errno))
        }
        // What really protects it is found out: it counts as such only where the kernel confirms it.
        return try FrameBuffer(
            adopting: OwnedDescriptor(owning: copy),
            kind: kind,
            size: Int(clamping: given.size),
            writeProtection: kind.isDMABuf ? .readOnlyExport : .sealed,
            reserving: true
        )
    } catch {
        throw Failure(.memory(error))
    }
}

func frameDescription(_ pointer: UnsafePointer<frameshare_description>?) throws(Failure) -> FrameDescription {
    guard pointer != nil else { return FrameDescription() }
    let given = try read(pointer, frameshare_description(), "description")
    var description = FrameDescription(flags: FrameFlags(rawValue: given.flags))
    if given.has_sequence != 0 { description.sequence = given.sequence }
    if given.has_timestamp != 0 {
        guard let number = UInt8(exactly: given.clock), let clock = FrameClock(rawValue: number) else {
            throw .invalid("there is no clock \(given.clock)")
        }
        description.timestamp = FrameTimestamp(nanoseconds: given.timestamp, clock: clock)
    }
    guard given.has_bytes_used != 0 else { return description }
    withUnsafeBytes(of: given.bytes_used) { bytes in
        let used = bytes.bindMemory(to: UInt64.self)
        for stream in 0..<Int(FRAMESHARE_MAX_STREAMS) {
            for plane in 0..<Int(FRAMESHARE_MAX_PLANES) {
                let count = Int(clamping: used[stream * Int(FRAMESHARE_MAX_PLANES) + plane])
                // Zero is what is not mentioned: full.
                if count > 0 { description.setBytesUsed(count, stream: stream, plane: plane) }
            }
        }
    }
    return description
}

/// What a metadata handle stands for now; empty for NULL.
func metadataNow(_ handle: OpaquePointer?) throws(Failure) -> Metadata {
    guard handle != nil else { return Metadata() }
    return try handles.metadata.with(handle) { (metadata: inout Metadata) throws(Failure) in metadata }
}
