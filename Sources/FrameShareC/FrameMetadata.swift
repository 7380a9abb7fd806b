internal import FrameShare
public import FrameShareCHeader

// A frame's metadata is read where it lies. Its bytes are the publisher's: where they are malformed, entries end.

@c @implementation
public func frameshare_frame_metadata(
    _ frame: OpaquePointer!,
    _ key: UnsafePointer<CChar>!,
    _ entry: UnsafeMutablePointer<frameshare_entry>!
) -> Int32 {
    answer { () throws(Failure) in
        let entry = try place(entry, "entry")
        guard let found = try find(frame, key) else { return Int32(FRAMESHARE_NOT_FOUND) }
        entry.pointee = cEntry(found)
        return ok
    }
}

@c @implementation
public func frameshare_frame_metadata_next(
    _ frame: OpaquePointer!,
    _ cursor: UnsafeMutablePointer<Int>!,
    _ entry: UnsafeMutablePointer<frameshare_entry>!
) -> Int32 {
    answer { () throws(Failure) in
        let (cursor, entry) = (try place(cursor, "cursor"), try place(entry, "entry"))
        let found = try handles.frames.with(frame) { (frame: inout Frame) throws(Failure) in
            frame.metadata.rawEntry(at: cursor.pointee)
        }
        guard let found else { return Int32(FRAMESHARE_NOT_FOUND) }
        entry.pointee = cEntry(found)
        cursor.pointee = found.end
        return ok
    }
}

@c @implementation
public func frameshare_frame_metadata_int64(
    _ frame: OpaquePointer!,
    _ key: UnsafePointer<CChar>!,
    _ value: UnsafeMutablePointer<Int64>!
) -> Int32 {
    answer { () throws(Failure) in
        let value = try place(value, "value")
        guard let found = try find(frame, key) else { return Int32(FRAMESHARE_NOT_FOUND) }
        guard let number = MetadataValue(type: found.type, bytes: found.value)?.integer else {
            throw wrongType(key, "an integer")
        }
        value.pointee = number
        return ok
    }
}

@c @implementation
public func frameshare_frame_metadata_double(
    _ frame: OpaquePointer!,
    _ key: UnsafePointer<CChar>!,
    _ value: UnsafeMutablePointer<Double>!
) -> Int32 {
    answer { () throws(Failure) in
        let value = try place(value, "value")
        guard let found = try find(frame, key) else { return Int32(FRAMESHARE_NOT_FOUND) }
        guard let number = MetadataValue(type: found.type, bytes: found.value)?.number else {
            throw wrongType(key, "a number")
        }
        value.pointee = number
        return ok
    }
}

@c @implementation
public func frameshare_frame_metadata_string(
    _ frame: OpaquePointer!,
    _ key: UnsafePointer<CChar>!,
    _ value: UnsafeMutablePointer<CChar>!,
    _ size: Int,
    _ needed: UnsafeMutablePointer<Int>!
) -> Int32 {
    answer { () throws(Failure) in
        guard let found = try find(frame, key) else { return Int32(FRAMESHARE_NOT_FOUND) }
        guard let text = MetadataValue(type: found.type, bytes: found.value)?.text else {
            throw wrongType(key, "a string")
        }
        try write(text, to: value, size: size, needed: needed)
        return ok
    }
}

private func find(
    _ frame: OpaquePointer?,
    _ key: UnsafePointer<CChar>?
) throws(Failure) -> MetadataView.RawEntry? {
    let key = try place(UnsafeMutablePointer(mutating: key), "key")
    // Compared as the bytes that they are: no string is made.
    let bytes = UnsafeRawBufferPointer(start: key, count: length(key))
    return try handles.frames.with(frame) { (frame: inout Frame) throws(Failure) in
        frame.metadata.rawEntry(key: bytes)
    }
}

/// A text's length as far as a key could have it.
func length(_ text: UnsafePointer<CChar>) -> Int {
    var length = 0
    while length < 256 && text[length] != 0 { length += 1 }
    return length
}

private func wrongType(_ key: UnsafePointer<CChar>?, _ wanted: String) -> Failure {
    Failure(FRAMESHARE_ERROR_TYPE, "the metadata's '\(optionalText(key) ?? "")' is not \(wanted)")
}

func cEntry(_ entry: MetadataView.RawEntry) -> frameshare_entry {
    frameshare_entry(
        key: entry.key.baseAddress?.assumingMemoryBound(to: CChar.self),
        key_size: entry.key.count,
        type: UInt32(entry.type),
        reserved: 0,
        data: entry.value.baseAddress,
        size: entry.value.count
    )
}
