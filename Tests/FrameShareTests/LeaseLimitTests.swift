import FrameShare
import Testing

/// A subscriber that holds a frame for longer than its publisher allows is cut off, and can tell.
@Suite("Lease limit", .timeLimit(.minutes(10)))
struct LeaseLimitTests {
    @Test("who holds a frame too long is cut off with the reason, its slots are free again, and its frame says so")
    func cutOff() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher { $0.leaseLimit = .seconds(1) }
        let slow = try channel.subscriber([], .latest)
        let quick = try channel.subscriber([], .latest)
        try publisher.send(1)
        let held = try present(slow.tryNext())
        let early = held.isRevoked
        #expect(!early)
        // The others go on, and the frame stays whole until it is taken back.
        var value: UInt8 = 1
        while publisher.statistics.subscribers.count == 2 {
            value = value == 250 ? 2 : value + 1
            try publisher.send(value)
            #expect(try quick.drain() == [value])
            let seen = held.value()
            let isRevoked = held.isRevoked
            #expect(seen == 1 || isRevoked)
        }
        let late = held.isRevoked
        #expect(late)
        let error = #expect(throws: ChannelError.self) {
            while try slow.tryNext() != nil {}
            _ = try slow.nextBlocking(timeout: .seconds(60))
        }
        guard case .disconnected(let reason)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(reason.contains("it held frame 1 for longer than"))
        held.release()
        #expect(publisher.statistics.slotsFree == 4 - publisher.statistics.subscribers.reduce(0) { $0 + $1.queued })
    }

    @Test("who was cut off gets nothing of what was still queued for it: those slots are others' now")
    func queuedMeanwhile() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher { $0.leaseLimit = .milliseconds(100) }
        let slow = try channel.subscriber([], .queue(2)) { $0.budget = 3 }
        try publisher.send(1)
        let held = try present(slow.tryNext())
        for value in [2, 3] { try publisher.send(UInt8(value)) }
        try await eventually { publisher.statistics.subscribers.isEmpty }
        for value in 4...8 { try publisher.send(UInt8(value)) }
        var frames = 0
        let error = #expect(throws: ChannelError.self) {
            while try slow.nextBlocking(timeout: .seconds(60)) != nil { frames += 1 }
        }
        #expect(frames == 0)
        guard case .disconnected? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        held.release()
    }

    @Test("who gives frames back in time is left alone, however long it stays, and so is what merely waits for it")
    func inTime() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 8) { $0.leaseLimit = .seconds(2) }
        let subscriber = try channel.subscriber([], .queue(4))
        for value in 1...4 { try publisher.send(UInt8(value)) }
        let start = ContinuousClock.now
        while start.duration(to: .now) < .seconds(3) {
            let frame = try present(subscriber.tryNext())
            let isRevoked = frame.isRevoked
            #expect(!isRevoked)
            frame.release()
            try publisher.send(9)
        }
        #expect(publisher.statistics.subscribers.count == 1)
    }

    @Test("a subscriber that goes by itself finds its frames whole: they are its own until it lets go")
    func leaving() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher { $0.leaseLimit = .seconds(30) }
        let subscriber = try channel.subscriber()
        try publisher.send(7)
        let frame = try present(subscriber.tryNext())
        subscriber.close()
        for value in 1...20 { _ = try publisher.trySend(UInt8(value)) }
        let value = frame.value()
        #expect(value == 7)
        let isRevoked = frame.isRevoked
        #expect(!isRevoked)
    }
}
