internal import FrameShare
internal import LibcameraShim

/// Values of libcamera's types, as metadata.
enum LibcameraValues {
    /// What kind of value a control takes.
    static func kind(_ type: Int32) -> CameraControl.Kind {
        switch fs_lc_type(UInt32(type)) {
        case FS_LC_BOOL: .boolean
        case FS_LC_BYTE, FS_LC_INT32, FS_LC_INT64: .integer
        case FS_LC_FLOAT: .number
        case FS_LC_STRING: .text
        case FS_LC_RECTANGLE: .rectangle
        case FS_LC_SIZE: .size
        default: .other
        }
    }

    private final class List { var metadata = Metadata() }

    /// Gathers what `body` tells a callback; nil when it fails.
    static func collect(_ body: (fs_lc_values, UnsafeMutableRawPointer) -> Int32) -> Metadata? {
        let list = List()
        let result = body(
            { context, value in
                guard let context, let value = value?.pointee, let converted = LibcameraValues.convert(value) else {
                    return
                }
                Unmanaged<List>.fromOpaque(context).takeUnretainedValue().metadata[String(cString: value.name)] =
                    converted
            },
            Unmanaged.passUnretained(list).toOpaque()
        )
        return result < 0 ? nil : list.metadata
    }

    /// Nil for a value without data, such as an empty array of strings.
    private static func convert(_ value: fs_lc_value) -> MetadataValue? {
        guard let data = value.data else { return nil }
        let isArray = value.is_array != 0
        switch fs_lc_type(UInt32(value.type)) {
        case FS_LC_BOOL:
            let values = read(data, value.count, as: UInt8.self).map { $0 != 0 }
            return isArray ? .bools(values) : values.first.map(MetadataValue.bool)
        case FS_LC_BYTE:
            let values = read(data, value.count, as: UInt8.self)
            return isArray ? .bytes(values) : values.first.map { .int32(Int32($0)) }
        case FS_LC_INT32:
            let values = read(data, value.count, as: Int32.self)
            return isArray ? .int32s(values) : values.first.map(MetadataValue.int32)
        case FS_LC_INT64:
            let values = read(data, value.count, as: Int64.self)
            return isArray ? .int64s(values) : values.first.map(MetadataValue.int64)
        case FS_LC_FLOAT:
            let values = read(data, value.count, as: Float.self)
            return isArray ? .floats(values) : values.first.map(MetadataValue.float)
        case FS_LC_RECTANGLE:
            let numbers = read(data, 4 * value.count, as: Int32.self)
            let values = stride(from: 0, to: numbers.count, by: 4).map {
                MetadataValue.Rectangle(
                    x: numbers[$0],
                    y: numbers[$0 + 1],
                    width: UInt32(bitPattern: numbers[$0 + 2]),
                    height: UInt32(bitPattern: numbers[$0 + 3])
                )
            }
            return isArray ? .rectangles(values) : values.first.map(MetadataValue.rectangle)
        case FS_LC_SIZE:
            let numbers = read(data, 2 * value.count, as: UInt32.self)
            let values = stride(from: 0, to: numbers.count, by: 2).map {
                MetadataValue.Size(width: numbers[$0], height: numbers[$0 + 1])
            }
            return isArray ? .sizes(values) : values.first.map(MetadataValue.size)
        default:
            return .string(String(decoding: read(data, value.count, as: UInt8.self), as: UTF8.self))
        }
    }

    /// The shim says how many there are, as libcamera has them in memory.
    private static func read<T: BitwiseCopyable>(_ data: UnsafeRawPointer, _ count: Int, as type: T.Type) -> [T] {
        (0..<count).map { data.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.stride, as: type) }
    }
}
