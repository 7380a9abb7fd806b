// Metadata as bytes in a slot. An entry: key length (1 byte), type (1), 0 (2), payload size (4), key, payload; all
// little-endian, unaligned. Types 1...9 are bool, int32, int64, float, double, string, bytes, rectangle, size; + 0x80
// is an array of them. Strings in an array have a 4-byte length each. A newer publisher may write values of other types:
// they are left out.

extension Metadata {
    /// Whether a frame of a channel with the usual room can carry it.
    package var canBePublished: Bool {
        MetadataCoding.size(of: self) <= ChannelLimits.usualMetadataCapacity
            && entries.allSatisfy { (1...255).contains($0.key.utf8.count) }
    }
}

enum MetadataCoding {
    static let headerSize = 8
    static let arrayBit: UInt8 = 0x80

    static func type(of value: MetadataValue) -> UInt8 {
        switch value {
        case .bool: 1
        case .int32: 2
        case .int64: 3
        case .float: 4
        case .double: 5
        case .string: 6
        case .bytes: 7
        case .rectangle: 8
        case .size: 9
        case .bools: 1 | arrayBit
        case .int32s: 2 | arrayBit
        case .int64s: 3 | arrayBit
        case .floats: 4 | arrayBit
        case .doubles: 5 | arrayBit
        case .strings: 6 | arrayBit
        case .rectangles: 8 | arrayBit
        case .sizes: 9 | arrayBit
        }
    }

    /// Whether values of this type can be read here.
    static func isKnown(_ type: UInt8) -> Bool {
        (1...9).contains(type & ~arrayBit) && type != 7 | arrayBit
    }

    static func payloadSize(of value: MetadataValue) -> Int {
        switch value {
        case .bool: 1
        case .int32, .float: 4
        case .int64, .double, .size: 8
        case .rectangle: 16
        case .string(let v): v.utf8.count
        case .bytes(let v): v.count
        case .bools(let v): v.count
        case .int32s(let v): 4 * v.count
        case .floats(let v): 4 * v.count
        case .int64s(let v): 8 * v.count
        case .doubles(let v): 8 * v.count
        case .sizes(let v): 8 * v.count
        case .rectangles(let v): 16 * v.count
        case .strings(let v): v.reduce(0) { $0 + 4 + $1.utf8.count }
        }
    }

    /// The bytes that `metadata` takes.
    static func size(of metadata: Metadata) -> Int {
        metadata.entries.reduce(0) { $0 + headerSize + $1.key.utf8.count + payloadSize(of: $1.value) }
    }

    /// Writes `metadata` into a slot's room and returns the bytes used.
    static func encode(
        _ metadata: Metadata,
        into room: UnsafeMutableRawBufferPointer
    ) throws(ChannelError) -> Int {
        if metadata.isEmpty { return 0 }
        let needed = size(of: metadata)
        guard needed <= room.count else { throw .metadataTooLarge(size: needed, capacity: room.count) }
        var writer = ByteWriter(room: room)
        for entry in metadata.entries {
            let keySize = entry.key.utf8.count
            guard (1...255).contains(keySize) else {
                throw .badMetadata("a key has 1 to 255 bytes of UTF-8, not \(keySize)")
            }
            writer.put(UInt8(keySize))
            writer.put(type(of: entry.value))
            writer.put(UInt16(0))
            writer.put(UInt32(payloadSize(of: entry.value)))
            writer.put(text: entry.key)
            write(entry.value, &writer)
        }
        return writer.offset
    }

    private static func write(_ value: MetadataValue, _ writer: inout ByteWriter) {
        switch value {
        case .bool(let v): writer.put(UInt8(v ? 1 : 0))
        case .int32(let v): writer.put(v)
        case .int64(let v): writer.put(v)
        case .float(let v): writer.put(v.bitPattern)
        case .double(let v): writer.put(v.bitPattern)
        case .string(let v): writer.put(text: v)
        case .bytes(let v): writer.put(bytes: v)
        case .rectangle(let v): writer.put(v)
        case .size(let v): writer.put(v)
        case .bools(let v): for x in v { writer.put(UInt8(x ? 1 : 0)) }
        case .int32s(let v): for x in v { writer.put(x) }
        case .int64s(let v): for x in v { writer.put(x) }
        case .floats(let v): for x in v { writer.put(x.bitPattern) }
        case .doubles(let v): for x in v { writer.put(x.bitPattern) }
        case .strings(let v):
            for x in v {
                writer.put(UInt32(x.utf8.count))
                writer.put(text: x)
            }
        case .rectangles(let v): for x in v { writer.put(x) }
        case .sizes(let v): for x in v { writer.put(x) }
        }
    }
}

/// Writes little-endian values one after the other. The room was measured before; beyond it nothing is written.
private struct ByteWriter {
    let room: UnsafeMutableRawBufferPointer
    var offset = 0

    mutating func put<T: FixedWidthInteger>(_ value: T) {
        guard offset + MemoryLayout<T>.size <= room.count else { return }
        room.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
        offset += MemoryLayout<T>.size
    }
    mutating func put(_ r: MetadataValue.Rectangle) {
        put(r.x)
        put(r.y)
        put(r.width)
        put(r.height)
    }
    mutating func put(_ s: MetadataValue.Size) {
        put(s.width)
        put(s.height)
    }
    mutating func put(text: String) {
        // All at once where the string's bytes lie in one piece, as those of native strings do.
        let whole: Void? = text.utf8.withContiguousStorageIfAvailable { put(raw: UnsafeRawBufferPointer($0)) }
        if whole == nil { for byte in text.utf8 { put(byte) } }
    }
    mutating func put(bytes: [UInt8]) { bytes.withUnsafeBytes { put(raw: $0) } }
    private mutating func put(raw: UnsafeRawBufferPointer) {
        guard offset + raw.count <= room.count else { return }
        UnsafeMutableRawBufferPointer(rebasing: room[offset...]).copyMemory(from: raw)
        offset += raw.count
    }
}
