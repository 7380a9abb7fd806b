import FrameShare
import Testing

/// A copy stage takes the lag: its readers may be as slow as they like, the camera's frames go back at once.
@Suite("Copy stages", .timeLimit(.minutes(10)))
struct CopyStageTests {
    /// A stage, and the channel of its copies: in a folder of its own.
    private func stage(
        of channel: TestChannel,
        to copies: TestChannel,
        _ configure: (inout CopyStage.Options) -> Void = { _ in }
    ) throws -> CopyStage {
        var options = CopyStage.Options()
        options.subscriber.directory = channel.directory
        options.publisher.directory = copies.directory
        configure(&options)
        return try CopyStage(of: channel.name, options: options)
    }

    @Test("copies have the original's number, time, flags and metadata, and their pixels")
    func sameButForTheMemory() async throws {
        let channel = try TestChannel()
        let copied = try TestChannel()
        let publisher = try channel.publisher(slots: 4)
        let stage = try stage(of: channel, to: copied)
        let copies = try stage.open(as: copied.name)
        let reader = try copied.subscriber([], .queue(8)) { $0.startupFrames = true }
        try await eventually { publisher.startupTakers == 1 && copies.startupTakers == 1 }
        try stage.start(on: copies)
        let metadata: Metadata = ["ExposureTime": 8000, "Name": "door", "Gains": .floats([1.5, 2])]
        for value in 1...5 {
            let time = FrameTimestamp(nanoseconds: Int64(value) * 1_000_000, clock: .boottime)
            let description = FrameDescription(sequence: UInt64(value * 3), timestamp: time, flags: .startup)
            try publisher.send(UInt8(value), description, metadata: metadata)
            let frame = try present(await reader.next(timeout: .seconds(20)))
            #expect(frame.value() == UInt8(value))
            #expect(frame.sequence == UInt64(value * 3))
            #expect(frame.timestamp == time)
            #expect(frame.flags == .startup)
            #expect(try frame.metadata.copy() == metadata)
        }
        publisher.close()
        #expect(try await reader.next(timeout: .seconds(20)) == nil, "the copies end as the originals do")
        #expect(stage.statistics.copied == 5)
        #expect(stage.statistics.bytes == 5 * 128)
    }

    @Test("readers that hold a hundred copies leave the camera all its slots")
    func lag() async throws {
        let channel = try TestChannel()
        let copied = try TestChannel()
        let publisher = try channel.publisher(slots: 4)
        let stage = try stage(of: channel, to: copied) { $0.capacity = .slots(110) }
        let copies = try stage.open(as: copied.name)
        let reader = try copied.subscriber([], .everyFrame) { $0.budget = 100 }
        try stage.start(on: copies)
        for value in 1...100 {
            try await publisher.sendWaiting(UInt8(value))
            while stage.statistics.copied < UInt64(value) { try await Task.sleep(for: .milliseconds(1)) }
        }
        // None was taken yet, and the camera has lost nothing; the next ones have no room, which is the reader's loss alone.
        let other = try copied.subscriber([], .latest)
        for value in 101...103 {
            try await publisher.sendWaiting(UInt8(value))
            while stage.statistics.copied < UInt64(value) { try await Task.sleep(for: .milliseconds(1)) }
            #expect(try other.drain() == [UInt8(value)])
        }
        #expect(stage.statistics.lost == FrameLoss() && stage.statistics.noRoom == 0)
        #expect(publisher.statistics.lostNoFreeSlot == 0)
        #expect(copies.statistics.lostNoFreeSlot == 0)
        #expect(copies.statistics.subscribers.map(\.droppedByBudget) == [3, 0])
        publisher.close()
        #expect(try await reader.numbersToTheEnd() == Array(1...100))
    }

    /// A camera's step: it can't wait for a slot.
    private func shoot(_ camera: Publisher) throws {
        guard let slot = try camera.tryNextSlot() else { return camera.countLost(noFreeSlot: 1) }
        try camera.publish(slot)
    }

    @Test(
        "six slots and a reader three times too slow: the camera loses nothing, with a copy stage the reader falls back further"
    )
    func threeTimesTooSlow() async throws {
        let channel = try TestChannel()
        let copied = try TestChannel()
        let camera = try channel.publisher(slots: 6)
        let stage = try stage(of: channel, to: copied) { $0.capacity = .slots(40) }
        let copies = try stage.open(as: copied.name)
        let behind = try copied.subscriber([], .everyFrame) { $0.budget = 20 }
        try stage.start(on: copies)
        for frame in 1...90 {
            try shoot(camera)
            func done() -> UInt64 { stage.statistics.copied + stage.statistics.noRoom }
            while done() < UInt64(frame) { try await Task.sleep(for: .milliseconds(1)) }
            if frame % 3 == 0 { try present(behind.tryNext()).release() }
        }
        #expect(camera.statistics.lostNoFreeSlot == 0)
        #expect(stage.statistics.lost == FrameLoss())
        // 29 were given back before the last came, 20 wait; the rest are the reader's own loss.
        #expect(stage.statistics.copied == 90 && copies.statistics.lostNoFreeSlot == 0)
        #expect(copies.statistics.subscribers.map(\.droppedByBudget) == [41])
        stage.stop()

        let beside = try TestChannel()
        let direct = try beside.publisher(slots: 6)
        let reader = try beside.subscriber([], .everyFrame)
        for frame in 1...90 {
            try shoot(direct)
            if frame % 3 == 0 { try present(reader.tryNext()).release() }
        }
        #expect(direct.statistics.lostNoFreeSlot == 0)
        #expect(direct.statistics.subscribers.map(\.droppedByBudget) == [59])
    }

    @Test("every third frame", arguments: [3])
    func every(third: Int) async throws {
        #expect(try await sequences(interval: 10) { $0.every = third } == [0, 3, 6, 9, 12, 15, 18])
    }

    @Test("at most so many a second, by the frames' own time, also where the camera's is not exact")
    func maximumRate() async throws {
        // 100 frames a second, each up to 2 ms early or late; 25 are wanted.
        let taken = try await sequences(interval: 10, jitter: [0, 2, -2, 1, -1, 2, 0, -2]) { $0.maximumRate = 25 }
        #expect(taken == [0, 4, 8, 12, 16])
    }

    private func sequences(
        interval: Int64,
        jitter: [Int64] = [0],
        _ configure: (inout CopyStage.Options) -> Void
    ) async throws -> [UInt64] {
        let channel = try TestChannel()
        let copied = try TestChannel()
        let publisher = try channel.publisher(slots: 4)
        let stage = try stage(of: channel, to: copied, configure)
        let copies = try stage.open(as: copied.name)
        let reader = try copied.subscriber([], .queue(24))
        try stage.start(on: copies)
        for value in 0..<20 {
            let time = Int64(value) * interval + jitter[value % jitter.count] + 1000
            let description = FrameDescription(
                sequence: UInt64(value),
                timestamp: FrameTimestamp(nanoseconds: time * 1_000_000)
            )
            try publisher.send(1, description)
            func done() -> UInt64 { stage.statistics.copied + stage.statistics.skipped }
            while done() <= UInt64(value) { try await Task.sleep(for: .milliseconds(1)) }
        }
        publisher.close()
        var result: [UInt64] = []
        while let frame = try await reader.next(timeout: .seconds(20)) { result.append(frame.sequence) }
        return result
    }

    @Test("a crop and a choice of streams take only their own memory")
    func cropAndStreams() async throws {
        let channel = try TestChannel()
        let copied = try TestChannel()
        let publisher = try channel.publisher(["main": .grey(640, 480), "lores": .grey(64, 48)], slots: 4)
        let stage = try stage(of: channel, to: copied) {
            $0.streams = ["lores"]
            $0.crops = ["lores": Crop(x: 8, y: 8, width: 16, height: 16)]
            $0.capacity = .slots(8)
        }
        #expect(stage.plan.streams == [Stream(name: "lores", layout: .grey(16, 16))])
        // A page of pixels, and the room for metadata.
        #expect(stage.plan.byteCount < 8 * (4096 + 65536 + 1024))
        let copies = try stage.open(as: copied.name)
        let reader = try copied.subscriber([], .latest)
        try stage.start(on: copies)
        let slot = try publisher.nextSlotBlocking(timeout: .seconds(60))
        slot["lores"].withUnsafeMutableBytes { for i in 0..<$0.count { $0[i] = UInt8(i / 64 &+ i % 64) } }
        try publisher.publish(slot)
        let frame = try present(await reader.next(timeout: .seconds(20)))
        let pixels = frame["lores"].bytes.withUnsafeBytes { Array($0.prefix(256)) }
        var wanted: [UInt8] = []
        for y in 8..<24 { for x in 8..<24 { wanted.append(UInt8(x + y)) } }
        #expect(pixels == wanted)
        stage.stop()
    }

    @Test(
        "a copy of a frame that is too short is as short, cropped or not, and says so",
        arguments: [Crop(x: 8, y: 2, width: 8, height: 4), nil]
    )
    func shortFrames(crop: Crop?) async throws {
        let channel = try TestChannel()
        let copied = try TestChannel()
        let publisher = try channel.publisher(["main": .grey(16, 8)], slots: 4)
        let stage = try stage(of: channel, to: copied) {
            if let crop { $0.crops = ["main": crop] }
        }
        let stride = stage.plan.streams[0].layout.planes[0].stride
        let copies = try stage.open(as: copied.name)
        let reader = try copied.subscriber([], .queue(4))
        try stage.start(on: copies)
        // Of the crop's rows, from byte 40, 56, 72 and 88 on, 8 bytes each: how many are there.
        let rows: [(used: Int, cropped: Int)] = [
            (1, 0), (40, 0), (44, 4), (50, 8), (60, stride + 4), (95, 3 * stride + 7), (96, -1), (128, -1),
        ]
        for (used, cropped) in rows {
            var description = FrameDescription()
            description.setBytesUsed(used, stream: 0, plane: 0)
            try publisher.send(7, description)
            let frame = try present(await reader.next(timeout: .seconds(20)))
            let size = frame["main"].layout.planes[0].size
            #expect(
                frame["main"].bytesUsed(plane: 0) == (crop == nil ? used : cropped < 0 ? size : cropped),
                "\(used) bytes"
            )
            #expect(frame.isDamaged == (used < 128))
            #expect(frame.flags.contains(.error) == (used < 128))
        }
        stage.stop()
    }

    @Test("another size of the camera's frames becomes another size of the copies")
    func reconfigured() async throws {
        let channel = try TestChannel()
        let copied = try TestChannel()
        let publisher = try channel.publisher(slots: 4)
        let stage = try stage(of: channel, to: copied)
        let copies = try stage.open(as: copied.name)
        let reader = try copied.subscriber([], .queue(4))
        try stage.start(on: copies)
        try publisher.send(1)
        #expect(try present(await reader.next(timeout: .seconds(20))).value() == 1)
        try publisher.reconfigure(streams: [Stream(name: "main", layout: .grey(32, 32))], slots: 4)
        try publisher.send(2)
        let frame = try present(await reader.next(timeout: .seconds(20)))
        #expect(frame.value() == 2)
        #expect(frame["main"].layout == .grey(32, 32))
        stage.stop()
    }

    @Test("a lost publisher fails the channel of the copies, with the reason")
    func failure() async throws {
        let channel = try TestChannel()
        let copied = try TestChannel()
        let publisher = try channel.publisher(slots: 4)
        let stage = try stage(of: channel, to: copied)
        let copies = try stage.open(as: copied.name)
        let reader = try copied.subscriber([], .latest)
        try stage.start(on: copies)
        publisher.fail("the lens fell off")
        await #expect(throws: ChannelError.sourceFailed("the lens fell off")) { try await reader.numbersToTheEnd() }
    }

    @Test("a pool is as large as was asked for, by frames, bytes or time, or refused with the arithmetic")
    func capacity() throws {
        let streams = [Stream(name: "main", layout: .grey(1024, 1024))]
        func plan(_ capacity: CopyCapacity) throws(CopyError) -> CopyPlan {
            try CopyPlan(streams: streams, capacity: capacity, metadataCapacity: 4096 - 192)
        }
        let one = try plan(.slots(2)).bytesPerFrame
        #expect(one > 1 << 20 && one < 1 << 20 + 8192)
        #expect(try plan(.slots(300)).byteCount == 300 * one)
        #expect(try plan(.bytes(64 << 20)).slots == (64 << 20) / one)
        #expect(try plan(.duration(.seconds(10), framesPerSecond: 29.97)).slots == 300)
        for capacity in [CopyCapacity.slots(1), .slots(1025), .bytes(one), .duration(.seconds(1), framesPerSecond: 1)] {
            #expect(throws: CopyError.self) { try plan(capacity) }
        }
        #expect(throws: CopyError.cropOfUnknownStream("lores", copied: ["main"])) {
            try CopyPlan(streams: streams, crops: ["lores": Crop(width: 2, height: 2)], capacity: .slots(4))
        }
    }
}
