@testable import FrameShare

/// A frame's metadata, as a subscriber finds it in memory that the publisher wrote.
///
/// What can be copied can be encoded again, and then every value is found under its key.
func fuzzMetadata(_ bytes: UnsafeRawBufferPointer) {
    let view = MetadataView(bytes: RawSpan(_unsafeBytes: bytes))
    _ = view["SensorTimestamp"]
    guard let metadata = try? view.copy() else { return }
    let once = encoded(metadata)
    let again = MetadataView(bytes: once.span.bytes)
    for entry in metadata {
        guard let value = again[entry.key] else { preconditionFailure("'\(entry.key)' is not found") }
        // Compared as bytes: NaN is not equal to itself.
        precondition(encoded([entry.key: value]) == encoded([entry.key: entry.value]), "'\(entry.key)' changed")
    }
    guard let copy = try? again.copy() else { preconditionFailure("what was encoded can't be read") }
    precondition(encoded(copy) == once, "it reads differently")
}

func encoded(_ metadata: Metadata) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: MetadataCoding.size(of: metadata)) { room, count in
        let used = try? MetadataCoding.encode(metadata, into: UnsafeMutableRawBufferPointer(room))
        precondition(used == room.count, "\(room.count) bytes were measured, \(String(describing: used)) written")
        count = used ?? 0
    }
}
