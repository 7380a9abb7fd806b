import FrameMemory
import FrameShare
import Testing

/// Subscribers that lag are moved to copies before the source runs short of slots.
@Suite("Copies for subscribers that lag", .timeLimit(.minutes(10)))
struct LagCopiesTests {
    private func publisher(
        _ channel: TestChannel,
        slots: Int = 6,
        copies: Int,
        floor: Int? = nil,
        sourceNeed: Int = 1
    ) throws -> Publisher {
        try channel.publisher(slots: slots) {
            $0.lagCopies = LagCopies(.slots(copies), floor: floor)
            $0.sourceNeed = sourceNeed
        }
    }

    @Test("a reader that takes nothing for a hundred frames gets all of them, and the camera keeps its floor")
    func lag() async throws {
        let channel = try TestChannel()
        let publisher = try publisher(channel, copies: 100, floor: 4)
        let slow = try channel.subscriber([], .everyFrame) { $0.budget = 102 }
        let quick = try channel.subscriber()
        for value in 1...102 {
            _ = try present(try publisher.trySend(UInt8(value)))
            #expect(try quick.drain() == [UInt8(value)])
            let now = publisher.statistics
            #expect(now.slotsFree >= 4)
        }
        let now = publisher.statistics
        #expect(now.lostNoFreeSlot == 0)
        let copies = try #require(now.copies)
        #expect([copies.slots, copies.free, copies.floor, Int(copies.copied)] == [100, 0, 4, 100])
        #expect(now.subscribers.map(\.getsCopies) == [true, false])
        #expect(now.subscribers.map(\.copies) == [100, 0])
        #expect(now.subscribers.allSatisfy { $0.dropped == 0 })
        publisher.close()
        for number in 1...102 {
            let frame = try present(try slow.tryNext())
            #expect(frame.number == UInt64(number))
            #expect(frame.value() == UInt8(number))
            #expect(frame.lost == FrameLoss())
        }
    }

    @Test("a copy has the original's numbers, time, flags, metadata and used bytes")
    func sameButForTheMemory() async throws {
        let channel = try TestChannel()
        let publisher = try publisher(channel, copies: 4, floor: 6)
        let reader = try channel.subscriber([], .queue(6)) { $0.startupFrames = true }
        try await eventually { publisher.startupTakers == 1 }
        for value in 1...4 {
            var description = FrameDescription(
                sequence: UInt64(value * 3),
                timestamp: FrameTimestamp(nanoseconds: Int64(value) * 1_000_000, clock: .boottime),
                flags: .startup
            )
            description.setBytesUsed(100 + value, stream: 0, plane: 0)
            try publisher.send(UInt8(value), description, metadata: ["ExposureTime": .int64(Int64(value))])
        }
        #expect(publisher.statistics.copies?.copied == 2, "the third and the fourth")
        for value in 1...4 {
            let frame = try present(try reader.tryNext())
            #expect(frame.sequence == UInt64(value * 3))
            #expect(frame.timestamp == FrameTimestamp(nanoseconds: Int64(value) * 1_000_000, clock: .boottime))
            // Fewer bytes than its rows need.
            #expect(frame.flags == [.startup, .error])
            #expect(frame.metadataValue("ExposureTime") == .int64(Int64(value)))
            #expect(frame["main"].bytesUsed(plane: 0) == 100 + value)
            #expect(frame.byte(99 + value) == UInt8(value))
            #expect(frame["main"].writeProtection == .sealed)
        }
    }

    @Test("who has caught up is offered the camera's frames again")
    func backToTheCamera() async throws {
        let channel = try TestChannel()
        let publisher = try publisher(channel, copies: 8, floor: 4)
        let reader = try channel.subscriber([], .queue(8)) { $0.budget = 9 }
        for value in 1...6 { try publisher.send(UInt8(value)) }
        #expect(publisher.statistics.subscribers.map(\.getsCopies) == [true])
        #expect(try reader.drain() == [1, 2, 3, 4, 5, 6])
        let copied = publisher.statistics.copies?.copied
        for value in 7...20 {
            try publisher.send(UInt8(value))
            #expect(try reader.drain() == [UInt8(value)])
        }
        #expect(publisher.statistics.copies?.copied == copied)
        #expect(publisher.statistics.subscribers.map(\.getsCopies) == [false])
        #expect(publisher.statistics.copies?.free == 8)
    }

    @Test(
        "without copies left, who shares loses frames and has them counted; who reserved holds the camera's, to its need"
    )
    func noCopiesLeft() async throws {
        let channel = try TestChannel()
        let publisher = try publisher(channel, slots: 8, copies: 2, floor: 6, sourceNeed: 3)
        let reserved = try channel.subscriber([], .everyFrame) { $0.budget = 5 }
        let sharing = try channel.subscriber([], .queue(2)) { $0.budget = 2 }
        for value in 1...5 { _ = try present(try publisher.trySend(UInt8(value))) }
        let now = publisher.statistics
        #expect(now.slotsFree >= 3)
        #expect(now.copies?.free == 0)
        #expect(now.subscribers[0].dropped == 0)
        #expect(now.subscribers[1].dropped >= 3)
        // Its budget is out: the next frame is its own loss, and the source keeps what it needs.
        _ = try present(try publisher.trySend(6))
        #expect(publisher.statistics.subscribers[0].droppedByBudget == 1)
        #expect(publisher.statistics.slotsFree >= 3)
        #expect(try reserved.drain() == [1, 2, 3, 4, 5])
        _ = sharing
    }

    @Test("many readers that each hold a frame get copies rather than what the source needs")
    func manyHolders() async throws {
        let channel = try TestChannel()
        let publisher = try publisher(channel, slots: 4, copies: 12, floor: 1, sourceNeed: 2)
        var readers: [Subscriber] = []
        for _ in 1...8 { readers.append(try channel.subscriber()) }
        // One after the other takes the newest frame and keeps it.
        func hold(_ left: ArraySlice<Subscriber>, _ value: UInt8) throws {
            guard let reader = left.first else {
                #expect(publisher.statistics.slotsFree >= 2)
                #expect(publisher.statistics.subscribers.contains { $0.copies > 0 })
                return
            }
            _ = try present(try publisher.trySend(value))
            let frame = try present(try reader.tryNext())
            #expect(frame.value() == value)
            try hold(left.dropFirst(), value + 1)
            #expect(frame.value() == value)
        }
        try hold(readers[...], 1)
        #expect(publisher.statistics.copies?.free ?? 0 >= 11, "all but what is queued came back")
    }

    @Test("only the streams are copied that somebody who lags has")
    func streams() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(["main": .small, "lores": .grey(8, 4)], slots: 4) {
            $0.lagCopies = LagCopies(.slots(4), floor: 4)
        }
        let reader = try channel.subscriber(["lores"], .queue(4))
        for value in 1...4 { try publisher.send(UInt8(value)) }
        for value in 1...4 {
            let frame = try present(try reader.tryNext())
            #expect(frame.value(of: "lores") == UInt8(value))
        }
        #expect(publisher.statistics.copies?.copied == 2)
    }

    @Test("members of a group share the camera's frames, and copies where the source can't spare a slot")
    func groups() async throws {
        let channel = try TestChannel()
        let publisher = try publisher(channel, slots: 3, copies: 8, floor: 1, sourceNeed: 2)
        let worker = try channel.subscriber([], .queue(6)) {
            $0.group = "ai"
            $0.budget = 6
        }
        for value in 1...6 { _ = try present(try publisher.trySend(UInt8(value))) }
        #expect(publisher.statistics.groups.map(\.given) == [6])
        #expect(publisher.statistics.copies?.copied == 5)
        #expect(try worker.drain() == [1, 2, 3, 4, 5, 6])
        #expect(publisher.statistics.copies?.free == 8)
    }

    @Test("another generation has copies of its own; those of the old one stay whole until they are released")
    func reconfiguring() async throws {
        let channel = try TestChannel()
        let publisher = try publisher(channel, slots: 4, copies: 4, floor: 4)
        let reader = try channel.subscriber([], .queue(4)) { $0.budget = 8 }
        for value in 1...4 { try publisher.send(UInt8(value)) }
        try publisher.reconfigure(streams: [Stream(name: "main", layout: .grey(32, 8))], slots: 4)
        for value in 5...8 { try publisher.send(UInt8(value)) }
        for value in 1...8 {
            let frame = try present(try reader.tryNext())
            #expect(frame.value() == UInt8(value))
            #expect(frame["main"].layout.width == (value > 4 ? 32 : 16))
        }
        #expect(publisher.statistics.copies?.copied == 4)
    }

    @Test("a subscriber that holds copies and goes leaves nothing behind")
    func leaving() async throws {
        let channel = try TestChannel()
        let publisher = try publisher(channel, copies: 8, floor: 6)
        do {
            let reader = try channel.subscriber([], .queue(8)) { $0.budget = 9 }
            for value in 1...8 { try publisher.send(UInt8(value)) }
            #expect(publisher.statistics.copies?.free == 2)
            reader.close()
        }
        try await eventually { publisher.statistics.copies?.free == 8 && publisher.statistics.slotsFree == 6 }
    }

    @Test("the slots of copies are told from the camera's by number and by budget")
    func admission() async throws {
        let channel = try TestChannel()
        let publisher = try publisher(channel, slots: 4, copies: 10)
        #expect(publisher.slotCount == 4)
        #expect(publisher.statistics.copies?.floor == 2, "one more than the source needs")
        let reader = try channel.subscriber([], .everyFrame) { $0.budget = 13 }
        #expect(reader.publisher.slots == 14)
        #expect(throws: ChannelError.self) { try channel.subscriber([], .everyFrame) { $0.budget = 2 } }
    }

    @Test("an overlay gives copies on as it gives frames on")
    func overlay() async throws {
        let channel = try TestChannel()
        let publisher = try publisher(channel, slots: 6, copies: 6, floor: 6)
        // A frame that is not answered in time is not shown; on a slow machine the usual 10 s are short.
        var asking = AskOptions()
        asking.deadline = nil
        let overlay = try Overlay(of: publisher, channel: channel.name + "-overlay", group: "g", asking: asking)
        let worker = try GroupWorker(channel, .queue(6)) { frame, request in
            try request.answer(["value": .int32(Int32(frame.value() ?? 0))])
        }
        var options = Subscriber.Options()
        options.directory = channel.directory
        options.budget = 6
        let viewer = try Subscriber(channel: channel.name + "-overlay", policy: .queue(6), options: options)
        for value in 1...6 { _ = try present(try publisher.trySend(UInt8(value))) }
        for value in 1...6 {
            let frame = try present(try await viewer.next(timeout: .seconds(100)))
            #expect(frame.value() == UInt8(value))
            #expect(frame.metadataValue("value") == .int32(Int32(value)))
        }
        #expect(publisher.statistics.copies?.copied ?? 0 > 0)
        _ = try await worker.stop()
        overlay.close()
    }

    @Test("copies that can't be had are refused, with the reason")
    func refusals() throws {
        let channel = try TestChannel()
        func refusal(_ copies: LagCopies) -> ChannelError? {
            do {
                _ = try channel.publisher { $0.lagCopies = copies }
                return nil
            } catch {
                return error as? ChannelError
            }
        }
        #expect(refusal(LagCopies(.slots(0))) == .badCopies(.slots(0), slots: 0, most: 1020))
        #expect(refusal(LagCopies(.slots(1021))) == .badCopies(.slots(1021), slots: 1021, most: 1020))
        #expect(refusal(LagCopies(.bytes(100))) == .badCopies(.bytes(100), slots: 0, most: 1020))
        #expect(refusal(LagCopies(.slots(2), floor: 0)) == .badCopyFloor(0, slots: 4))
        #expect(refusal(LagCopies(.slots(2), floor: 5)) == .badCopyFloor(5, slots: 4))
        #expect(refusal(LagCopies(.bytes(1 << 20))) == nil)
        for error in [ChannelError.badCopies(.slots(0), slots: 0, most: 1020), .badCopyFloor(5, slots: 4)] {
            #expect("\(error)".contains("ask for 1 to"))
        }
    }

    @Test("publishing from two threads keeps the order of copies and frames")
    func twoThreads() async throws {
        let channel = try TestChannel()
        let publisher = try publisher(channel, slots: 8, copies: 400, floor: 8)
        let reader = try channel.subscriber([], .everyFrame) { $0.budget = 402 }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<2 {
                group.addTask { for _ in 0..<200 { try await publisher.sendWaiting(7) } }
            }
            try await group.waitForAll()
        }
        publisher.close()
        #expect(try await reader.numbersToTheEnd() == Array(1...400))
    }
}
