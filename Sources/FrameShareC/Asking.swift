internal import FrameShare
public import FrameShareCHeader

@c @implementation
public func frameshare_slot_ask(
    _ slot: OpaquePointer!,
    _ group: UnsafePointer<CChar>!,
    _ description: UnsafePointer<frameshare_description>!,
    _ metadata: OpaquePointer!,
    _ options: UnsafePointer<frameshare_ask_options>!,
    _ pending: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    answer { () throws(Failure) in
        guard let slot = handles.slots.remove(slot) else { throw .invalidHandle }
        let place = try handlePlace(pending, "pending")
        let (group, options) = (try text(group, "group"), try askOptions(options))
        let (description, metadata) = (try frameDescription(description), try metadataNow(metadata))
        var failure: WorkError? = nil
        var asked: PendingAnswer? = nil
        do throws(WorkError) {
            asked = try slot.ask(group, description, metadata, options)
        } catch {
            failure = error
        }
        if let failure { throw Failure(failure) }
        return try hand(asked, to: place)
    }
}

@c @implementation
public func frameshare_publisher_ask(
    _ publisher: OpaquePointer!,
    _ slot: UInt32,
    _ group: UnsafePointer<CChar>!,
    _ description: UnsafePointer<frameshare_description>!,
    _ metadata: OpaquePointer!,
    _ options: UnsafePointer<frameshare_ask_options>!,
    _ pending: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    answer { () throws(Failure) in
        let place = try handlePlace(pending, "pending")
        let publisher = try handles.publishers.object(publisher)
        let (group, options) = (try text(group, "group"), try askOptions(options))
        let (description, metadata) = (try frameDescription(description), try metadataNow(metadata))
        let slot = try slotNumber(slot)
        let asked = try translatingWork { () throws(WorkError) in
            try publisher.submit(group, slot: slot, description, metadata: metadata, options: options)
        }
        return try hand(asked, to: place)
    }
}

private func hand(
    _ asked: PendingAnswer?,
    to place: UnsafeMutablePointer<OpaquePointer?>
) throws(Failure) -> Int32 {
    guard let asked, let handle = handles.pending.insert(asked) else {
        asked?.cancel()
        throw .tooManyHandles
    }
    place.pointee = handle
    return ok
}

/// How a group is asked; NULL and zeros are the defaults.
func askOptions(_ pointer: UnsafePointer<frameshare_ask_options>?) throws(Failure) -> AskOptions {
    let given = try read(pointer, frameshare_ask_options(), "options", optional: true)
    var options = AskOptions()
    if given.deadline != 0 { options.deadline = duration(given.deadline) }
    if given.cut_off != 0 { options.overdue = .isCutOff }
    if given.attempts > 1 { options.workerLoss = .handOver(attempts: Int(given.attempts)) }
    return options
}

// MARK: what was asked

@c @implementation
public func frameshare_pending_frame(_ pending: OpaquePointer!, _ number: UnsafeMutablePointer<UInt64>!) -> Int32 {
    answer { () throws(Failure) in
        let number = try place(number, "number")
        number.pointee = try handles.pending.object(pending).frame
        return ok
    }
}

@c @implementation
public func frameshare_pending_answer(
    _ pending: OpaquePointer!,
    _ timeout: Int64,
    _ answered: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    answer { () throws(Failure) in
        let place = try handlePlace(answered, "answer")
        let pending = try handles.pending.object(pending)
        let answer = try translatingWork { () throws(WorkError) in
            try pending.answerBlocking(timeout: duration(timeout))
        }
        return try hand(ReceivedAnswer(answer), to: place)
    }
}

@c @implementation
public func frameshare_pending_progress(
    _ pending: OpaquePointer!,
    _ timeout: Int64,
    _ answered: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    answer { () throws(Failure) in
        let place = try handlePlace(answered, "answer")
        let pending = try handles.pending.object(pending)
        let answer = try translatingWork { () throws(WorkError) in
            try pending.progressBlocking(timeout: duration(timeout))
        }
        guard let answer else { return Int32(FRAMESHARE_ENDED) }
        return try hand(ReceivedAnswer(answer), to: place)
    }
}

@c @implementation
public func frameshare_pending_poll_fd(_ pending: OpaquePointer!, _ fd: UnsafeMutablePointer<Int32>!) -> Int32 {
    answer { () throws(Failure) in
        let fd = try place(fd, "fd")
        let pending = try handles.pending.object(pending)
        fd.pointee = try translating { () throws(ChannelError) in try pending.pollDescriptor }
        return ok
    }
}

@c @implementation
public func frameshare_pending_cancel(_ pending: OpaquePointer!) -> Int32 {
    answer { () throws(Failure) in
        try handles.pending.object(pending).cancel()
        return ok
    }
}

@c @implementation
public func frameshare_pending_release(_ pending: OpaquePointer!) -> Int32 {
    answer { () throws(Failure) in
        guard handles.pending.remove(pending) != nil else { throw .invalidHandle }
        return ok
    }
}

// MARK: a group

@c @implementation
public func frameshare_publisher_wait_for_group(
    _ publisher: OpaquePointer!,
    _ group: UnsafePointer<CChar>!,
    _ timeout: Int64
) -> Int32 {
    answer { () throws(Failure) in
        let publisher = try handles.publishers.object(publisher)
        let group = try text(group, "group")
        try translating { () throws(ChannelError) in
            try publisher.waitForRoomBlocking(in: group, timeout: duration(timeout))
        }
        return ok
    }
}

@c @implementation
public func frameshare_publisher_drain(
    _ publisher: OpaquePointer!,
    _ timeout: Int64,
    _ open: UnsafeMutablePointer<Int>!
) -> Int32 {
    answer { () throws(Failure) in
        let left = try handles.publishers.object(publisher).drainBlocking(timeout: duration(timeout))
        if let open { open.pointee = left }
        guard left == 0 else { throw Failure(.timedOut()) }
        return ok
    }
}
