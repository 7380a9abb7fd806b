internal import FrameShare
internal import FrameShareCHeader

@c @implementation
public func frameshare_frame_request(
    _ frame: OpaquePointer!,
    _ request: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    answer { () throws(Failure) in
        let place = try handlePlace(request, "request")
        let request = try handles.frames.with(frame) { (frame: inout Frame) throws(Failure) in frame.request }
        guard let request else { return Int32(FRAMESHARE_NOT_FOUND) }
        guard let handle = handles.requests.insert(request) else { throw .tooManyHandles }
        place.pointee = handle
        return ok
    }
}

@c @implementation
public func frameshare_request_is_cancelled(
    _ request: OpaquePointer!,
    _ cancelled: UnsafeMutablePointer<Int32>!
)
    -> Int32
{
    answer { () throws(Failure) in
        let cancelled = try place(cancelled, "cancelled")
        cancelled.pointee = try theRequest(request).isCancelled ? 1 : 0
        return ok
    }
}

@c @implementation
public func frameshare_request_progress(
    _ request: OpaquePointer!,
    _ metadata: OpaquePointer!,
    _ data: UnsafeRawPointer!,
    _ size: Int
) -> Int32 {
    answer { () throws(Failure) in
        let (request, reply) = (try theRequest(request), try reply(metadata, data, size))
        try translating { () throws(ChannelError) in try request.progress(reply) }
        return ok
    }
}

@c @implementation
public func frameshare_request_answer(
    _ request: OpaquePointer!,
    _ metadata: OpaquePointer!,
    _ data: UnsafeRawPointer!,
    _ size: Int
) -> Int32 {
    answer { () throws(Failure) in
        let (request, reply) = (try theRequest(request), try reply(metadata, data, size))
        try translating { () throws(ChannelError) in try request.answer(reply) }
        return ok
    }
}

@c @implementation
public func frameshare_request_fail(_ request: OpaquePointer!, _ reason: UnsafePointer<CChar>!) -> Int32 {
    answer { () throws(Failure) in
        let (request, reason) = (try theRequest(request), try text(reason, "reason"))
        try translating { () throws(ChannelError) in try request.fail(reason) }
        return ok
    }
}

@c @implementation
public func frameshare_request_release(_ request: OpaquePointer!) -> Int32 {
    answer { () throws(Failure) in
        guard handles.requests.remove(request) != nil else { throw .invalidHandle }
        return ok
    }
}

/// A handle's request: a copy, so that nobody else waits while a reply is sent.
private func theRequest(_ handle: OpaquePointer?) throws(Failure) -> FrameRequest {
    try handles.requests.with(handle) { (request: inout FrameRequest) throws(Failure) in request }
}

/// A reply: metadata, or where there is none bytes.
private func reply(_ metadata: OpaquePointer?, _ data: UnsafeRawPointer?, _ size: Int) throws(Failure) -> Reply {
    guard metadata == nil else {
        guard data == nil && size == 0 else { throw .invalid("a reply is metadata or bytes, not both") }
        return .metadata(try metadataNow(metadata))
    }
    guard data != nil || size == 0 else { throw .null("data") }
    guard (0...Reply.maximumSize).contains(size) else { throw Failure(.replyTooLarge(size)) }
    return .bytes(Array(UnsafeRawBufferPointer(start: data, count: size)))
}
