import FrameShare
import Testing

@Suite("Streams and images", .timeLimit(.minutes(10)))
struct StreamTests {
    private static let yuv = ImageLayout(
        width: 16,
        height: 8,
        format: .yuv420,
        planes: [
            PlaneLayout(offset: 0, stride: 16, size: 128), PlaneLayout(offset: 128, stride: 8, size: 32),
            PlaneLayout(offset: 160, stride: 8, size: 32),
        ]
    )
    /// Luma and chroma in a descriptor each.
    private static let twoBuffers = ImageLayout(
        width: 16,
        height: 8,
        format: .nv12,
        planes: [
            PlaneLayout(offset: 0, stride: 16, size: 128), PlaneLayout(offset: 0, stride: 16, size: 64, buffer: 1),
        ]
    )

    @Test("each stream of a frame has its own bytes and layout")
    func several() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(["main": Self.yuv, "lores": .small, "raw": .grey(10, 3)])
        let subscriber = try channel.subscriber()
        #expect(subscriber.streams.map(\.name) == ["main", "lores", "raw"])
        let slot = try publisher.nextSlotBlocking()
        for (index, name) in ["main", "lores", "raw"].enumerated() {
            slot[name].withUnsafeMutableBytes { bytes in for i in bytes.indices { bytes[i] = UInt8(index + 1) } }
        }
        if slot.image(at: 3) != nil { Issue.record("there is a fourth stream") }
        try publisher.publish(slot)
        let frame = try present(subscriber.tryNext())
        #expect(frame.streams == publisher.streams)
        #expect(frame.value(of: "main") == 1)
        #expect(frame.value(of: "lores") == 2)
        #expect(frame.value(of: "raw") == 3)
        #expect(frame["main"].layout == Self.yuv)
        let size = frame["raw"].bytes.byteCount
        #expect(size == 30)
        if frame.image("depth") != nil { Issue.record("there is a stream 'depth'") }
        if frame.image(at: 3) != nil { Issue.record("there is a fourth stream") }
        if let second = frame.image(at: 1) { #expect(second.name == "lores") } else { Issue.record("no second") }
    }

    @Test("only the chosen streams' descriptors come, in the channel's order")
    func choice() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(["main": Self.yuv, "lores": .small, "raw": .grey(8, 8)], slots: 4)
        // One for all slots of a stream, on either side.
        #expect(channel.descriptors(":main") == 1)
        let subscriber = try channel.subscriber(["raw", "main"])
        #expect(channel.descriptors(":main") == 2)
        #expect(channel.descriptors(":lores") == 1, "a stream that was not chosen came along")
        #expect(channel.descriptors(":raw") == 2)
        #expect(subscriber.streams.map(\.name) == ["main", "raw"])
        try publisher.send(9)
        let frame = try present(subscriber.tryNext())
        #expect(frame.value(of: "raw") == 9)
        if frame.image("lores") != nil { Issue.record("a stream that was not chosen") }
        #expect(frame.streams.map(\.name) == ["main", "raw"])
        #expect(publisher.statistics.subscribers.first?.streams == ["raw", "main"])
    }

    @Test("a stream that there is not is an error that names those there are")
    func unknownStream() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(["main": .small, "lores": .small])
        let error = #expect(throws: ChannelError.self) { _ = try channel.subscriber(["main", "left"]) }
        #expect("\(String(describing: error))".contains("'left'"))
        #expect("\(String(describing: error))".contains("main, lores"))
        withExtendedLifetime(publisher) {}
    }

    @Test("planes lie where the layout says")
    func planes() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(["main": Self.yuv])
        let subscriber = try channel.subscriber()
        let slot = try publisher.nextSlotBlocking()
        slot["main"].withMutableBytes { bytes in
            for i in 0..<192 { bytes.storeBytes(of: UInt8(i), toByteOffset: i, as: UInt8.self) }
        }
        try publisher.publish(slot)
        let frame = try present(subscriber.tryNext())
        #expect(frame.byte(0, plane: 1) == 128)
        #expect(frame.byte(31, plane: 2) == 191)
        let image = frame["main"]
        let sizes = (
            image.plane(-1).byteCount, image.plane(0).byteCount, image.plane(1).byteCount, image.plane(3).byteCount
        )
        #expect(sizes == (0, 128, 32, 0))
    }

    @Test("an image with its planes in several buffers gives each its bytes and its descriptor")
    func multiBuffer() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(["main": Self.twoBuffers, "lores": .small], slots: 3)
        let subscriber = try channel.subscriber()
        #expect(channel.descriptors(":main") == 2 * 2)
        let slot = try publisher.nextSlotBlocking()
        for buffer in 0..<2 {
            slot["main"].withUnsafeMutableBytes(buffer: buffer) { bytes in
                for i in bytes.indices { bytes[i] = UInt8(10 + buffer) }
            }
        }
        #expect(slot["main"].withUnsafeMutableBytes(buffer: 2) { _ in true } == nil)
        slot["lores"].withUnsafeMutableBytes { bytes in for i in bytes.indices { bytes[i] = 99 } }
        try publisher.publish(slot)
        let frame = try present(subscriber.tryNext())
        let image = frame["main"]
        let sizes = (
            image.bytes(buffer: 0).byteCount, image.bytes(buffer: 1).byteCount, image.bytes(buffer: 2).byteCount
        )
        #expect(sizes == (128, 64, 0))
        #expect(frame.byte(127) == 10)
        #expect(frame.byte(63, plane: 1) == 11)
        #expect(frame.value(of: "lores") == 99)
        #expect(Set(image.descriptors).count == 2)
        let others = frame["lores"].descriptors
        #expect(Set(image.descriptors).isDisjoint(with: others))
    }

    @Test("bytes used: the whole plane unless told, never more than the plane, and nothing when nothing")
    func bytesUsed() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(["lores": .small, "main": Self.yuv])
        let subscriber = try channel.subscriber(["main"], .queue(2))
        try publisher.send()
        var description = FrameDescription()
        description.setBytesUsed(100, stream: 1, plane: 0)
        description.setBytesUsed(0, stream: 1, plane: 1)
        description.setBytesUsed(1 << 40, stream: 1, plane: 2)
        description.setBytesUsed(5, stream: 0, plane: 0)
        description.setBytesUsed(1, stream: 8, plane: 0)
        description.setBytesUsed(1, stream: -1, plane: 0)
        description.setBytesUsed(1, stream: 0, plane: 4)
        try publisher.send(0, description)
        let full = try present(subscriber.tryNext())
        #expect((0..<3).map { full["main"].bytesUsed(plane: $0) } == [128, 32, 32])
        full.release()
        let partial = try present(subscriber.tryNext())
        #expect((-1..<4).map { partial["main"].bytesUsed(plane: $0) } == [0, 100, 0, 32, 0])
    }

    @Test("what the source says of a frame arrives with it")
    func description() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber { $0.startupFrames = true }
        try await eventually { publisher.startupTakers == 1 }
        let moment = FrameTimestamp(nanoseconds: 123_456_789, clock: .boottime)
        try publisher.send(1, FrameDescription(sequence: 77, timestamp: moment, flags: [.startup, .keyframe]))
        let frame = try present(subscriber.tryNext())
        #expect(frame.sequence == 77)
        #expect(frame.timestamp == moment)
        #expect(frame.flags == [.startup, .keyframe])
        #expect(frame.number == 1)
        #expect(frame.generation == 1)
        #expect(frame.publishTimestamp.clock == .monotonic)
        #expect(frame.publishTimestamp <= .now())
        frame.release()
        try publisher.send(2)
        let plain = try present(subscriber.tryNext())
        #expect(plain.timestamp == plain.publishTimestamp)
        #expect(plain.flags == [])
    }

    @Test("readers are told what memory it is, and the kernel keeps them from writing")
    func memory() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber()
        try publisher.send(1)
        let frame = try present(subscriber.tryNext())
        #expect(frame["main"].memory == .memfd)
        #expect(frame["main"].writeProtection == .sealed)
        #expect(throws: MemoryError.self) {
            _ = try Mapping(descriptor: frame["main"].descriptors[0], size: 128, access: .readWrite)
        }
        let info = subscriber.publisher
        #expect(info.slots == 4)
        #expect(info.memory.map(\.stream) == ["main"])
        #expect(info.memory.map(\.protection) == [.sealed])
        #expect(publisher.allocationReport?.source == "memfd")
    }
}
