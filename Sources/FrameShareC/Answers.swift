internal import FrameShare
public import FrameShareCHeader

/// An answer, or why there is none, with its bytes where a caller's pointers find them.
final class ReceivedAnswer: Sendable {
    let frame: UInt64
    let worker: UInt32
    let isMetadata: Bool
    let failure: Failure?
    private let bytes: CBytes
    private let reason: CBytes?

    init(_ answer: Answer) throws(Failure) {
        (frame, worker, failure, reason) = (answer.frame, answer.worker, nil, nil)
        isMetadata = answer.reply.metadata != nil
        bytes = CBytes(try translating { () throws(ChannelError) in try answer.reply.encodedBytes() })
    }

    init(_ result: WorkResult) throws(Failure) {
        frame = result.frame
        switch result.outcome {
        case .success(let answer):
            (worker, failure, reason) = (answer.worker, nil, nil)
            isMetadata = answer.reply.metadata != nil
            bytes = CBytes(try translating { () throws(ChannelError) in try answer.reply.encodedBytes() })
        case .failure(let error):
            let failure = Failure(error)
            (worker, isMetadata, self.failure) = (0, false, failure)
            (bytes, reason) = (CBytes([]), CBytes(Array(failure.text.utf8) + [0]))
        }
    }

    /// The metadata's entries. Behind their pointers are this object's own bytes.
    func entry(at offset: Int) -> MetadataView.RawEntry? {
        isMetadata ? MetadataView(bytes: bytes.raw.bytes).rawEntry(at: offset) : nil
    }

    func entry(key: UnsafeRawBufferPointer) -> MetadataView.RawEntry? {
        isMetadata ? MetadataView(bytes: bytes.raw.bytes).rawEntry(key: key) : nil
    }

    var info: frameshare_answer_info {
        var info = frameshare_answer_info()
        info.result = failure?.code ?? ok
        info.frame = frame
        info.worker = worker
        info.is_metadata = isMetadata ? 1 : 0
        info.data = UnsafeRawPointer(bytes.raw.baseAddress)
        info.size = bytes.raw.count
        info.reason = reason?.raw.baseAddress.map { UnsafePointer($0.assumingMemoryBound(to: CChar.self)) }
        return info
    }
}

/// A handle for an answer.
func hand(_ answer: ReceivedAnswer, to place: UnsafeMutablePointer<OpaquePointer?>) throws(Failure) -> Int32 {
    guard let handle = handles.answers.insert(answer) else { throw .tooManyHandles }
    place.pointee = handle
    return ok
}

@c @implementation
public func frameshare_answer_get_info(
    _ answered: OpaquePointer!,
    _ info: UnsafeMutablePointer<frameshare_answer_info>!
) -> Int32 {
    answer { () throws(Failure) in
        try write(try handles.answers.object(answered).info, to: info, "info")
        return ok
    }
}

@c @implementation
public func frameshare_answer_metadata(
    _ answered: OpaquePointer!,
    _ key: UnsafePointer<CChar>!,
    _ entry: UnsafeMutablePointer<frameshare_entry>!
) -> Int32 {
    answer { () throws(Failure) in
        let entry = try place(entry, "entry")
        guard let key else { throw .null("key") }
        let bytes = UnsafeRawBufferPointer(start: key, count: length(key))
        guard let found = try handles.answers.object(answered).entry(key: bytes) else {
            return Int32(FRAMESHARE_NOT_FOUND)
        }
        entry.pointee = cEntry(found)
        return ok
    }
}

@c @implementation
public func frameshare_answer_metadata_next(
    _ answered: OpaquePointer!,
    _ cursor: UnsafeMutablePointer<Int>!,
    _ entry: UnsafeMutablePointer<frameshare_entry>!
) -> Int32 {
    answer { () throws(Failure) in
        let (cursor, entry) = (try place(cursor, "cursor"), try place(entry, "entry"))
        guard let found = try handles.answers.object(answered).entry(at: cursor.pointee) else {
            return Int32(FRAMESHARE_NOT_FOUND)
        }
        entry.pointee = cEntry(found)
        cursor.pointee = found.end
        return ok
    }
}

@c @implementation
public func frameshare_answer_release(_ answered: OpaquePointer!) -> Int32 {
    answer { () throws(Failure) in
        guard handles.answers.remove(answered) != nil else { throw .invalidHandle }
        return ok
    }
}
