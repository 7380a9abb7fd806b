internal import FrameShare
internal import FrameShareCHeader

@c @implementation
public func frameshare_metadata_create(_ metadata: UnsafeMutablePointer<OpaquePointer?>!) -> Int32 {
    answer { () throws(Failure) in
        let metadata = try handlePlace(metadata, "metadata")
        guard let handle = handles.metadata.insert(Metadata()) else { throw .tooManyHandles }
        metadata.pointee = handle
        return ok
    }
}

@c @implementation
public func frameshare_metadata_set(
    _ metadata: OpaquePointer!,
    _ key: UnsafePointer<CChar>!,
    _ type: UInt32,
    _ data: UnsafeRawPointer!,
    _ size: Int
) -> Int32 {
    answer { () throws(Failure) in
        guard data != nil || size == 0 else { throw .null("data") }
        guard (0...Int(Int32.max)).contains(size) else { throw .invalid("a value of \(size) bytes is not possible") }
        let bytes = UnsafeRawBufferPointer(start: data, count: size)
        guard let type = UInt8(exactly: type), let value = MetadataValue(type: type, bytes: bytes) else {
            throw Failure(FRAMESHARE_ERROR_TYPE, "\(size) bytes are no value of type \(type)")
        }
        return try set(metadata, key, value)
    }
}

@c @implementation
public func frameshare_metadata_set_bool(
    _ metadata: OpaquePointer!,
    _ key: UnsafePointer<CChar>!,
    _ value: Int32
) -> Int32 {
    answer { () throws(Failure) in try set(metadata, key, .bool(value != 0)) }
}

@c @implementation
public func frameshare_metadata_set_int32(
    _ metadata: OpaquePointer!,
    _ key: UnsafePointer<CChar>!,
    _ value: Int32
) -> Int32 {
    answer { () throws(Failure) in try set(metadata, key, .int32(value)) }
}

@c @implementation
public func frameshare_metadata_set_int64(
    _ metadata: OpaquePointer!,
    _ key: UnsafePointer<CChar>!,
    _ value: Int64
) -> Int32 {
    answer { () throws(Failure) in try set(metadata, key, .int64(value)) }
}

@c @implementation
public func frameshare_metadata_set_float(
    _ metadata: OpaquePointer!,
    _ key: UnsafePointer<CChar>!,
    _ value: Float
) -> Int32 {
    answer { () throws(Failure) in try set(metadata, key, .float(value)) }
}

@c @implementation
public func frameshare_metadata_set_double(
    _ metadata: OpaquePointer!,
    _ key: UnsafePointer<CChar>!,
    _ value: Double
) -> Int32 {
    answer { () throws(Failure) in try set(metadata, key, .double(value)) }
}

@c @implementation
public func frameshare_metadata_set_string(
    _ metadata: OpaquePointer!,
    _ key: UnsafePointer<CChar>!,
    _ value: UnsafePointer<CChar>!
) -> Int32 {
    answer { () throws(Failure) in try set(metadata, key, .string(try text(value, "value"))) }
}

@c @implementation
public func frameshare_metadata_remove(_ metadata: OpaquePointer!, _ key: UnsafePointer<CChar>!) -> Int32 {
    answer { () throws(Failure) in
        let key = try text(key, "key")
        try handles.metadata.with(metadata) { (metadata: inout Metadata) throws(Failure) in metadata[key] = nil }
        return ok
    }
}

@c @implementation
public func frameshare_metadata_clear(_ metadata: OpaquePointer!) -> Int32 {
    answer { () throws(Failure) in
        try handles.metadata.with(metadata) { (metadata: inout Metadata) throws(Failure) in metadata = Metadata() }
        return ok
    }
}

@c @implementation
public func frameshare_metadata_destroy(_ metadata: OpaquePointer!) -> Int32 {
    answer { () throws(Failure) in
        guard handles.metadata.remove(metadata) != nil else { throw .invalidHandle }
        return ok
    }
}

private func set(
    _ metadata: OpaquePointer?,
    _ key: UnsafePointer<CChar>?,
    _ value: MetadataValue
) throws(Failure) -> Int32 {
    let key = try text(key, "key")
    guard (1...255).contains(key.utf8.count) else {
        throw Failure(FRAMESHARE_ERROR_METADATA, "a key has 1 to 255 bytes, not \(key.utf8.count)")
    }
    try handles.metadata.with(metadata) { (metadata: inout Metadata) throws(Failure) in metadata[key] = value }
    return ok
}
