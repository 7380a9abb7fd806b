import FrameShare
import Testing

/// Reconfiguration: another pool takes over, frames of the old one stay valid.
@Suite("Generations", .timeLimit(.minutes(10)))
struct GenerationTests {
    private func streams(_ width: Int, _ names: String...) -> [Stream] {
        (names.isEmpty ? ["main"] : names).map { Stream(name: $0, layout: .grey(width, 8)) }
    }

    @Test("subscribers go over to the new pool; what is queued comes first, what is held stays valid")
    func changeOver() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber([], .queue(2))
        try publisher.send(1)
        let held = try present(await subscriber.next())
        try publisher.send(2)
        try publisher.reconfigure(streams: streams(32), slots: 3)
        #expect(publisher.generation == 2)
        #expect(publisher.slotCount == 3)
        try publisher.send(3)
        let second = try present(await subscriber.next())
        #expect(second.value() == 2)
        #expect(second.generation == 1)
        #expect(second["main"].layout.width == 16)
        let third = try present(await subscriber.next())
        #expect(third.value() == 3)
        #expect(third.generation == 2)
        #expect(third["main"].layout.width == 32)
        #expect(third.number == 3)
        #expect(third.lost == FrameLoss())
        #expect(subscriber.streams[0].layout.width == 32)
        #expect(held.value() == 1)
        #expect(held["main"].layout.width == 16)
    }

    @Test("a sleeper is woken by the first frame of the new pool", arguments: [true, false])
    func sleeper(blocking: Bool) async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber()
        let onThread = blocking ? OwnThread { try subscriber.nextBlocking()?.generation } : nil
        let asTask = blocking ? nil : Task.detached { try await subscriber.next()?.generation }
        try await Task.sleep(for: .milliseconds(20))
        try publisher.reconfigure(streams: streams(64), slots: 4)
        try publisher.send(1)
        #expect(try await onThread?.value ?? 2 == 2)
        #expect(try await asTask?.value ?? 2 == 2)
    }

    @Test("who does not fit a new pool waits for one that it fits, where the channel keeps misfits")
    func keptMisfits() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(["main": .small, "lores": .small], slots: 8) {
            $0.keepsMisfits = true
        }
        let (lores, main) = (try channel.subscriber(["lores"]), try channel.subscriber(["main"]))
        let reserved = try channel.subscriber([], .queue(2)) {
            $0.budget = 3
            $0.reserve = true
        }
        try publisher.send(1)
        let held = try present(await lores.next())
        try publisher.reconfigure(streams: streams(32, "main"), slots: 2)
        try publisher.send(2)
        // The frame of the old pool comes first.
        for wanted in [1, 2] {
            let generation = try present(await main.next()).generation
            #expect(generation == wanted)
        }
        #expect(try lores.drain() == [])
        let (value, isRevoked) = (held.value(of: "lores"), held.isRevoked)
        #expect(value == 1 && !isRevoked)
        await #expect(throws: ChannelError.noFrame(held: 1)) {
            _ = try await lores.next(timeout: .milliseconds(50))
        }
        #expect(publisher.statistics.subscribers.count == 3)
        try publisher.reconfigure(streams: streams(16, "main", "lores"), slots: 8)
        try publisher.send(3)
        for subscriber in [lores, main, reserved] {
            var frame = try present(await subscriber.next())
            while frame.generation != 3 { frame = try present(await subscriber.next()) }
            let number = frame.number
            #expect(number == 3)
        }
    }

    @Test("a source is told which slots of an earlier generation are held; frames get more room for metadata")
    func heldSlots() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 4) { $0.metadataCapacity = 64 }
        let subscriber = try channel.subscriber()
        try publisher.send(1)
        let held = try present(await subscriber.next())
        #expect(publisher.heldSlots(ofGeneration: 1) == [0])
        try publisher.setMetadataCapacity(4096)
        try publisher.reconfigure(streams: streams(16), slots: 4)
        #expect(publisher.heldSlots(ofGeneration: 1) == [0] && publisher.heldSlots(ofGeneration: 2) == [])
        try publisher.send(metadata: ["k": .bytes(Array(repeating: 7, count: 4000))])
        let frame = try present(await subscriber.next())
        let large = frame.metadata["k"]
        #expect(large == .bytes(Array(repeating: 7, count: 4000)))
        held.release()
        #expect(publisher.heldSlots(ofGeneration: 1) == [])
        #expect(throws: ChannelError.badMetadataCapacity(-1)) { try publisher.setMetadataCapacity(-1) }
    }

    @Test("a channel that ends revoking tells those who hold frames")
    func revokingEnd() async throws {
        for revoking in [true, false] {
            let channel = try TestChannel()
            let publisher = try channel.publisher()
            let subscriber = try channel.subscriber()
            try publisher.send(1)
            let held = try present(await subscriber.next())
            publisher.close(revoking: revoking)
            let isRevoked = held.isRevoked
            #expect(isRevoked == revoking)
            let end = try await subscriber.nextValue()
            #expect(end == nil)
        }
    }

    @Test("a publisher waits for subscribers, and what it publishes then is theirs", arguments: [true, false])
    func waitingForSubscribers(blocking: Bool) async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        #expect(throws: ChannelError.timedOut()) {
            try publisher.waitForSubscribersBlocking(timeout: .milliseconds(20))
        }
        for count in [0, 121] {
            #expect(throws: ChannelError.badSubscriberCount(count)) {
                try publisher.waitForSubscribersBlocking(count)
            }
        }
        let reading = [0, 1].map { _ in
            Task.detached { try await channel.subscriber([], .queue(2)).nextValue() }
        }
        if blocking {
            try await OwnThread { try publisher.waitForSubscribersBlocking(2) }.value
        } else {
            try await publisher.waitForSubscribers(2)
        }
        try publisher.send(5)
        for task in reading { #expect(try await task.value == 5) }
        let waiting = Task.detached { try await publisher.waitForSubscribers(100) }
        waiting.cancel()
        await #expect(throws: ChannelError.cancelled) { try await waiting.value }
        publisher.close()
        #expect(throws: ChannelError.closed) { try publisher.waitForSubscribersBlocking() }
    }

    @Test("buffers of the old pool go once nobody holds a frame of it")
    func retirement() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 4)
        let subscriber = try channel.subscriber()
        try publisher.send(1)
        let held = try present(await subscriber.next())
        #expect(channel.descriptors(":main") == 2)
        try publisher.reconfigure(streams: streams(16), slots: 5)
        try publisher.send(2)
        #expect(try present(await subscriber.next()).generation == 2)
        #expect(publisher.statistics.retiredSlotsHeld == 1)
        #expect(channel.descriptors(":main") == 4)
        held.release()
        try publisher.send(3)
        #expect(publisher.statistics.retiredSlotsHeld == 0)
        #expect(try present(await subscriber.next()).generation == 2)
        try await eventually { channel.descriptors(":main") == 2 }
        // A reader keeps no descriptor of what it has mapped, but of the pixels.
        #expect(channel.descriptors(":lane") == 1)
        #expect(channel.descriptors(":frames") == 1)
    }

    @Test(
        "a subscriber of every frame that takes none pins its budget over all generations; nothing of it is withdrawn, and it goes on with room again",
        arguments: [0, nil]
    )
    func everyFrameOverGenerations(stallLimit: Int?) async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 6) { $0.stallLimit = stallLimit.map { .seconds($0) } }
        let every = try channel.subscriber([], .everyFrame) { $0.budget = 3 }
        let latest = try channel.subscriber()
        let isLive = stallLimit != nil
        for number: UInt8 in 1...12 {
            // A source that waits stops where nobody has room, and goes on by itself below.
            if isLive || number <= 3 {
                try publisher.send(number)
                try #expect(latest.drain() == [number])
            } else {
                #expect(throws: ChannelError.timedOut()) {
                    _ = try publisher.nextSlotBlocking(timeout: .milliseconds(1))
                }
            }
            try publisher.reconfigure(streams: streams(16), slots: 6)
        }
        #expect(publisher.statistics.retiredSlotsHeld == 3)
        #expect(channel.descriptors(":lane") <= 2 * (1 + 3) * 2, "no pool is kept that holds nothing for it")
        let waiting = isLive ? nil : OwnThread { try publisher.send(13) }
        for number: UInt8 in 1...3 { #expect(try present(await every.next()).value() == number) }
        if isLive { try publisher.send(13) }
        _ = try await waiting?.value
        let last = try present(await every.next())
        #expect(last.value() == 13 && last.generation == 13)
        #expect(last.lost.policy == (isLive ? 9 : 0))
        try await eventually { publisher.statistics.retiredSlotsHeld == 0 }
    }

    @Test("a slot in hand is void after a reconfiguration, and harms nothing")
    func slotInHand() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber()
        let slot = try publisher.nextSlotBlocking()
        let dropped = try publisher.nextSlotBlocking()
        try publisher.reconfigure(streams: streams(16), slots: 4)
        slot.fill(with: 9)
        #expect(publisher.refusal(of: slot) != nil)
        _ = consume dropped
        #expect(publisher.statistics.slotsFree == 4)
        try publisher.send(1)
        #expect(try subscriber.drain() == [1])
    }

    @Test("who subscribed to a stream that is gone is told so; the others stay")
    func streamGone() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(["main": .small, "lores": .small])
        let lores = try channel.subscriber(["lores"])
        let main = try channel.subscriber(["main"])
        let all = try channel.subscriber()
        try publisher.reconfigure(streams: streams(16, "main", "raw"), slots: 4)
        try publisher.send(1)
        let error = await #expect(throws: ChannelError.self) { _ = try await lores.next() }
        #expect("\(String(describing: error))".contains("no stream 'lores' any more"))
        #expect(try present(await main.next()).streams.map(\.name) == ["main"])
        #expect(try present(await all.next()).streams.map(\.name) == ["main", "raw"])
        try await eventually { publisher.statistics.subscribers.count == 2 }
    }

    @Test("a pool too small for what is reserved is refused, and the old one goes on")
    func tooSmall() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 6)
        let subscriber = try channel.subscriber([], .everyFrame) { $0.budget = 4 }
        #expect(throws: ChannelError.reservationsDoNotFit(reserved: 4, sourceNeed: 1, slots: 4)) {
            try publisher.reconfigure(streams: streams(16), slots: 4)
        }
        #expect(publisher.generation == 1)
        try publisher.send(1)
        #expect(try present(await subscriber.next()).generation == 1)
    }

    @Test("a pool smaller than what the source needs is refused at the start and later")
    func sourceNeed() throws {
        let channel = try TestChannel()
        #expect(throws: ChannelError.reservationsDoNotFit(reserved: 0, sourceNeed: 5, slots: 4)) {
            try channel.publisher(slots: 4) { $0.sourceNeed = 5 }
        }
        let publisher = try channel.publisher(slots: 5) { $0.sourceNeed = 5 }
        for need in [4, 2] {
            #expect(throws: ChannelError.reservationsDoNotFit(reserved: 0, sourceNeed: 5, slots: need)) {
                try publisher.reconfigure(streams: streams(16), slots: need)
            }
        }
        #expect(throws: ChannelError.reservationsDoNotFit(reserved: 0, sourceNeed: .max, slots: 4)) {
            try TestChannel().publisher(slots: 4) { $0.sourceNeed = .max }
        }
    }

    @Test("what a subscriber got and lost goes on counting through reconfigurations, and adds up to what was published")
    func counts() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 12)
        let queued = try channel.subscriber([], .queue(2)) {
            $0.name = "queued"
            $0.budget = 3
        }
        let holding = try channel.subscriber([], .latest) {
            $0.name = "holding"
            $0.budget = 1
        }
        try publisher.send()
        let held = try present(await holding.next())
        for generation in 1...4 {
            for _ in 0..<5 { try publisher.send() }
            #expect(try queued.drain().isEmpty == false)
            // Some of these are withdrawn at the reconfiguration, or after it, or taken.
            for _ in 0..<3 { try publisher.send() }
            try publisher.reconfigure(streams: streams(16 * generation), slots: 12)
            for seen in publisher.statistics.subscribers {
                #expect(
                    seen.delivered + seen.dropped + UInt64(seen.queued) == publisher.statistics.published,
                    "\(seen)"
                )
            }
        }
        let seen = publisher.statistics
        #expect(seen.published == 33)
        let one = try #require(seen.subscribers.first { $0.name == "queued" })
        #expect(one.delivered == queued.statistics.delivered && one.droppedByPolicy > 0)
        let other = try #require(seen.subscribers.first { $0.name == "holding" })
        // Frame 1 is held. Of each later pool its whole budget is queued.
        #expect(other.delivered == 1 && other.held == 1, "\(other)")
        #expect(other.droppedByPolicy + other.droppedByBudget + UInt64(other.queued) == 32, "\(other)")
        held.release()
    }

    @Test("many reconfigurations under load lose no frame of every frame, and leave nothing behind")
    func manyTimes() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher { $0.stallLimit = nil }
        let subscriber = try channel.subscriber([], .everyFrame)
        let reader = Task.detached {
            var (numbers, torn) = ([] as [UInt64], 0)
            while let frame = try await subscriber.next() {
                numbers.append(frame.number)
                if frame.value() != UInt8(truncatingIfNeeded: frame.sequence) { torn += 1 }
            }
            return (numbers, torn)
        }
        for number in 0..<300 {
            if number % 10 == 9 { try publisher.reconfigure(streams: streams(16 + number % 7), slots: 4) }
            try await publisher.sendWaiting(UInt8(truncatingIfNeeded: number))
        }
        publisher.close()
        let (numbers, torn) = try await reader.value
        #expect(numbers == Array(1...300))
        #expect(torn == 0)
    }

    @Test("one that has closed but still holds a frame is offered nothing of the new pool and stalls nobody")
    func leavingSubscriber() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher { $0.stallLimit = nil }
        let leaving = try channel.subscriber([], .everyFrame)
        try publisher.send(1)
        let held = try present(await leaving.next())
        leaving.close()
        try await eventually { publisher.statistics.subscribers.first?.queued == 0 }
        // Whatever comes now is not for it. Its goodbye is dealt with once room is there again.
        try await eventually { try publisher.trySend(2) != nil && publisher.statistics.subscribers.first?.queued == 0 }
        try publisher.reconfigure(streams: streams(32), slots: 4)
        for value in 3...10 {
            #expect(try publisher.trySend(UInt8(value)) != nil, "frame \(value) found no slot")
        }
        #expect(held.value() == 1)
        held.release()
        try await eventually { publisher.statistics.subscribers.isEmpty }
        try publisher.send(11)
    }

    // MARK: reconnecting

    @Test("with the option, a subscriber goes on when the channel comes back", arguments: [true, false])
    func reconnect(blocking: Bool) async throws {
        let channel = try TestChannel()
        let first = try channel.publisher()
        let subscriber = try channel.subscriber([], .queue(3)) { $0.reconnect = true }
        try first.send(1)
        let held = try present(await subscriber.next())
        let onThread = blocking ? OwnThread { try subscriber.nextValueBlocking() } : nil
        let asTask = blocking ? nil : Task.detached { try await subscriber.nextValue() }
        first.close()
        let second = try channel.publisher(["main": .grey(32, 8)])
        try await eventually { second.statistics.subscribers.count == 1 }
        try second.send(2)
        #expect(try await onThread?.value ?? 2 == 2)
        #expect(try await asTask?.value ?? 2 == 2)
        #expect(subscriber.statistics.connections == 2)
        #expect(held.value() == 1, "a frame of the first connection stays valid")
        #expect(subscriber.streams[0].layout.width == 32)
    }

    @Test("while the channel is away, time-outs and cancellation hold")
    func reconnectInVain() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber { $0.reconnect = true }
        publisher.close()
        await #expect(throws: ChannelError.noFrame()) { _ = try await subscriber.next(timeout: .milliseconds(50)) }
        let waiting = Task.detached { try await subscriber.next()?.number }
        try await Task.sleep(for: .milliseconds(30))
        waiting.cancel()
        await #expect(throws: ChannelError.cancelled) { try await waiting.value }
    }
}
