internal import Glibc

/// A frame's metadata, read where it lies; it can't outlive the frame.
///
/// Nothing is decoded before it is asked for. Bytes that a faulty publisher wrote give nil or an error, never a crash.
public struct MetadataView: ~Escapable {
    private let bytes: RawSpan

    @_lifetime(copy bytes)
    package init(bytes: RawSpan) { self.bytes = bytes }

    /// The encoded size in bytes.
    public var byteCount: Int { bytes.byteCount }

    /// Of bytes that `encodedBytes` gave.
    @_lifetime(copy encoded)
    package init(encoded: RawSpan) { self.init(bytes: encoded) }

    /// The bytes as they lie in the slot.
    package var encodedBytes: RawSpan {
        @_lifetime(copy self)
        get { bytes }
    }

    /// The value under a key; nil when there is none, or when the bytes before it are malformed.
    public subscript(key: String) -> MetadataValue? {
        var offset = 0
        while let entry = Entry(bytes, at: offset) {
            if entry.keyMatches(key, in: bytes) { return MetadataDecoding.value(bytes, entry) }
            offset = entry.end
        }
        return nil
    }

    /// All of it as a value of its own that may be kept. Values of types that a newer publisher has are left out. Throws `badMetadata` where the bytes are malformed.
    public func copy() throws(ChannelError) -> Metadata {
        var entries: [Metadata.Entry] = []
        var offset = 0
        while offset < bytes.byteCount {
            guard let entry = Entry(bytes, at: offset) else { throw .badMetadata("entry at byte \(offset)") }
            guard let key = MetadataDecoding.text(bytes, entry.keyStart, entry.keySize) else {
                throw .badMetadata("key at byte \(offset)")
            }
            offset = entry.end
            guard MetadataCoding.isKnown(entry.type) else { continue }
            guard let value = MetadataDecoding.value(bytes, entry) else { throw .badMetadata("value of '\(key)'") }
            entries.append(Metadata.Entry(key: key, value: value))
        }
        return Metadata(collapsing: entries)
    }

    /// An entry as bytes, for who hands it on undecoded. The pointers are valid as long as the frame is held; behind
    /// them is the publisher's memory.
    package struct RawEntry {
        package let key: UnsafeRawBufferPointer
        /// As `MetadataCoding` numbers them.
        package let type: UInt8
        package let value: UnsafeRawBufferPointer
        /// Where the next entry begins.
        package let end: Int
    }

    /// The entry that begins at a byte; nil at the end, or where the bytes are malformed.
    package func rawEntry(at offset: Int) -> RawEntry? {
        guard let entry = Entry(bytes, at: offset) else { return nil }
        return bytes.withUnsafeBytes { all in
            RawEntry(
                key: UnsafeRawBufferPointer(rebasing: all[entry.keyStart..<entry.start]),
                type: entry.type,
                value: UnsafeRawBufferPointer(rebasing: all[entry.start..<entry.end]),
                end: entry.end
            )
        }
    }

    /// The entry under a key, given as bytes; nil when there is none.
    package func rawEntry(key: UnsafeRawBufferPointer) -> RawEntry? {
        var offset = 0
        while let entry = rawEntry(at: offset) {
            if entry.key.elementsEqual(key) { return entry }
            offset = entry.end
        }
        return nil
    }

    /// Where an entry lies; made only when all of it lies inside the bytes.
    struct Entry {
        let type: UInt8
        let keyStart: Int
        let keySize: Int
        let start: Int
        let size: Int
        var end: Int { start + size }

        init?(_ bytes: borrowing RawSpan, at offset: Int) {
            guard offset >= 0, bytes.byteCount - offset >= MetadataCoding.headerSize else { return nil }
            keySize = Int(bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
            type = bytes.unsafeLoad(fromByteOffset: offset + 1, as: UInt8.self)
            size = Int(bytes.unsafeLoadUnaligned(fromByteOffset: offset + 4, as: UInt32.self).littleEndian)
            keyStart = offset + MetadataCoding.headerSize
            start = keyStart + keySize
            guard keySize > 0, start + size <= bytes.byteCount else { return nil }
        }

        func keyMatches(_ key: String, in bytes: borrowing RawSpan) -> Bool {
            guard key.utf8.count == keySize else { return false }
            let whole = bytes.extracting(keyStart..<start).withUnsafeBytes { here in
                key.utf8.withContiguousStorageIfAvailable { key in
                    guard let a = key.baseAddress, let b = here.baseAddress else { return keySize == 0 }
                    return memcmp(a, b, keySize) == 0
                }
            }
            if let whole { return whole }
            return zip(keyStart..., key.utf8).allSatisfy { bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) == $1 }
        }
    }
}

/// Values out of metadata bytes. Every offset passed in lies inside, as `MetadataView.Entry` has checked: that is what
/// the unsafe loads rest on.
enum MetadataDecoding {
    static func text(_ bytes: borrowing RawSpan, _ start: Int, _ size: Int) -> String? {
        // Copied first: a publisher that changes the bytes between the check and its use would forge an invalid string.
        String(validating: bytes.extracting(start..<start + size).withUnsafeBytes { Array($0) }, as: UTF8.self)
    }

    static func value(_ bytes: borrowing RawSpan, _ entry: MetadataView.Entry) -> MetadataValue? {
        value(bytes, type: entry.type, start: entry.start, size: entry.size)
    }

    static func value(_ bytes: borrowing RawSpan, type: UInt8, start: Int, size: Int) -> MetadataValue? {
        switch type {
        case 1: return size == 1 ? .bool(bytes.unsafeLoad(fromByteOffset: start, as: UInt8.self) != 0) : nil
        case 2: return size == 4 ? .int32(load(bytes, start)) : nil
        case 3: return size == 8 ? .int64(load(bytes, start)) : nil
        case 4: return size == 4 ? .float(Float(bitPattern: load(bytes, start))) : nil
        case 5: return size == 8 ? .double(Double(bitPattern: load(bytes, start))) : nil
        case 6: return text(bytes, start, size).map(MetadataValue.string)
        case 7: return .bytes(bytes.extracting(start..<start + size).withUnsafeBytes { Array($0) })
        case 8: return size == 16 ? .rectangle(rectangle(bytes, start)) : nil
        case 9: return size == 8 ? .size(self.size(bytes, start)) : nil
        case 0x81: return .bools(array(size, 1, start) { bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) != 0 })
        case 0x82: return size % 4 == 0 ? .int32s(array(size, 4, start) { load(bytes, $0) }) : nil
        case 0x83: return size % 8 == 0 ? .int64s(array(size, 8, start) { load(bytes, $0) }) : nil
        case 0x84: return size % 4 == 0 ? .floats(array(size, 4, start) { Float(bitPattern: load(bytes, $0)) }) : nil
        case 0x85: return size % 8 == 0 ? .doubles(array(size, 8, start) { Double(bitPattern: load(bytes, $0)) }) : nil
        case 0x86: return strings(bytes, start, start + size)
        case 0x88: return size % 16 == 0 ? .rectangles(array(size, 16, start) { rectangle(bytes, $0) }) : nil
        case 0x89: return size % 8 == 0 ? .sizes(array(size, 8, start) { self.size(bytes, $0) }) : nil
        default: return nil
        }
    }

    private static func load<T: FixedWidthInteger & BitwiseCopyable>(_ bytes: borrowing RawSpan, _ offset: Int) -> T {
        T(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
    }

    private static func rectangle(_ bytes: borrowing RawSpan, _ o: Int) -> MetadataValue.Rectangle {
        .init(x: load(bytes, o), y: load(bytes, o + 4), width: load(bytes, o + 8), height: load(bytes, o + 12))
    }

    private static func size(_ bytes: borrowing RawSpan, _ o: Int) -> MetadataValue.Size {
        .init(width: load(bytes, o), height: load(bytes, o + 4))
    }

    private static func array<T>(_ size: Int, _ stride: Int, _ start: Int, _ element: (Int) -> T) -> [T] {
        var result: [T] = []
        result.reserveCapacity(size / stride)
        for i in 0..<size / stride { result.append(element(start + i * stride)) }
        return result
    }

    private static func strings(_ bytes: borrowing RawSpan, _ start: Int, _ end: Int) -> MetadataValue? {
        var result: [String] = []
        var offset = start
        while offset < end {
            guard end - offset >= 4 else { return nil }
            let size = Int(load(bytes, offset) as UInt32)
            guard size <= end - offset - 4, let item = text(bytes, offset + 4, size) else { return nil }
            result.append(item)
            offset += 4 + size
        }
        return .strings(result)
    }
}

extension MetadataValue {
    /// A value out of its encoded bytes; nil where they are none of that type.
    package init?(type: UInt8, bytes: UnsafeRawBufferPointer) {
        let span = RawSpan(_unsafeBytes: bytes)
        guard let value = MetadataDecoding.value(span, type: type, start: 0, size: bytes.count) else { return nil }
        self = value
    }
}

extension Frame {
    /// What came with the frame, read where it lies.
    public var metadata: MetadataView {
        @_lifetime(borrow self)
        get {
            // Invariant: the frame keeps the table, and the publisher does not rewrite the record under its lease.
            let span = RawSpan(_unsafeBytes: received.frames.writtenMetadata(slot))
            return _overrideLifetime(MetadataView(bytes: span), borrowing: self)
        }
    }
}
