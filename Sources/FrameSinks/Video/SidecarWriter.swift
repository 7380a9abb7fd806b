internal import FrameShare
internal import Glibc

/// A line of JSON for each frame of a recording, beside it.
final class SidecarWriter {
    private let path: String
    private var descriptor: Int32

    init(path: String, overwrite: Bool) throws(VideoError) {
        self.path = path
        descriptor = NewFile.open(path, overwrite: overwrite)
        guard descriptor >= 0 else {
            throw descriptor == -EEXIST ? .fileExists(path) : Self.failure(path, -descriptor, isPlayable: false)
        }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Closes the file. Some file systems say only now that there was no room.
    func finish() throws(VideoError) {
        guard descriptor >= 0 else { return }
        let result = close(descriptor)
        let failure = errno
        descriptor = -1
        guard result == 0 || failure == EINTR else { throw Self.failure(path, failure) }
    }

    private static func failure(_ path: String, _ code: Int32, isPlayable: Bool = true) -> VideoError {
        code == ENOSPC || code == EDQUOT
            ? .diskFull(path: path, isPlayable: isPlayable)
            : .output(path: path, reason: String(cString: strerror(code)))
    }

    /// - Parameters:
    ///   - pts: ns from the file's beginning, as `dts` is
    ///   - number: of the frame in its file, from 0
    func write(_ packet: borrowing VideoPacket, pts: Int64, dts: Int64, number: Int) throws(VideoError) {
        let info = packet.info
        var line = "{\"frame\":\(number),\"sequence\":\(info.sequence),\"timestamp\":\(info.timestamp.nanoseconds)"
        line += ",\"clock\":\"\(info.timestamp.clock)\",\"pts\":\(pts),\"dts\":\(dts),\"keyframe\":\(info.isKeyframe)"
        line += ",\"bytes\":\(packet.bytes.byteCount),\"metadata\":{"
        var isFirst = true
        // Malformed metadata is left out: the frame is there all the same.
        for entry in (try? packet.metadata.copy()) ?? [:] where !VideoPacket.Key.all.contains(entry.key) {
            if !isFirst { line += "," }
            isFirst = false
            line += MetadataJSON.text(entry.key) + ":" + MetadataJSON.value(entry.value)
        }
        line += "}}\n"
        // At once: what a killed recorder has recorded is told, too.
        let failure = line.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while !rest.isEmpty {
                let written = Glibc.write(descriptor, rest.baseAddress, rest.count)
                if written < 0 {
                    if errno == EINTR { continue }
                    return errno
                }
                guard written > 0 else { return EIO }
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
            }
            return 0
        }
        guard failure == 0 else { throw Self.failure(path, failure) }
    }
}

/// Metadata as JSON. Truth values, text, int32 and double stand as they are; every other type is told:
/// `{"float":1.5}`, `{"rectangle":[0,0,64,48]}`, `{"bytes":"00ff"}`.
enum MetadataJSON {
    static func value(_ value: MetadataValue) -> String {
        switch value {
        case .bool(let v): "\(v)"
        case .int32(let v): "\(v)"
        case .double(let v): number(v)
        case .string(let v): text(v)
        case .int64(let v): tagged("int64", "\(v)")
        case .float(let v): tagged("float", number(v))
        case .bytes(let v): tagged("bytes", "\"" + v.map(hex).joined() + "\"")
        case .rectangle(let v): tagged("rectangle", rectangle(v))
        case .size(let v): tagged("size", "[\(v.width),\(v.height)]")
        case .bools(let v): tagged("bools", list(v) { "\($0)" })
        case .int32s(let v): tagged("int32s", list(v) { "\($0)" })
        case .int64s(let v): tagged("int64s", list(v) { "\($0)" })
        case .floats(let v): tagged("floats", list(v) { number($0) })
        case .doubles(let v): tagged("doubles", list(v) { number($0) })
        case .strings(let v): tagged("strings", list(v, text))
        case .rectangles(let v): tagged("rectangles", list(v, rectangle))
        case .sizes(let v): tagged("sizes", list(v) { "[\($0.width),\($0.height)]" })
        }
    }

    /// A string of JSON.
    static func text(_ value: String) -> String {
        var result = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\u{0}"..."\u{1F}", "\u{7F}":
                result += "\\u00" + hex(UInt8(scalar.value))
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    private static func tagged(_ type: String, _ value: String) -> String { "{\"\(type)\":\(value)}" }
    private static func list<T>(_ values: [T], _ text: (T) -> String) -> String {
        "[" + values.map(text).joined(separator: ",") + "]"
    }
    private static func rectangle(_ r: MetadataValue.Rectangle) -> String { "[\(r.x),\(r.y),\(r.width),\(r.height)]" }
    private static func hex(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }

    /// JSON has no words for infinity and what is no number.
    private static func number<T: BinaryFloatingPoint & CustomStringConvertible>(_ value: T) -> String {
        value.isFinite ? value.description : "null"
    }
}
