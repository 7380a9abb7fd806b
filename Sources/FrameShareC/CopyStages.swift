internal import FrameShare
public import FrameShareCHeader

@c @implementation
public func frameshare_copy_stage_open(
    _ channel: UnsafePointer<CChar>!,
    _ options: UnsafePointer<frameshare_copy_options>!,
    _ stage: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    answer { () throws(Failure) in
        let place = try handlePlace(stage, "stage")
        let channel = try text(channel, "channel")
        let options = try copyOptions(try read(options, frameshare_copy_options(), "options", optional: true))
        let stage = try translatingCopies { () throws(CopyError) in try CopyStage(of: channel, options: options) }
        guard let handle = handles.copyStages.insert(try CopyRun(stage)) else { throw .tooManyHandles }
        place.pointee = handle
        return ok
    }
}

@c @implementation
public func frameshare_copy_stage_get_plan(
    _ stage: OpaquePointer!,
    _ plan: UnsafeMutablePointer<frameshare_copy_plan>!
) -> Int32 {
    answer { () throws(Failure) in
        let plan = try place(plan, "plan")
        let known = try handles.copyStages.object(stage).stage.plan
        var result = frameshare_copy_plan()
        result.slots = UInt32(clamping: known.slots)
        result.bytes_per_frame = UInt64(clamping: known.bytesPerFrame)
        result.bytes = UInt64(clamping: known.byteCount)
        result.stream_count = UInt32(clamping: known.streams.count)
        try write(result, to: plan, "plan")
        return ok
    }
}

@c @implementation
public func frameshare_copy_stage_stream_at(
    _ stage: OpaquePointer!,
    _ index: Int,
    _ stream: UnsafeMutablePointer<frameshare_stream>!
) -> Int32 {
    answer { () throws(Failure) in
        let streams = try handles.copyStages.object(stage).stage.plan.streams
        guard streams.indices.contains(index) else { return Int32(FRAMESHARE_NOT_FOUND) }
        try write(try cStream(streams[index]), to: stream, "stream")
        return ok
    }
}

@c @implementation
public func frameshare_copy_stage_start(_ stage: OpaquePointer!, _ channel: UnsafePointer<CChar>!) -> Int32 {
    answer { () throws(Failure) in
        let channel = try text(channel, "channel")
        try handles.copyStages.object(stage).start(as: channel)
        return ok
    }
}

@c @implementation
public func frameshare_copy_stage_wait(_ stage: OpaquePointer!, _ timeout: Int64) -> Int32 {
    answer { () throws(Failure) in
        try handles.copyStages.object(stage).wait(duration(timeout))
        return Int32(FRAMESHARE_ENDED)
    }
}

@c @implementation
public func frameshare_copy_stage_poll_fd(_ stage: OpaquePointer!, _ fd: UnsafeMutablePointer<Int32>!) -> Int32 {
    answer { () throws(Failure) in
        let fd = try place(fd, "fd")
        fd.pointee = try handles.copyStages.object(stage).ended
        return ok
    }
}

@c @implementation
public func frameshare_copy_stage_get_statistics(
    _ stage: OpaquePointer!,
    _ statistics: UnsafeMutablePointer<frameshare_copy_statistics>!
) -> Int32 {
    answer { () throws(Failure) in
        let now = try handles.copyStages.object(stage).stage.statistics
        var result = frameshare_copy_statistics()
        result.copied = now.copied
        result.skipped = now.skipped
        result.no_room = now.noRoom
        result.revoked = now.revoked
        result.lost_source = now.lost.source
        result.lost_no_free_slot = now.lost.noFreeSlot
        result.lost_policy = now.lost.policy
        result.bytes = now.bytes
        result.copying_time = now.copyingTime
        try write(result, to: statistics, "statistics")
        return ok
    }
}

@c @implementation
public func frameshare_copy_stage_stop(_ stage: OpaquePointer!) -> Int32 {
    answer { () throws(Failure) in
        try handles.copyStages.object(stage).stage.stop()
        return ok
    }
}

@c @implementation
public func frameshare_copy_stage_close(_ stage: OpaquePointer!) -> Int32 {
    answer { () throws(Failure) in
        guard let run = handles.copyStages.remove(stage) else { throw .invalidHandle }
        run.close()
        return ok
    }
}

private func copyOptions(_ given: frameshare_copy_options) throws(Failure) -> CopyStage.Options {
    var options = CopyStage.Options()
    let subscriber = try read(given.subscriber, frameshare_subscriber_options(), "options.subscriber", optional: true)
    options.streams = try names(subscriber)
    if given.subscriber != nil {
        options.policy = try policy(subscriber)
        options.subscriber = try subscriberOptions(subscriber)
    }
    options.publisher = try publisherOptions(given.publisher)
    if given.every != 0 { options.every = Int(given.every) }
    guard given.maximum_rate >= 0, given.maximum_rate.isFinite else {
        throw .invalid("options.maximum_rate is \(given.maximum_rate); give frames a second, or 0 for any number")
    }
    if given.maximum_rate > 0 { options.maximumRate = given.maximum_rate }
    options.crops = try crops(given)
    options.capacity = try capacity(given)
    return options
}

private func capacity(_ given: frameshare_copy_options) throws(Failure) -> CopyCapacity {
    let asked = (given.slots != 0 ? 1 : 0) + (given.bytes != 0 ? 1 : 0) + (given.hold != 0 ? 1 : 0)
    guard asked <= 1 else { throw .invalid("give one of options.slots, options.bytes and options.hold") }
    if given.bytes != 0 { return .bytes(Int(clamping: given.bytes)) }
    if given.hold != 0 {
        guard given.hold > 0, given.frames_per_second > 0, given.frames_per_second.isFinite else {
            throw .invalid(
                "options.hold is \(given.hold) ns at \(given.frames_per_second) frames a second; both have to be more than 0"
            )
        }
        return .duration(.nanoseconds(given.hold), framesPerSecond: given.frames_per_second)
    }
    return .slots(given.slots == 0 ? 32 : Int(given.slots))
}

private func crops(_ given: frameshare_copy_options) throws(Failure) -> [String: Crop] {
    guard given.crop_count > 0 else { return [:] }
    guard given.crop_count <= UInt32(FRAMESHARE_MAX_STREAMS) else {
        throw .invalid(
            "\(given.crop_count) crops are too many: a channel has \(FRAMESHARE_MAX_STREAMS) streams at most"
        )
    }
    guard let array = given.crops else { throw .null("options.crops") }
    var crops: [String: Crop] = [:]
    for index in 0..<Int(given.crop_count) {
        let one = array[index]
        let stream = try text(one.stream, "options.crops[\(index)].stream")
        guard crops[stream] == nil else { throw .invalid("options.crops has '\(stream)' twice") }
        crops[stream] = Crop(x: Int(one.x), y: Int(one.y), width: Int(one.width), height: Int(one.height))
    }
    return crops
}
