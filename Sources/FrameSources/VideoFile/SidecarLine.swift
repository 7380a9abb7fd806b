internal import FrameJSON
internal import FrameShare
internal import Glibc

/// What a recording's side-car tells of a frame.
struct SidecarLine: Equatable {
    var sequence: UInt64
    var clock: FrameClock
    /// ns from the file's beginning.
    var pts: Int64
    var metadata: Metadata

    /// All lines of a file; none where there is no such file.
    static func read(_ path: String) throws(VideoFileError) -> [SidecarLine] {
        guard let bytes = try contents(path) else { return [] }
        var (lines, number) = ([SidecarLine](), 0)
        for text in bytes.split(separator: 10, omittingEmptySubsequences: true) {
            number += 1
            guard let line = SidecarLine(text), line.metadata.canBePublished else {
                // The last one of a recorder that was killed.
                if text.endIndex == bytes.endIndex { break }
                throw .sidecar(path: path, line: number)
            }
            lines.append(line)
        }
        return lines
    }

    init?(_ text: some Sequence<UInt8>) {
        guard case .object(let members)? = JSONText(text), case .integer(let sequence)? = members["sequence"],
            case .integer(let pts)? = members["pts"], case .object(let entries)? = members["metadata"],
            sequence >= 0, pts >= 0
        else { return nil }
        (self.sequence, self.pts, metadata) = (UInt64(sequence), pts, Metadata())
        switch members["clock"] {
        case .string("boottime"): clock = .boottime
        case .string("realtime"): clock = .realtime
        default: clock = .monotonic
        }
        for (key, value) in entries.sorted(by: { $0.key < $1.key }) { metadata[key] = MetadataValue(value) }
    }

    /// In bytes: the frames of a day and more, and no more than a machine has memory for.
    private static let longestFile = 1 << 30

    private static func contents(_ path: String) throws(VideoFileError) -> [UInt8]? {
        // Not blocked by a pipe of that name.
        let file = open(PathText.cString(path), O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw .open(path: path, reason: String(cString: strerror(errno)))
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw .open(path: path, reason: "it is no file")
        }
        func check(_ size: Int) throws(VideoFileError) {
            guard size > Self.longestFile else { return }
            throw .open(path: path, reason: "a side-car has at most \(Self.longestFile >> 20) MiB")
        }
        try check(Int(status.st_size))
        var (bytes, chunk) = ([UInt8](), [UInt8](repeating: 0, count: 1 << 16))
        while true {
            let count = Glibc.read(file, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .open(path: path, reason: String(cString: strerror(errno))) }
            if count == 0 { return bytes }
            try check(bytes.count + count)
            bytes += chunk[..<count]
        }
    }
}

extension MetadataValue {
    /// As a recorder writes it: truth values, text, int32 and double as they are, every other type by its name.
    init?(_ json: JSONText) {
        switch json {
        case .bool(let v): self = .bool(v)
        case .string(let v): self = .string(v)
        case .number(let v): self = .double(v)
        case .integer(let v): self = Int32(exactly: v).map(MetadataValue.int32) ?? .int64(v)
        case .object(let members):
            guard members.count == 1, let (type, value) = members.first, let made = Self.typed(type, value) else {
                return nil
            }
            self = made
        case .null, .array: return nil
        }
    }

    private static func typed(_ type: String, _ json: JSONText) -> MetadataValue? {
        switch type {
        case "int64": return json.integer.map(MetadataValue.int64)
        case "float": return json.double.map { .float(Float($0)) }
        case "bytes": return json.bytes.map(MetadataValue.bytes)
        case "rectangle": return json.rectangle.map(MetadataValue.rectangle)
        case "size": return json.size.map(MetadataValue.size)
        case "bools": return json.list { if case .bool(let v) = $0 { v } else { nil } }.map(MetadataValue.bools)
        case "int32s": return json.list { $0.integer.flatMap { Int32(exactly: $0) } }.map(MetadataValue.int32s)
        case "int64s": return json.list(\.integer).map(MetadataValue.int64s)
        case "floats": return json.list { $0.double.map { Float($0) } }.map(MetadataValue.floats)
        case "doubles": return json.list(\.double).map(MetadataValue.doubles)
        case "strings": return json.list { if case .string(let v) = $0 { v } else { nil } }.map(MetadataValue.strings)
        case "rectangles": return json.list(\.rectangle).map(MetadataValue.rectangles)
        case "sizes": return json.list(\.size).map(MetadataValue.sizes)
        default: return nil
        }
    }
}

extension JSONText {
    fileprivate var integer: Int64? { if case .integer(let v) = self { v } else { nil } }

    fileprivate var double: Double? {
        switch self {
        case .number(let v): v
        case .integer(let v): Double(v)
        default: nil
        }
    }

    /// Of two hexadecimal digits each.
    fileprivate var bytes: [UInt8]? {
        guard case .string(let text) = self, text.utf8.count % 2 == 0 else { return nil }
        let digits = Array(text.utf8)
        var result: [UInt8] = []
        for at in stride(from: 0, to: digits.count, by: 2) {
            guard let byte = UInt8(String(decoding: digits[at...at + 1], as: UTF8.self), radix: 16) else { return nil }
            result.append(byte)
        }
        return result
    }

    fileprivate func list<T>(_ element: (JSONText) -> T?) -> [T]? {
        guard case .array(let values) = self else { return nil }
        let made = values.compactMap(element)
        return made.count == values.count ? made : nil
    }

    fileprivate var rectangle: MetadataValue.Rectangle? {
        guard let numbers = list(\.integer), numbers.count == 4, let x = Int32(exactly: numbers[0]),
            let y = Int32(exactly: numbers[1]), let width = UInt32(exactly: numbers[2]),
            let height = UInt32(exactly: numbers[3])
        else { return nil }
        return .init(x: x, y: y, width: width, height: height)
    }

    fileprivate var size: MetadataValue.Size? {
        guard let numbers = list(\.integer), numbers.count == 2, let width = UInt32(exactly: numbers[0]),
            let height = UInt32(exactly: numbers[1])
        else { return nil }
        return .init(width: width, height: height)
    }
}
