// Bytes of control messages: little-endian, unaligned, every length checked. The reader is given to hostile peers.

/// Appends values to a message.
struct WireWriter {
    private(set) var bytes: [UInt8] = []

    mutating func put<T: FixedWidthInteger>(_ value: T) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
    mutating func put(_ value: Bool) { put(UInt8(value ? 1 : 0)) }
    mutating func put(_ value: Int) { put(Int64(value)) }
    /// At most 64 KiB of UTF-8; what is beyond is cut at a character.
    mutating func put(_ text: String) {
        var utf8 = Array(text.utf8.prefix(4096))
        while String(validating: utf8, as: UTF8.self) == nil && !utf8.isEmpty { utf8.removeLast() }
        put(UInt16(utf8.count))
        bytes.append(contentsOf: utf8)
    }
    mutating func put(raw: some Sequence<UInt8>) { bytes.append(contentsOf: raw) }

    /// Puts a record: its size, and then what `body` puts. A newer minor version may put more at its end.
    mutating func putRecord(_ body: (inout WireWriter) -> Void) {
        let start = bytes.count
        put(UInt32(0))
        body(&self)
        let size = UInt32(clamping: bytes.count - start - 4)
        for i in 0..<4 { bytes[start + i] = UInt8(truncatingIfNeeded: size >> UInt32(8 * i)) }
    }

    /// Puts a list of records.
    mutating func put<T>(records: some Collection<T>, _ body: (inout WireWriter, T) -> Void) {
        put(UInt16(clamping: records.count))
        for record in records.prefix(Int(UInt16.max)) { putRecord { body(&$0, record) } }
    }

    mutating func put(names: [String]) {
        put(UInt16(clamping: names.count))
        for name in names.prefix(Int(UInt16.max)) { put(name) }
    }
}

/// Why a message could not be read.
struct WireError: Error, Equatable {
    let text: String
}

/// Takes values out of a message. Any byte may be hostile: nothing is believed, and nothing is read past the end.
struct WireReader {
    private let bytes: ArraySlice<UInt8>
    private var offset: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        offset = bytes.startIndex
    }

    /// Whether nothing is left: a sender of an older minor version does not have what would follow.
    var isAtEnd: Bool { offset == bytes.endIndex }

    mutating func integer<T: FixedWidthInteger>(_ type: T.Type = T.self) throws(WireError) -> T {
        let size = MemoryLayout<T>.size
        guard bytes.endIndex - offset >= size else { throw WireError(text: "message too short") }
        var value: T = 0
        for i in 0..<size { value |= T(truncatingIfNeeded: bytes[offset + i]) << T(8 * i) }
        offset += size
        return value
    }

    mutating func bool() throws(WireError) -> Bool {
        switch try integer(UInt8.self) {
        case 0: return false
        case 1: return true
        case let other: throw WireError(text: "truth value \(other)")
        }
    }

    /// A length, offset or count, of at most `limit`.
    mutating func count(atMost limit: Int) throws(WireError) -> Int {
        let value = try integer(Int64.self)
        guard value >= 0 && value <= Int64(limit) else { throw WireError(text: "\(value) is not in 0...\(limit)") }
        return Int(value)
    }

    mutating func text() throws(WireError) -> String {
        let size = Int(try integer(UInt16.self))
        guard bytes.endIndex - offset >= size else { throw WireError(text: "text too short") }
        guard let text = String(validating: bytes[offset..<offset + size], as: UTF8.self) else {
            throw WireError(text: "text is not UTF-8")
        }
        offset += size
        return text
    }

    mutating func raw(_ size: Int) throws(WireError) -> [UInt8] {
        guard size >= 0, bytes.endIndex - offset >= size else { throw WireError(text: "message too short") }
        defer { offset += size }
        return Array(bytes[offset..<offset + size])
    }

    /// Reads a record. What `read` leaves at its end is of a newer minor version, and is skipped.
    mutating func record<T>(_ read: (inout WireReader) throws(WireError) -> T) throws(WireError) -> T {
        let size = Int(try integer(UInt32.self))
        guard bytes.endIndex - offset >= size else {
            throw WireError(text: "a record of \(size) bytes, of which \(bytes.endIndex - offset) came: too short")
        }
        var record = WireReader(bytes[offset..<offset + size])
        offset += size
        return try read(&record)
    }

    /// Reads a list of records.
    /// - Parameter what: what they are, for people
    mutating func records<T>(
        atMost limit: Int,
        _ what: String,
        _ read: (inout WireReader) throws(WireError) -> T
    ) throws(WireError) -> [T] {
        let count = Int(try integer(UInt16.self))
        guard count <= limit else { throw WireError(text: "\(count) \(what)") }
        var result: [T] = []
        for _ in 0..<count { result.append(try record(read)) }
        return result
    }

    mutating func names() throws(WireError) -> [String] {
        var names: [String] = []
        for _ in 0..<Int(try integer(UInt16.self)) { names.append(try text()) }
        return names
    }

    func expectEnd() throws(WireError) {
        guard isAtEnd else { throw WireError(text: "\(bytes.endIndex - offset) bytes too many") }
    }
}
