/// The rows of one plane of an image, top to bottom, to be read in place. It can't outlive the frame.
///
///     let rows = frame["main"].rows()
///     for y in rows.indices {
///         let row = rows[y]
///         for x in 0..<row.count { sum += Int(row[x]) }
///     }
///
/// A row has the bytes that mean something: the padding between rows is left out. Of a compressed image there are no rows.
public struct PlaneRows: ~Escapable {
    private let bytes: RawSpan
    /// How many rows there are.
    public let count: Int
    /// How many bytes of a row mean something.
    public let rowBytes: Int
    /// From the start of a row to that of the next, in bytes.
    public let stride: Int

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan, count: Int, rowBytes: Int, stride: Int) {
        // What a wrong layout would put behind the end is no row.
        let fitting = rowBytes > 0 && stride >= rowBytes ? (bytes.byteCount - rowBytes) / stride + 1 : 0
        self.bytes = bytes
        self.count = bytes.byteCount < rowBytes ? 0 : min(max(0, count), fitting)
        self.rowBytes = rowBytes
        self.stride = stride
    }

    /// The numbers of the rows.
    public var indices: Range<Int> { 0..<count }

    /// The bytes of a row. Traps beyond the last.
    public subscript(row: Int) -> Span<UInt8> {
        @_lifetime(copy self)
        get {
            precondition(row >= 0 && row < count, "there is no row \(row): the plane has \(count)")
            return elements(of: row, as: UInt8.self)
        }
    }

    /// The values of a row of a format with more than a byte each, such as `Y16`: `rows.values(of: 0, as: UInt16.self)`. They
    /// are in the machine's byte order, which is little-endian, as the formats are. Empty where rows do not begin at
    /// multiples of the value's size.
    @_lifetime(copy self)
    public func values<Value: FixedWidthInteger & BitwiseCopyable>(of row: Int, as type: Value.Type) -> Span<Value> {
        precondition(row >= 0 && row < count, "there is no row \(row): the plane has \(count)")
        return elements(of: row, as: type)
    }

    @_lifetime(copy self)
    private func elements<Value: BitwiseCopyable>(of row: Int, as type: Value.Type) -> Span<Value> {
        let size = MemoryLayout<Value>.stride
        let part = bytes.extracting(row * stride..<row * stride + rowBytes / size * size)
        let isAligned = part.withUnsafeBytes {
            UInt(bitPattern: $0.baseAddress) % UInt(MemoryLayout<Value>.alignment) == 0
        }
        guard isAligned else { return _overrideLifetime(Span<Value>(), copying: self) }
        return _overrideLifetime(Span<Value>(_bytes: part), copying: self)
    }

    /// Appends all rows, without padding.
    func append(to all: inout [UInt8]) {
        bytes.withUnsafeBytes { bytes in
            for y in indices { all.append(contentsOf: bytes[y * stride..<y * stride + rowBytes]) }
        }
    }
}

extension [UInt8] {
    /// A copy of all rows, without padding.
    public init(copying rows: borrowing PlaneRows) {
        self.init()
        reserveCapacity(rows.count * rows.rowBytes)
        rows.append(to: &self)
    }
}

/// The rows of one plane of a slot that is being filled. It can't outlive the call that it is given to.
public struct MutablePlaneRows: ~Copyable, ~Escapable {
    private let start: UnsafeMutableRawPointer?
    /// How many rows there are.
    public let count: Int
    /// How many bytes of a row mean something.
    public let rowBytes: Int
    /// From the start of a row to that of the next, in bytes.
    public let stride: Int

    // Invariant: `bytes` are the source's alone, and outlive this value.
    @_lifetime(immortal)
    init(_ bytes: UnsafeMutableRawBufferPointer, count: Int, rowBytes: Int, stride: Int) {
        let fitting = rowBytes > 0 && stride >= rowBytes ? (bytes.count - rowBytes) / stride + 1 : 0
        start = bytes.baseAddress
        self.count = bytes.count < rowBytes ? 0 : min(max(0, count), fitting)
        self.rowBytes = rowBytes
        self.stride = stride
    }

    /// The numbers of the rows.
    public var indices: Range<Int> { 0..<count }

    /// The bytes of a row, to be written. Traps beyond the last.
    public subscript(row: Int) -> MutableSpan<UInt8> {
        @_lifetime(&self)
        mutating get { elements(of: row, as: UInt8.self) }
    }

    /// The values of a row of a format with more than a byte each, such as `Y16`, to be written. They are in the machine's byte
    /// order, which is little-endian, as the formats are. Empty where rows do not begin at multiples of the value's size.
    @_lifetime(&self)
    public mutating func values<Value: FixedWidthInteger & BitwiseCopyable>(
        of row: Int,
        as type: Value.Type
    ) -> MutableSpan<Value> {
        elements(of: row, as: type)
    }

    @_lifetime(&self)
    private mutating func elements<Value: BitwiseCopyable>(of row: Int, as type: Value.Type) -> MutableSpan<Value> {
        guard row >= 0, row < count, let start else {
            preconditionFailure("there is no row \(row): the plane has \(count)")
        }
        let size = MemoryLayout<Value>.stride
        var bytes = UnsafeMutableRawBufferPointer(start: start + row * stride, count: rowBytes / size * size)
        if UInt(bitPattern: bytes.baseAddress) % UInt(MemoryLayout<Value>.alignment) != 0 {
            bytes = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        }
        return _overrideLifetime(MutableSpan<Value>(_unsafeBytes: bytes), mutating: &self)
    }
}
