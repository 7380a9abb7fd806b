import PeerTesting
import Testing

@testable import FrameShare

@Suite("Metadata")
struct MetadataTests {
    /// One of each type, with the ends of its range.
    static let everyType: Metadata = [
        "bool": true,
        "int32": .int32(.min),
        "int64": .int64(.max),
        "float": .float(-1.5),
        "double": .double(.pi),
        "string": "grün 🎥",
        "empty string": "",
        "bytes": .bytes([0, 255, 7]),
        "rectangle": .rectangle(.init(x: -5, y: 7, width: 1920, height: .max)),
        "size": .size(.init(width: 640, height: 480)),
        "bools": .bools([true, false, true]),
        "int32s": .int32s([1, -2, .max]),
        "int64s": .int64s([.min, 0]),
        "floats": .floats([0.25, -.infinity]),
        "doubles": .doubles([1e300, -0.0]),
        "strings": .strings(["", "two", "drei"]),
        "rectangles": .rectangles([.init(x: 1, y: 2, width: 3, height: 4), .init(x: -1, y: -2, width: 0, height: 9)]),
        "sizes": .sizes([.init(width: 1, height: 2)]),
        "nothing": .int32s([]),
        "no strings": .strings([]),
    ]

    @Test("numbers of any type are values, checked")
    func numbers() {
        let (count, byte, large) = (3, UInt8(200), UInt64.max)
        let metadata: Metadata = [
            "count": MetadataValue(count), "byte": MetadataValue(byte), "large": MetadataValue(large),
        ]
        #expect(metadata["count"] == .int32(3) && metadata["byte"] == .int32(200))
        #expect(metadata["large"] == .double(Double(UInt64.max)))
        #expect(MetadataValue(Int.min) == .int64(.min))
        let (side, name) = (7, String(describing: Self.self))
        let isDone = side > 3
        let box = MetadataValue.Rectangle(x: side, y: -side, width: side, height: -side)
        #expect(MetadataValue(box) == .rectangle(.init(x: Int32(7), y: -7, width: 7, height: 0)))
        #expect(MetadataValue(name) == .string(name) && MetadataValue(isDone) == .bool(true))
        #expect(MetadataValue(MetadataValue.Size(width: side, height: side)) == .size(.init(width: 7, height: 7)))
        #expect(MetadataValue(Float(0.5)) == .float(0.5) && MetadataValue(0.5 as Double) == .double(0.5))
        let (x, y, width, height) = (-5, Int.max, 640, -1)
        let rectangle = MetadataValue.Rectangle(x: x - 1, y: y, width: width * 2, height: height)
        #expect(rectangle == .init(x: -6, y: .max, width: 1280, height: 0))
        #expect(MetadataValue.Size(width: width, height: height) == .init(width: 640, height: 0))
    }

    static func encode(_ metadata: Metadata, capacity: Int = 4096) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0xaa, count: capacity)
        let size = try bytes.withUnsafeMutableBytes { try MetadataCoding.encode(metadata, into: $0) }
        return Array(bytes.prefix(size))
    }

    /// Reads bytes as metadata; nil where they are malformed.
    static func decode(_ bytes: [UInt8]) -> Metadata? {
        bytes.withUnsafeBytes { raw in
            let view = MetadataView(bytes: RawSpan(_unsafeBytes: raw))
            return try? view.copy()
        }
    }

    static func value(_ key: String, in bytes: [UInt8]) -> MetadataValue? {
        bytes.withUnsafeBytes { raw in
            let view = MetadataView(bytes: RawSpan(_unsafeBytes: raw))
            return view[key]
        }
    }

    @Test("every type comes back as it was, in its order")
    func roundTrip() throws {
        let bytes = try Self.encode(Self.everyType)
        #expect(bytes.count == MetadataCoding.size(of: Self.everyType))
        let back = try #require(Self.decode(bytes))
        #expect(back == Self.everyType)
        #expect(back.map(\.key) == Self.everyType.map(\.key))
    }

    @Test("a single value is found without decoding the rest; one that is not there is nil")
    func lookUp() throws {
        let bytes = try Self.encode(Self.everyType)
        for entry in Self.everyType { #expect(Self.value(entry.key, in: bytes) == entry.value) }
        #expect(Self.value("bool ", in: bytes) == nil)
        #expect(Self.value("", in: bytes) == nil)
        #expect(Self.value("boo", in: bytes) == nil)
    }

    @Test("metadata exactly as large as the slot's room fits; one byte less is an error that says both sizes")
    func capacity() throws {
        let metadata: Metadata = ["k": .bytes(Array(repeating: 1, count: 100))]
        let size = MetadataCoding.size(of: metadata)
        #expect(try Self.encode(metadata, capacity: size).count == size)
        #expect(throws: ChannelError.metadataTooLarge(size: size, capacity: size - 1)) {
            try Self.encode(metadata, capacity: size - 1)
        }
        #expect(try Self.encode([:], capacity: 0).isEmpty)
    }

    @Test("a key has 1 to 255 bytes")
    func keys() throws {
        let longest = String(repeating: "é", count: 127) + "x"
        let bytes = try Self.encode([longest: 5])
        #expect(Self.value(longest, in: bytes) == 5)
        #expect(throws: ChannelError.self) { try Self.encode([longest + "x": 5]) }
        #expect(throws: ChannelError.self) { try Self.encode(["": 5]) }
    }

    @Test("literals take the type that libcamera's controls have")
    func literals() {
        let metadata: Metadata = ["a": 5, "b": 5_000_000_000, "c": 0.5, "d": "x", "e": false]
        #expect(metadata.map(\.value) == [.int32(5), .int64(5_000_000_000), .double(0.5), .string("x"), .bool(false)])
        #expect(metadata["a"]?.integer == 5)
        #expect(metadata["b"]?.number == 5e9)
        #expect(metadata["d"]?.integer == nil)
        #expect(metadata["d"]?.text == "x")
    }

    @Test("a key stands once; setting it again keeps its place, nil takes it out")
    func editing() {
        var metadata: Metadata = ["a": 1, "b": 2, "a": 3]
        #expect(metadata.map(\.key) == ["a", "b"])
        #expect(metadata["a"] == 3)
        metadata["a"] = nil
        metadata["z"] = nil
        #expect(metadata.map(\.key) == ["b"])
        #expect(metadata.count == 1)
    }

    @Test("bytes cut short anywhere but between entries are malformed")
    func truncation() throws {
        let bytes = try Self.encode(Self.everyType)
        var boundaries: Set<Int> = [0]
        var sum = 0
        for entry in Self.everyType {
            sum += MetadataCoding.headerSize + entry.key.utf8.count + MetadataCoding.payloadSize(of: entry.value)
            boundaries.insert(sum)
        }
        for length in 0...bytes.count {
            let whole = Self.decode(Array(bytes.prefix(length))) != nil
            #expect(whole == boundaries.contains(length), "\(length) bytes")
        }
    }

    @Test("a size that does not suit its type is malformed", arguments: [1, 2, 3, 4, 5, 8, 9, 0x82, 0x83, 0x88, 0x89])
    func wrongSizes(type: UInt8) throws {
        for size in [UInt8(3), 7, 17] {
            let entry: [UInt8] =
                [1, type, 0, 0, size, 0, 0, 0, UInt8(ascii: "k")] + Array(repeating: 1, count: Int(size))
            #expect(Self.decode(entry) == nil)
            #expect(Self.value("k", in: entry) == nil)
        }
    }

    @Test("100000 spoilt encodings give metadata or an error, and never a crash")
    func fuzz() async throws {
        var random = SeededGenerator(seed: 42)
        let small: Metadata = [
            "a": 1, "s": "text", "l": .strings(["x", "yy"]), "i": .int32s([1, 2, 3]), "b": .bytes([1, 2]),
        ]
        let originals = try [Self.encode(Self.everyType), Self.encode(small), Self.encode(small), Self.encode(small)]
        var (whole, malformed) = (0, 0)
        for round in 0..<100_000 {
            if round % 512 == 0 { await Task.yield() }
            // Mostly the small one: the large one makes the run ten times as long.
            let spoilt = random.spoil(originals[round % 20 == 0 ? 0 : 1])
            if let metadata = Self.decode(spoilt) {
                whole += 1
                // What is accepted can be looked up, and written again.
                for entry in metadata { _ = Self.value(entry.key, in: spoilt) }
                guard MetadataCoding.size(of: metadata) <= spoilt.count else {
                    Issue.record("more came out than went in: \(spoilt)")
                    return
                }
            } else {
                malformed += 1
                _ = Self.value("l", in: spoilt)
            }
        }
        #expect(whole > 1000 && malformed > 1000)
    }

    @Test("pure noise never crashes it")
    func noise() {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0..<64, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            _ = Self.decode(bytes)
            _ = Self.value("key", in: bytes)
        }
    }

    @Test("it travels with its frame", .timeLimit(.minutes(10)))
    func throughChannel() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber([], .queue(2))
        try publisher.send(metadata: Self.everyType)
        try publisher.send()
        let first = try present(subscriber.tryNext())
        #expect(try first.metadata.copy() == Self.everyType)
        #expect(first.metadataValue("size") == .size(.init(width: 640, height: 480)))
        #expect(first.metadata.byteCount == MetadataCoding.size(of: Self.everyType))
        let second = try present(subscriber.tryNext())
        #expect(second.metadata.byteCount == 0)
        #expect(second.metadataValue("size") == nil)
    }
}
