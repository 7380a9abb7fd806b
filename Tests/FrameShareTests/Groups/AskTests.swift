import FrameShare
import Synchronization
import Testing

/// Frames for a group, and the answers to them.
@Suite("Asking groups", .timeLimit(.minutes(10)))
struct AskTests {
    let channel: TestChannel

    init() throws { channel = try TestChannel() }

    @Test("the answer to a frame is that of the worker who had it, made of its pixels")
    func answered() async throws {
        let publisher = try channel.publisher()
        let workers = try (0..<2).map { _ in
            try GroupWorker(channel) { frame, request in
                try request.answer(["value": .int32(Int32(frame.value() ?? 0)), "number": .int64(Int64(frame.number))])
            }
        }
        var served: Set<UInt32> = []
        for value in UInt8(1)...20 {
            let slot = try await publisher.nextSlot()
            slot.fill(with: value)
            let answer = try await publisher.ask("g", slot)
            #expect(answer["value"]?.integer == Int64(value))
            #expect(answer["number"]?.integer == Int64(answer.frame))
            served.insert(answer.worker)
        }
        #expect(served.count == 2)
        var shares: [Int] = []
        for worker in workers { shares.append(try await worker.stop()) }
        #expect(shares.reduce(0, +) == 20)
    }

    @Test("one frame is asked of two groups, and seen by everyone else, at once")
    func groupsAndOthers() async throws {
        let publisher = try channel.publisher(slots: 8)
        let plain = try channel.subscriber([], .queue(4))
        let results = try publisher.results(of: "b")
        let a = try GroupWorker(channel, group: "a") { _, request in try request.answer(.bytes([1])) }
        // Nobody waits for its answers before the next frame: its queue has room for all of them.
        let b = try GroupWorker(channel, group: "b", .queue(3)) { _, request in try request.answer(.bytes([2])) }
        for value in UInt8(0)..<3 {
            let pending = try publisher.submit(filledWith: value, group: "a")
            #expect(try await pending.answer.reply == .bytes([1]))
        }
        let iterator = results.makeAsyncIterator()
        for frame in UInt64(1)...3 {
            let result = try #require(await iterator.next())
            #expect(try result.frame == frame && result.answer.reply == .bytes([2]))
        }
        #expect(try plain.drain() == [0, 1, 2])
        for worker in [a, b] { #expect(try await worker.stop() == 3) }
    }

    @Test("replies of any size arrive whole", arguments: [0, 1, 16_384, 16_385, 3_000_000])
    func sizes(count: Int) async throws {
        let publisher = try channel.publisher()
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let worker = try GroupWorker(channel) { _, request in try request.answer(.bytes(bytes)) }
        #expect(try await publisher.submit(filledWith: 1).answer.reply == .bytes(bytes))
        _ = try await worker.stop()
    }

    @Test("metadata too large for a message arrives whole, too")
    func largeMetadata() async throws {
        let publisher = try channel.publisher()
        let boxes = MetadataValue.rectangles((0..<5000).map { .init(x: $0, y: -$0, width: 7, height: 9) })
        let worker = try GroupWorker(channel) { _, request in try request.answer(["boxes": boxes, "score": 0.5]) }
        let answer = try await publisher.submit(filledWith: 1).answer
        #expect(answer["boxes"] == boxes && answer["score"] == 0.5)
        _ = try await worker.stop()
    }

    @Test("a worker's error is the asker's error, and the worker goes on")
    func errors() async throws {
        let publisher = try channel.publisher()
        let worker = try GroupWorker(channel) { frame, request in
            if frame.value() == 1 { try request.fail("no detector") } else { try request.answer(.done) }
        }
        let pending = try publisher.submit(filledWith: 1)
        #expect(await failure(of: pending) == .failed(frame: pending.frame, reason: "no detector"))
        #expect(try await publisher.submit(filledWith: 2).answer.reply == .done)
        _ = try await worker.stop()
    }

    @Test("a long job tells how far it is, in order, before its answer")
    func progress() async throws {
        let publisher = try channel.publisher()
        let worker = try GroupWorker(channel) { _, request in
            for step in Int32(1)...3 { try request.progress(["step": .int32(step)]) }
            try request.answer(.bytes([9]))
        }
        let pending = try publisher.submit(filledWith: 1)
        var steps: [Int64?] = []
        while let reply = try await pending.progress() { steps.append(reply["step"]?.integer) }
        #expect(steps == [1, 2, 3])
        #expect(try await pending.answer.reply == .bytes([9]))
        #expect(try await pending.answer.reply == .bytes([9]), "asked for twice")
        _ = try await worker.stop()
    }

    @Test("asking a group without a member, or with none that has room, fails at once; others get the frame")
    func noOne() async throws {
        let publisher = try channel.publisher(slots: 6)
        let plain = try channel.subscriber([], .queue(4))
        #expect(await failure(of: try publisher.submit(filledWith: 7)) == .noWorker(group: "g"))
        let member = try channel.subscriber([], .queue(1)) { options in
            options.group = "g"
            options.budget = 1
        }
        let first = try publisher.submit(filledWith: 8)
        let held = try present(try member.nextBlocking())
        let second = try publisher.submit(filledWith: 9)
        #expect(await failure(of: second) == .busy(group: "g", frame: second.frame))
        #expect(try plain.drain() == [7, 8, 9])
        try await held.request?.answer(.done)
        #expect(try await first.answer.reply == .done)
    }

    @Test("a frame that gives way to a newer one fails as such")
    func replaced() async throws {
        let publisher = try channel.publisher(slots: 6)
        let member = try channel.subscriber([], .latest) { $0.group = "g" }
        let first = try publisher.submit(filledWith: 1)
        let second = try publisher.submit(filledWith: 2)
        #expect(await failure(of: first) == .withdrawn(frame: first.frame))
        let frame = try present(try member.nextBlocking())
        #expect(frame.value() == 2)
        try await frame.request?.answer(.done)
        #expect(try await second.answer.frame == frame.number)
    }

    @Test("past its deadline a request fails, its frame is taken back or its worker told; a late answer is no one's")
    func deadlines() async throws {
        let publisher = try channel.publisher(slots: 4)
        let member = try channel.subscriber([], .queue(2)) { $0.group = "g" }
        let worked = try publisher.submit(filledWith: 1) { $0.deadline = .seconds(3) }
        let queued = try publisher.submit(filledWith: 2) { $0.deadline = .seconds(3) }
        let frame = try present(try member.nextBlocking())
        #expect(await failure(of: worked) == .deadlinePassed(frame: worked.frame))
        #expect(await failure(of: queued) == .deadlinePassed(frame: queued.frame))
        try await eventually { publisher.statistics.slotsFree == 3 }  // all but the one in its hands
        let request = try present(frame.request)
        try await eventually { request.isCancelled }
        // The late answer, and one more: neither is taken for the next frame's.
        let next = try publisher.submit(filledWith: 3)
        try await request.answer(.bytes([1]))
        try await request.answer(.bytes([1]))
        let other = try present(try member.nextBlocking())
        #expect(other.value() == 3)
        try await other.request?.answer(.bytes([3]))
        #expect(try await next.answer.reply == .bytes([3]))
        #expect(publisher.statistics.groups.map(\.discarded) == [2])
    }

    @Test("a worker that is to be cut off when it is late loses all it holds, and its slots are free")
    func cutOff() async throws {
        let publisher = try channel.publisher(slots: 4)
        let member = try channel.subscriber([], .queue(2)) { $0.group = "g" }
        let pending = try publisher.submit(filledWith: 1) { options in
            options.deadline = .seconds(3)
            options.overdue = .isCutOff
        }
        let frame = try present(try member.nextBlocking())
        #expect(await failure(of: pending) == .deadlinePassed(frame: pending.frame))
        try await eventually { publisher.statistics.slotsFree == 4 }
        let isRevoked = frame.isRevoked
        #expect(isRevoked)
        await #expect(throws: ChannelError.self) { _ = try await member.nextValue() }
    }

    @Test("cancelling reaches the worker while it works")
    func cancellation() async throws {
        let publisher = try channel.publisher()
        let told = Mutex(0)
        let worker = try GroupWorker(channel) { frame, request in
            request.whenCancelled { told.withLock { $0 += 1 } }
            while frame.value() == 1 && !request.isCancelled { usleepShort() }
            try request.answer(.done)
        }
        let asking = Task {
            let slot = try await publisher.nextSlot()
            slot.fill(with: 1)
            return try await publisher.ask("g", slot)
        }
        try await eventually { publisher.statistics.subscribers.contains { $0.held == 1 } }
        asking.cancel()
        await #expect(throws: WorkError.cancelled) { try await asking.value }
        #expect(try await publisher.submit(filledWith: 2).answer.reply == .done)
        try await eventually { told.withLock { $0 } == 1 }
        _ = try await worker.stop()
    }

    @Test("a worker that leaves gives what it has not taken to the others; what it holds it may still answer")
    func leaving() async throws {
        let publisher = try channel.publisher(slots: 6)
        let leaver = try channel.subscriber([], .queue(2)) { $0.group = "g" }
        let held = try publisher.submit(filledWith: 1)
        let queued = try publisher.submit(filledWith: 2)
        let frame = try present(try leaver.nextBlocking())
        let other = try GroupWorker(channel) { frame, request in try request.answer(.bytes([frame.value() ?? 0])) }
        leaver.close()
        #expect(try await queued.answer.reply == .bytes([2]))
        try await frame.request?.answer(.bytes([100]))
        #expect(try await held.answer.reply == .bytes([100]))
        _ = try await other.stop()
    }

    @Test("who joins takes what waits behind a slow one")
    func joining() async throws {
        let publisher = try channel.publisher(slots: 6)
        let slow = try channel.subscriber([], .queue(2)) { $0.group = "g" }
        let held = try publisher.submit(filledWith: 1)
        let queued = try publisher.submit(filledWith: 2)
        let frame = try present(try slow.nextBlocking())
        let other = try GroupWorker(channel) { frame, request in try request.answer(.bytes([frame.value() ?? 0])) }
        #expect(try await queued.answer.reply == .bytes([2]))
        try await frame.request?.answer(.bytes([1]))
        #expect(try await held.answer.reply == .bytes([1]))
        _ = try await other.stop()
    }

    @Test("closing the channel ends what is open; draining before it lets workers finish")
    func ending() async throws {
        let publisher = try channel.publisher(slots: 6)
        let worker = try GroupWorker(channel, .queue(3)) { _, request in
            usleepShort()
            try request.answer(.done)
        }
        let pending = try (0..<3).map { try publisher.submit(filledWith: UInt8($0)) }
        #expect(await publisher.drain(timeout: .seconds(30)) == 0)
        for one in pending { #expect(try await one.answer.reply == .done) }
        _ = try await worker.stop()
        let member = try channel.subscriber([], .queue(1)) { $0.group = "g" }
        let open = try publisher.submit(filledWith: 9)
        #expect(await publisher.drain(timeout: .milliseconds(20)) == 1)
        publisher.close()
        #expect(await failure(of: open) == .channel(.closed))
        _ = member
    }

    @Test("what a reconfiguration finds open is answered, frames of the old pool included")
    func reconfigured() async throws {
        let publisher = try channel.publisher(slots: 4)
        let member = try channel.subscriber([], .queue(2)) { $0.group = "g" }
        let old = try publisher.submit(filledWith: 1)
        let frame = try present(try member.nextBlocking())
        try publisher.reconfigure(streams: [Stream(name: "main", layout: .grey(32, 8))], slots: 5)
        let new = try publisher.submit(filledWith: 2)
        let next = try present(try member.nextBlocking())
        try await next.request?.answer(.bytes([2]))
        try await frame.request?.answer(.bytes([1]))
        #expect(try await new.answer.reply == .bytes([2]))
        #expect(try await old.answer.reply == .bytes([1]))
    }

    @Test("a group's name is checked on either side")
    func names() throws {
        let publisher = try channel.publisher()
        for name in ["", "a b", ".hidden", String(repeating: "x", count: 65)] {
            #expect(throws: ChannelError.badGroupName(name)) {
                _ = try channel.subscriber([], .latest) { $0.group = name }
            }
            #expect(throws: ChannelError.badGroupName(name)) { _ = try publisher.results(of: name) }
        }
        let plain = try channel.subscriber()
        try publisher.send(1)
        let frame = try present(try plain.nextBlocking())
        let isAsked = frame.request != nil
        #expect(!isAsked)
    }
}
