/// An input, read as numbers; beyond its end there are zeros.
struct Input {
    private let bytes: UnsafeRawBufferPointer
    private var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { offset >= bytes.count }

    mutating func byte() -> UInt8 {
        guard !isAtEnd else { return 0 }
        defer { offset += 1 }
        return bytes[offset]
    }

    mutating func integer<T: FixedWidthInteger>() -> T {
        var value: T = 0
        for i in 0..<MemoryLayout<T>.size { value |= T(truncatingIfNeeded: byte()) << T(8 * i) }
        return value
    }

    /// A number near zero more often than far away: of 1, 2, 4 or 8 bytes, negative ones among them.
    mutating func number() -> Int {
        switch byte() % 4 {
        case 0: Int(byte())
        case 1: Int(integer() as UInt16)
        case 2: Int(integer() as Int32)
        default: integer()
        }
    }
}
