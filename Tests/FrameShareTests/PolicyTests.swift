import FrameShare
import Testing

/// Each policy does what its name says, and every lost frame is counted where it was lost.
@Suite("Policies", .timeLimit(.minutes(10)))
struct PolicyTests {
    @Test("a policy is read as the command, Swift, Python and C spell it, and nothing else is")
    func spelling() {
        for text in ["every-frame", "everyFrame", "every_frame", "EVERY_FRAME", "FRAMESHARE_POLICY_EVERY_FRAME"] {
            #expect(Policy(text) == .everyFrame, "\(text)")
        }
        #expect(Policy("FRAMESHARE_POLICY_LATEST") == .latest && Policy("latest") == .latest)
        #expect(Policy("queue") == .queue(4) && Policy("queue:7") == .queue(7))
        for policy in [Policy.latest, .queue(3), .everyFrame] { #expect(Policy(policy.description) == policy) }
        for text in ["", "newest", "latest:", "latest:1", "queue:", "queue:0", "queue:+4", "queue:0x4", "queue:1:2"] {
            #expect(Policy(text) == nil, "\(text)")
        }
    }

    @Test("latest gives the newest frame and counts the rest as its own loss")
    func latest() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber([], .latest)
        for value in 1...5 { try publisher.send(UInt8(value)) }
        #expect(try subscriber.drain() == [5])
        for value in 6...9 { try publisher.send(UInt8(value)) }
        let frame = try present(subscriber.tryNext())
        #expect(frame.value() == 9)
        #expect(frame.number == 9)
        #expect(frame.lost == FrameLoss(policy: 3))
        let status = try #require(publisher.statistics.subscribers.first)
        #expect(status.droppedByPolicy == 7)
        #expect(status.dropped == 7)
        #expect(status.delivered == 2)
        #expect(subscriber.statistics.lost.policy == 3, "what came before its first frame is not its loss")
    }

    @Test("a queue keeps the newest frames, as many as it is deep, in order", arguments: 1...4)
    func queue(depth: Int) throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 8)
        let subscriber = try channel.subscriber([], .queue(depth))
        for value in 1...10 { try publisher.send(UInt8(value)) }
        #expect(try subscriber.drain() == (11 - depth...10).map { UInt8($0) })
        #expect(publisher.statistics.subscribers.first?.droppedByPolicy == UInt64(10 - depth))
        try publisher.send(11)
        #expect(try subscriber.drain() == [11])
    }

    @Test("every frame: nothing is lost, and the source waits")
    func everyFrame() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher { $0.stallLimit = nil }
        let subscriber = try channel.subscriber([], .everyFrame)
        let other = try channel.subscriber([], .latest)
        #expect(try publisher.trySend(1) == 1)
        #expect(try publisher.trySend(2) == 2)
        // Its budget of two is out: a source that can't wait is told that there is no slot.
        #expect(try publisher.trySend(3) == nil)
        #expect(throws: ChannelError.timedOut()) { try publisher.waitForRoom(timeout: .milliseconds(20)) }
        #expect(throws: ChannelError.timedOut()) { _ = try publisher.nextSlotBlocking(timeout: .milliseconds(20)) }
        let reader = Task.detached { try await subscriber.numbersToTheEnd() }
        for value in 3...200 { try await publisher.sendWaiting(UInt8(truncatingIfNeeded: value)) }
        publisher.close()
        #expect(try await reader.value == Array(1...200))
        #expect(subscriber.statistics.lost == FrameLoss())
        withExtendedLifetime(other) {}
    }

    @Test("a subscriber that holds its whole budget loses frames by its budget")
    func budget() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 8)
        let subscriber = try channel.subscriber([], .latest) { $0.budget = 2 }
        try publisher.send(1)
        let first = try present(subscriber.tryNext())
        try publisher.send(2)
        let second = try present(subscriber.tryNext())
        for value in 3...6 { try publisher.send(UInt8(value)) }
        #expect(try subscriber.drain() == [])
        let status = try #require(publisher.statistics.subscribers.first)
        #expect(status.droppedByBudget == 4)
        #expect(status.droppedByPolicy == 0)
        #expect(status.held == 2)
        #expect(first.value() == 1)
        #expect(second.value() == 2)
        first.release()
        try publisher.send(7)
        let third = try present(subscriber.tryNext())
        #expect(third.value() == 7)
        #expect(third.lost.policy == 4)
    }

    @Test("when others hold the shared slots, frames are lost for shortage")
    func shortage() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 3)
        let hoarder = try channel.subscriber([], .queue(2)) { $0.budget = 2 }
        try publisher.send(1)
        try publisher.send(2)
        let held1 = try present(hoarder.tryNext())
        let held2 = try present(hoarder.tryNext())
        let subscriber = try channel.subscriber([], .latest) { $0.name = "late" }
        for value in 3...5 { try publisher.send(UInt8(value)) }
        #expect(try subscriber.drain() == [])
        let status = try #require(publisher.statistics.subscribers.last)
        #expect(status.name == "late")
        #expect(status.droppedByShortage == 3)
        #expect(held1.value() == 1)
        #expect(held2.value() == 2)
        held1.release()
        try publisher.send(6)
        #expect(try subscriber.drain() == [6])
    }

    @Test("a reserved budget is never lost to others")
    func reserved() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 6)
        let reserved = try channel.subscriber([], .queue(2)) {
            $0.budget = 2
            $0.reserve = true
        }
        let hoarder = try channel.subscriber([], .queue(3)) { $0.budget = 3 }
        for value in 1...3 { try publisher.send(UInt8(value)) }
        #expect(try reserved.drain() == [2, 3])
        let first = try present(hoarder.tryNext())
        let second = try present(hoarder.tryNext())
        let third = try present(hoarder.tryNext())
        for value in 4...50 {
            try publisher.send(UInt8(value))
            #expect(try reserved.drain() == [UInt8(value)])
        }
        #expect(publisher.statistics.slotsReserved == 2)
        #expect(first.value() == 1)
        #expect(second.value() == 2)
        #expect(third.value() == 3)
    }

    @Test("reservations that don't fit are refused with the arithmetic")
    func refusal() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 4)
        let first = try channel.subscriber([], .everyFrame) { $0.budget = 2 }
        let error = #expect(throws: ChannelError.self) {
            _ = try channel.subscriber([], .everyFrame) { $0.budget = 2 }
        }
        #expect(
            error
                == .refused(
                    "2 slots can't be reserved: the pool has 4, the source needs 1, 2 are reserved already, so 1 are left;"
                        + " start the publisher with at least 5 slots, ask for a smaller budget, or do not reserve"
                )
        )
        first.close()
        withExtendedLifetime(publisher) {}
    }

    @Test("impossible queues and budgets are refused, not trapped on", arguments: [0, -1, 5000, Int.max])
    func impossible(number: Int) throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        #expect(throws: ChannelError.self) { _ = try channel.subscriber([], .queue(number)) }
        #expect(throws: ChannelError.self) { _ = try channel.subscriber([], .latest) { $0.budget = number } }
        #expect(publisher.statistics.subscribers.isEmpty)
    }

    @Test("losses are told apart: by the source, for want of a slot, by the policy")
    func causes() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber([], .latest)
        try publisher.send(1, FrameDescription(sequence: 100))
        #expect(try subscriber.drain() == [1])
        publisher.countLost(source: 3)
        try publisher.send(2, FrameDescription(sequence: 104))
        publisher.countLost(noFreeSlot: 2)
        try publisher.send(3, FrameDescription(sequence: 107))
        let frame = try present(subscriber.tryNext())
        #expect(frame.sequence == 107)
        #expect(frame.number == 3)
        #expect(frame.lost == FrameLoss(source: 3, noFreeSlot: 2, policy: 1))
        #expect(frame.lost.total == 6)
        try publisher.send(4)
        let next = try present(subscriber.tryNext())
        #expect(next.sequence == 108, "the publisher counts on from the last sequence it was given")
        #expect(next.lost == FrameLoss())
        #expect(subscriber.statistics.lost == FrameLoss(source: 3, noFreeSlot: 2, policy: 1))
        #expect(subscriber.statistics.delivered == 3)
    }

    @Test(
        "policies as text",
        arguments: [("latest", Policy.latest), ("queue:7", .queue(7)), ("every-frame", .everyFrame)]
    )
    func text(text: String, policy: Policy) {
        #expect(Policy(text) == policy)
        #expect(policy.description == text)
    }

    @Test(
        "text that is no policy is none",
        arguments: ["", "queue:", "queue:0", "queue:-1", "queue:1025", "newest", "queue:x"]
    )
    func badText(text: String) {
        #expect(Policy(text) == nil)
    }
}
