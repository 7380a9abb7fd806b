import FrameShare
import PixelFormats
import Testing

@Suite("Damaged frames", .timeLimit(.minutes(10)))
struct DamagedFrameTests {
    private let jpeg: [UInt8] =
        [0xFF, 0xD8, 0xFF, 0xC0, 0, 8, 8, 0, 8, 0, 16, 0, 0xFF, 0xDA, 0, 3, 0, 7, 7, 7, 7, 0xFF, 0xD9]

    private func used(_ bytes: Int, plane: Int = 0) -> FrameDescription {
        var description = FrameDescription()
        description.setBytesUsed(bytes, stream: 0, plane: plane)
        return description
    }

    @Test("a raw frame that is shorter than its rows is marked and counted, and everybody sees it so")
    func short() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber([], .queue(3))
        // 16x8 grey pixels.
        for (bytes, isDamaged) in [(128, false), (127, true), (1, true), (0, true), (-1, true), (.max, false)] {
            try publisher.send(7, used(bytes))
            let frame = try present(try subscriber.nextBlocking(timeout: .seconds(60)))
            #expect(frame.flags.contains(.error) == isDamaged, "\(bytes) bytes")
            #expect(frame.isDamaged == isDamaged)
            #expect((frame["main"].damage != nil) == isDamaged)
        }
        try publisher.send(7)
        let whole = try present(try subscriber.nextBlocking(timeout: .seconds(60)))
        #expect(whole.isDamaged == false)
        #expect(publisher.statistics.damaged == 4)
        #expect(try channel.monitor().snapshot().damaged == 4)
    }

    @Test("what a driver says of damage is counted, and is no matter of the bytes")
    func told() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber()
        try publisher.send(1, FrameDescription(flags: .error))
        let frame = try present(try subscriber.nextBlocking(timeout: .seconds(60)))
        #expect(frame.isDamaged == true)
        #expect(frame["main"].damage == nil)
        #expect(publisher.statistics.damaged == 1)
    }

    @Test("a compressed frame is looked into, whoever filled the slot")
    func compressed() throws {
        let channel = try TestChannel()
        let layout = try ImageLayout.opaque(width: 16, height: 8, format: .mjpeg, capacity: 64)
        let publisher = try channel.publisher(["main": layout])
        let subscriber = try channel.subscriber([], .queue(2))
        let half = Array(jpeg[..<(jpeg.count / 2)])
        let cases: [(bytes: [UInt8], told: Int?, isDamaged: Bool)] = [
            (jpeg, jpeg.count, false), (half, half.count, true), ([0xFF], 1, true), (jpeg, 1, true), (jpeg, nil, false),
            (half, nil, true),
        ]
        for (bytes, told, isDamaged) in cases {
            guard let slot = try publisher.tryNextSlot() else {
                Issue.record("no slot is free")
                return
            }
            slot["main"].withUnsafeMutableBytes { room in
                room.initializeMemory(as: UInt8.self, repeating: 0)
                room.copyBytes(from: bytes)
            }
            try publisher.publish(slot, told.map { used($0) } ?? FrameDescription())
            let frame = try present(try subscriber.nextBlocking(timeout: .seconds(60)))
            #expect(frame.flags.contains(.error) == isDamaged, "\(bytes.count) bytes, \(String(describing: told)) told")
            #expect(frame.isDamaged == isDamaged)
        }
        // As a camera's loop does.
        var slots: [Int] = []
        publisher.takeFreeSlots { slots.append($0) }
        let slot = try #require(slots.first)
        try publisher.publish(slot: slot, used(5))
        let frame = try present(try subscriber.nextBlocking(timeout: .seconds(60)))
        #expect(frame.isDamaged == true)
        #expect(publisher.statistics.damaged == 5)
    }

    @Test("another generation is judged by its own format")
    func reconfigured() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber()
        try publisher.reconfigure(
            streams: [
                Stream(name: "main", layout: try .opaque(width: 16, height: 8, format: .h264, capacity: 64))
            ],
            slots: 4
        )
        try publisher.send(0xA5)
        let first = try present(try subscriber.nextBlocking(timeout: .seconds(60)))
        #expect(first.isDamaged == true)
        try publisher.reconfigure(streams: [Stream(name: "main", layout: .small)], slots: 4)
        try publisher.send(0xA5)
        let second = try present(try subscriber.nextBlocking(timeout: .seconds(60)))
        #expect(second.isDamaged == false)
        #expect(publisher.statistics.damaged == 1)
    }

    @Test("a copy of a damaged frame is damaged too")
    func copied() throws {
        let (channel, copies) = (try TestChannel(), try TestChannel())
        let publisher = try channel.publisher()
        let target = try copies.publisher()
        let reader = try copies.subscriber([], .queue(2))
        let subscriber = try channel.subscriber()
        try publisher.send(1, used(3))
        let frame = try present(try subscriber.nextBlocking(timeout: .seconds(60)))
        try target.send(1, FrameDescription(flags: frame.flags))
        let copy = try present(try reader.nextBlocking(timeout: .seconds(60)))
        #expect(copy.isDamaged == true)
        #expect(target.statistics.damaged == 1)
    }
}
