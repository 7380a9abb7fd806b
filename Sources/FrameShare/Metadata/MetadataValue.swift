/// A typed value of a frame's metadata. libcamera's control types map onto these one to one.
public enum MetadataValue: Sendable, Hashable {
    case bool(Bool)
    case int32(Int32)
    case int64(Int64)
    case float(Float)
    case double(Double)
    case string(String)
    case bytes([UInt8])
    case rectangle(Rectangle)
    case size(Size)
    case bools([Bool])
    case int32s([Int32])
    case int64s([Int64])
    case floats([Float])
    case doubles([Double])
    case strings([String])
    case rectangles([Rectangle])
    case sizes([Size])

    /// A rectangle in pixels.
    public struct Rectangle: Sendable, Hashable {
        public var x: Int32
        public var y: Int32
        public var width: UInt32
        public var height: UInt32
        public init(x: Int32, y: Int32, width: UInt32, height: UInt32) {
            (self.x, self.y, self.width, self.height) = (x, y, width, height)
        }

        /// Of the numbers that programs count with. What does not fit becomes the nearest that does: a negative width is 0.
        @_disfavoredOverload
        public init(x: Int, y: Int, width: Int, height: Int) {
            self.init(
                x: Int32(clamping: x),
                y: Int32(clamping: y),
                width: UInt32(clamping: width),
                height: UInt32(clamping: height)
            )
        }
    }

    /// A size in pixels.
    public struct Size: Sendable, Hashable {
        public var width: UInt32
        public var height: UInt32
        public init(width: UInt32, height: UInt32) { (self.width, self.height) = (width, height) }

        /// Of the numbers that programs count with. What does not fit becomes the nearest that does.
        @_disfavoredOverload
        public init(width: Int, height: Int) {
            self.init(width: UInt32(clamping: width), height: UInt32(clamping: height))
        }
    }

    /// An integer of any type: an `int32` where it fits, else an `int64`. What fits neither becomes the nearest `double`.
    public init(_ value: some BinaryInteger) {
        if let small = Int32(exactly: value) {
            self = .int32(small)
        } else {
            self = Int64(exactly: value).map(MetadataValue.int64) ?? .double(Double(value))
        }
    }

    /// A number of any floating-point type: a `float` where it was one, else a `double`.
    public init(_ value: some BinaryFloatingPoint) {
        self = (value as? Float).map(MetadataValue.float) ?? .double(Double(value))
    }

    /// A rectangle.
    public init(_ value: Rectangle) { self = .rectangle(value) }

    /// A size.
    public init(_ value: Size) { self = .size(value) }

    /// A text.
    public init(_ value: String) { self = .string(value) }

    /// Yes or no.
    public init(_ value: Bool) { self = .bool(value) }

    /// The value as an integer, where it is one.
    public var integer: Int64? {
        switch self {
        case .int32(let value): Int64(value)
        case .int64(let value): value
        case .bool(let value): value ? 1 : 0
        default: nil
        }
    }

    /// The value as a number, where it is one.
    public var number: Double? {
        switch self {
        case .float(let value): Double(value)
        case .double(let value): value
        default: integer.map(Double.init)
        }
    }

    /// The value as text, where it is that.
    public var text: String? { if case .string(let value) = self { value } else { nil } }
}

extension MetadataValue: ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByStringLiteral,
    ExpressibleByBooleanLiteral
{
    /// An `int32` where it fits, as most of libcamera's controls are; else an `int64`.
    public init(integerLiteral value: Int64) {
        self = Int32(exactly: value).map(MetadataValue.int32) ?? .int64(value)
    }
    public init(floatLiteral value: Double) { self = .double(value) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
}

extension MetadataValue: CustomStringConvertible {
    public var description: String {
        switch self {
        case .bool(let v): "\(v)"
        case .int32(let v): "\(v)"
        case .int64(let v): "\(v)"
        case .float(let v): "\(v)"
        case .double(let v): "\(v)"
        case .string(let v): v
        case .bytes(let v): "\(v.count) bytes"
        case .rectangle(let v): "(\(v.x), \(v.y)) \(v.width)x\(v.height)"
        case .size(let v): "\(v.width)x\(v.height)"
        case .bools(let v): "\(v)"
        case .int32s(let v): "\(v)"
        case .int64s(let v): "\(v)"
        case .floats(let v): "\(v)"
        case .doubles(let v): "\(v)"
        case .strings(let v): "\(v)"
        case .rectangles(let v): "\(v.map { MetadataValue.rectangle($0).description })"
        case .sizes(let v): "\(v.map { MetadataValue.size($0).description })"
        }
    }
}
