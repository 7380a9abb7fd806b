import FrameShare
import Glibc
import Testing

@Suite("Publishing", .timeLimit(.minutes(10)))
struct PublishingTests {
    @Test("a slot that is not published goes back to the pool, with no frame for anyone")
    func unpublishedSlot() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 2)
        let subscriber = try channel.subscriber()
        for _ in 0..<10 {
            let slot = try present(publisher.tryNextSlot())
            #expect(publisher.statistics.slotsAtSource == 1)
            slot.fill(with: 1)
        }
        #expect(publisher.statistics.slotsAtSource == 0)
        #expect(publisher.statistics.slotsFree == 2)
        #expect(publisher.statistics.published == 0)
        #expect(try subscriber.drain() == [])
    }

    @Test("metadata that does not fit is an error, and the slot goes back")
    func largeMetadata() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher { $0.metadataCapacity = 64 }
        let subscriber = try channel.subscriber()
        let large: Metadata = ["k": .bytes(Array(repeating: 0, count: 56))]
        let slot = try publisher.nextSlotBlocking()
        #expect(publisher.refusal(of: slot, metadata: large) == .metadataTooLarge(size: 65, capacity: 64))
        #expect(publisher.statistics.slotsFree == 4)
        #expect(try subscriber.drain() == [])
        try publisher.send(metadata: ["k": .bytes(Array(repeating: 0, count: 55))])
        let frame = try present(subscriber.tryNext())
        let size = frame.metadata.byteCount
        #expect(size == 64)
    }

    @Test("a channel may go without metadata")
    func noMetadata() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher { $0.metadataCapacity = 0 }
        let subscriber = try channel.subscriber()
        #expect(throws: ChannelError.self) { try publisher.send(metadata: ["a": 1]) }
        try publisher.send(3)
        #expect(try subscriber.drain() == [3])
        for capacity in [-1, .max] {
            #expect(throws: ChannelError.badMetadataCapacity(capacity)) {
                _ = try TestChannel().publisher { $0.metadataCapacity = capacity }
            }
        }
    }

    @Test("frames are numbered from 1, whoever listens")
    func numbers() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        #expect(try (1...5).map { try publisher.send(UInt8($0)) } == [1, 2, 3, 4, 5])
        let subscriber = try channel.subscriber()
        #expect(try subscriber.drain() == [], "frames from before are not given")
        try publisher.send(6)
        #expect(try present(subscriber.tryNext()).number == 6)
    }

    @Test("without a free slot: nil now, a time-out later, a slot as soon as one comes free")
    func noFreeSlot() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 2)
        let first = try publisher.nextSlotBlocking()
        let second = try await publisher.nextSlot()
        #expect(try publisher.trySend() == nil)
        #expect(throws: ChannelError.timedOut()) { _ = try publisher.nextSlotBlocking(timeout: .milliseconds(10)) }
        await #expect(throws: ChannelError.timedOut()) { _ = try await publisher.nextSlot(timeout: .zero) }
        let waiting = Task.detached { try await publisher.nextSlot().slot }
        try await Task.sleep(for: .milliseconds(20))
        let number = first.slot
        try publisher.publish(first)  // nobody listens: it is free again
        #expect(try await waiting.value == number)
        withExtendedLifetime(second.slot) {}
    }

    @Test("a release wakes a publisher that waits for a slot")
    func releaseWakes() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher { $0.stallLimit = nil }
        let subscriber = try channel.subscriber([], .everyFrame)
        try publisher.send(1)
        try publisher.send(2)
        let held = try present(subscriber.tryNext())
        let waiting = Task.detached { try await publisher.nextSlot().slot }
        try await Task.sleep(for: .milliseconds(20))
        held.release()
        _ = try await waiting.value
    }

    @Test("a task that waits for a slot can be cancelled, beside others that wait")
    func cancelledWait() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 2)
        let first = try publisher.nextSlotBlocking()
        let second = try publisher.nextSlotBlocking()
        let patient = Task.detached { try await publisher.nextSlot().slot }
        try await Task.sleep(for: .milliseconds(20))
        let waiting = Task.detached { try await publisher.nextSlot().slot }
        try await Task.sleep(for: .milliseconds(20))
        waiting.cancel()
        await #expect(throws: ChannelError.cancelled) { try await waiting.value }
        let number = first.slot
        try publisher.publish(first)
        #expect(try await patient.value == number)
        withExtendedLifetime(second.slot) {}
    }

    @Test("closing ends whoever waits for a slot, and what was in hand can't be published")
    func closeWhileWaiting() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 2)
        let first = try publisher.nextSlotBlocking()
        let second = try publisher.nextSlotBlocking()
        let waiting = Task.detached { try await publisher.nextSlot().slot }
        try await Task.sleep(for: .milliseconds(20))
        publisher.close()
        await #expect(throws: ChannelError.closed) { try await waiting.value }
        #expect(publisher.refusal(of: first) == .closed)
        #expect(publisher.refusal(of: second) == .closed)
        #expect(try channel.directory.channels() == [])
        publisher.close()
    }

    @Test("a live source waits for nobody: an every-frame subscriber without room loses the frame, and keeps its place")
    func liveSource() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 8)
        let full = try channel.subscriber([], .everyFrame) { $0.name = "full" }
        let good = try channel.subscriber([], .everyFrame) {
            $0.name = "good"
            $0.budget = 4
        }
        for value in 1...50 {
            try publisher.waitForRoom(timeout: .zero)
            #expect(try publisher.trySend(UInt8(value)) != nil, "frame \(value) was waited for")
            #expect(try good.drain() == [UInt8(value)])
        }
        let status = try #require(publisher.statistics.subscribers.first { $0.name == "full" })
        #expect([status.droppedByBudget, status.dropped, UInt64(status.queued)] == [48, 48, 2])
        // What was queued for it is still its own; with room it goes on, and is told what it has lost.
        #expect(try full.drain() == [1, 2])
        try publisher.send(51)
        let frame = try present(full.tryNext())
        #expect(frame.value() == 51)
        #expect(frame.lost == FrameLoss(policy: 48))
        #expect(good.statistics.lost == FrameLoss())
        #expect(publisher.statistics.lostNoFreeSlot == 0)
    }

    @Test("a source that can wait gives each user so much time, and no new time to whoever joins again")
    func stallLimit() async throws {
        let channel = try TestChannel()
        // The time that is used up, of which this test knows no more than that it ends.
        let publisher = try channel.publisher(slots: 8) { $0.stallLimit = .milliseconds(100) }
        let good = try channel.subscriber([], .everyFrame) {
            $0.name = "good"
            $0.budget = 3
        }
        var sent: [UInt8] = []
        func send() throws -> Bool {
            let value = UInt8(sent.count + 1)
            guard try publisher.trySend(value) != nil else { return false }
            sent.append(value)
            return true
        }
        var seen: [UInt8] = []
        for turn in 0..<20 {
            let stalling = try channel.subscriber([], .everyFrame) { $0.name = "stalling" }
            for _ in 0..<2 {
                #expect(try send())
                seen += try good.drain()
            }
            // It has no room: it is waited for once, and then never again in this minute.
            if turn == 0 {
                #expect(try !send(), "it is waited for")
                try await eventually { try send() }
            } else {
                #expect(try send(), "joined for the \(turn + 1)th time it is waited for again")
            }
            seen += try good.drain()
            let status = try #require(publisher.statistics.subscribers.first { $0.name == "stalling" })
            #expect([status.droppedByBudget, UInt64(status.queued)] == [1, 2])
            stalling.close()
            try await eventually { publisher.statistics.subscribers.map(\.name) == ["good"] }
        }
        #expect(seen == sent)
        // The first one's time, and what passed between a look and the next.
        #expect(publisher.statistics.stalled >= 100_000_000)
        #expect(good.statistics.lost == FrameLoss())
    }

    @Test("a wait that sleeps ends when the users' time is used up, also for a source's own buffers")
    func stallLimitEndsSleep() async throws {
        let channel = try TestChannel()
        let pool = try FramePool(streams: [Stream(name: "main", layout: .small)], slots: 8)
        let publisher = try channel.publisher(pool: pool) { $0.stallLimit = .milliseconds(100) }
        let full = try channel.subscriber([], .everyFrame) { $0.name = "full" }
        var atSource: [Int] = []
        publisher.takeFreeSlots { atSource.append($0) }
        #expect(atSource.count == 8)
        for _ in 0..<3 {
            // However many slots the source holds: what counts is what can be offered.
            try await OwnThread { try publisher.waitForRoom() }.value
            try publisher.publish(slot: atSource.removeFirst(), FrameDescription())
        }
        let status = try #require(publisher.statistics.subscribers.first)
        #expect([status.droppedByBudget, UInt64(status.queued)] == [1, 2])
        _ = try full.drain()
    }

    // MARK: a camera's own buffers

    @Test("a camera's slots go to it, come back published or given back, and no others are accepted")
    func cameraSlots() throws {
        let channel = try TestChannel()
        let pool = try FramePool(streams: [Stream(name: "main", layout: .small)], slots: 4)
        let publisher = try channel.publisher(pool: pool)
        let subscriber = try channel.subscriber()
        var queued: [Int] = []
        publisher.takeFreeSlots { queued.append($0) }
        #expect(queued.sorted() == [0, 1, 2, 3])
        pool.slots[2][0][0].writableMapping?.baseAddress.storeBytes(of: 0xab, as: UInt8.self)
        #expect(try publisher.publish(slot: 2, FrameDescription(), metadata: ["n": 1]) == 1)
        #expect(throws: ChannelError.slotNotAtSource(2)) { try publisher.publish(slot: 2, FrameDescription()) }
        for slot in [-1, 4, 1000] {
            #expect(throws: ChannelError.slotNotAtSource(slot)) {
                try publisher.publish(slot: slot, FrameDescription())
            }
        }
        let frame = try present(subscriber.tryNext())
        #expect(frame.byte(0) == 0xab)
        #expect(frame.metadataValue("n") == 1)
        publisher.giveBack(slot: 0)
        queued = []
        publisher.takeFreeSlots { queued.append($0) }
        #expect(queued == [0], "slot 2 is leased")
        frame.release()
        publisher.takeFreeSlots { queued.append($0) }
        #expect(queued == [0, 2])
    }

    @Test("metadata for a slot that the camera does not hold is written nowhere")
    func metadataOfForeignSlot() throws {
        let channel = try TestChannel()
        let pool = try FramePool(streams: [Stream(name: "main", layout: .small)], slots: 4)
        let publisher = try channel.publisher(pool: pool)
        let subscriber = try channel.subscriber()
        publisher.takeFreeSlots { _ in }
        try publisher.publish(slot: 1, FrameDescription(), metadata: ["n": 1])
        let frame = try present(subscriber.tryNext())
        #expect(throws: ChannelError.slotNotAtSource(1)) {
            try publisher.publish(slot: 1, FrameDescription(), metadata: ["n": 2])
        }
        #expect(frame.metadataValue("n") == 1)
    }

    @Test("a source that fails to take a slot keeps none of the rest")
    func failingSource() throws {
        struct NoRoom: Error {}
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 4)
        var taken: [Int] = []
        #expect(throws: NoRoom.self) {
            try publisher.takeFreeSlots { (slot: Int) throws(NoRoom) in
                if taken.count == 2 { throw NoRoom() }
                taken.append(slot)
            }
        }
        #expect(publisher.statistics.slotsAtSource == 2)
        #expect(publisher.statistics.slotsFree == 2)
    }

    @Test("a camera that is short of slots is told by its descriptor when one comes free")
    func freeSlotDescriptor() throws {
        let channel = try TestChannel()
        let pool = try FramePool(streams: [Stream(name: "main", layout: .small)], slots: 3)
        let publisher = try channel.publisher(pool: pool)
        let subscriber = try channel.subscriber([], .queue(2))
        var value: UInt64 = 0
        publisher.takeFreeSlots { _ in }
        while isReadable(publisher.freeSlotDescriptor) { _ = read(publisher.freeSlotDescriptor, &value, 8) }
        try publisher.publish(slot: 0, FrameDescription())
        try publisher.publish(slot: 1, FrameDescription())
        let frame = try present(subscriber.tryNext())
        var taken: [Int] = []
        publisher.takeFreeSlots { taken.append($0) }
        #expect(taken == [])
        #expect(!isReadable(publisher.freeSlotDescriptor))
        frame.release()
        #expect(isReadable(publisher.freeSlotDescriptor, within: 20_000))
        publisher.takeFreeSlots { taken.append($0) }
        #expect(taken == [0])
    }

    // MARK: what can't be published

    @Test("streams and pools that can't be are refused with what is wrong")
    func impossiblePools() throws {
        let channel = try TestChannel()
        func refusal(_ streams: [Stream], slots: Int = 4) -> ChannelError? {
            do throws(ChannelError) {
                _ = try FramePool(streams: streams, slots: slots)
                return nil
            } catch {
                return error
            }
        }
        let main = Stream(name: "main", layout: .small)
        #expect(refusal([main]) == nil)
        #expect(refusal([]) == .noStreams)
        #expect(refusal([main, main]) == .duplicateStream("main"))
        #expect(refusal((0..<9).map { Stream(name: "s\($0)", layout: .small) }) == .tooManyStreams(9))
        for name in ["", "a/b", ".x", "a b", String(repeating: "x", count: 33), "é"] {
            #expect(refusal([Stream(name: name, layout: .small)]) == .badStreamName(name))
        }
        for slots in [-1, 0, 1, 1025, .max] { #expect(refusal([main], slots: slots) == .badSlotCount(slots)) }
        var broken = ImageLayout.small
        broken.planes[0].size = 127
        guard case .layout(stream: "main", _) = refusal([Stream(name: "main", layout: broken)]) else {
            Issue.record("a plane too small for its rows was accepted")
            return
        }
        withExtendedLifetime(channel) {}
    }

    @Test("a pool whose buffers don't fit its streams is refused")
    func poolShape() throws {
        let small = [Stream(name: "main", layout: .small)]
        let good = try FramePool(streams: small, slots: 3)
        func refuses(_ streams: [Stream], _ slots: [[[FrameBuffer]]]) -> Bool {
            do throws(ChannelError) {
                _ = try FramePool(streams: streams, slots: slots)
                return false
            } catch {
                if case .poolShape = error { return true }
                return false
            }
        }
        #expect(!refuses(small, good.slots))
        #expect(refuses(small + [Stream(name: "lores", layout: .small)], good.slots))
        #expect(refuses(small, [good.slots[0], [[]], good.slots[2]]))
        #expect(refuses([Stream(name: "main", layout: .grey(16, 9))], good.slots))
        #expect(refuses(small, [good.slots[0], [good.slots[1][0] + good.slots[2][0]]]))
    }

    @Test("a pool larger than the machine's memory is refused before anything is allocated")
    func tooLarge() throws {
        let huge = ImageLayout(
            width: 65_536,
            height: 65_536,
            format: .r8,
            planes: [PlaneLayout(offset: 0, stride: 65_536, size: 1 << 32)]
        )
        let error = #expect(throws: ChannelError.self) {
            _ = try FramePool(streams: [Stream(name: "main", layout: huge)], slots: 1024)
        }
        guard case .memory(.doesNotFit(let asked, _, _)) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(asked == 1 << 42)
    }
}
