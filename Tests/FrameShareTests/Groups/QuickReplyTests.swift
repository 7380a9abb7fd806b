import CLinuxMedia
import FrameMemory
import Glibc
import LeaseProtocol
import Synchronization
import Testing

@testable import FrameShare

/// The lock of a channel's groups is not that of its frames: a member may reply before its request is booked.
@Suite("Quick replies", .timeLimit(.minutes(10)))
struct QuickReplyTests {
    let channel: TestChannel

    init() throws { channel = try TestChannel() }

    @Test("a reply that comes while its frame is still being offered is not lost")
    func replyDuringOffer() async throws {
        let publisher = try channel.publisher()
        let hasReplied = Atomic(false)
        let worker = try GroupWorker(channel) { _, request in
            try request.answer(.bytes([7]))
            hasReplied.store(true, ordering: .releasing)
        }
        let inbox = Inbox()
        let asking = Asking(group: "g", options: AskOptions(), sink: inbox)
        let slot = try publisher.nextSlotBlocking(timeout: .seconds(20))
        let (core, groups) = (publisher.core, publisher.host.groups)
        core.state.withLock { state in
            // As the core offers a frame, with a pause before what is asked about it is booked.
            state.generation.frames.record(slot.slot).pointee.number = 1
            state.generation.leases.publish(slot.slot)
            core.page.published.pointee.store(1, ordering: .releasing)
            var news = PublisherCore.News()
            core.announce(&state, &news)
            if let word = news.word { _ = word.wakeSleepers(atMost: .max) }
            while !hasReplied.load(ordering: .acquiring) { usleepShort() }
            // The control thread has the reply by now, or gets it later: that is as good.
            for _ in 0..<50 { usleepShort() }
            _ = groups.frameWasOffered(slot.slot, 1, asking, monotonicNow(), &state)
        }
        slot.disarm()
        groups.tell(core)
        let next = try await OwnThread {
            inbox.nextBlocking(keepingProgress: true, until: Deadline(after: .seconds(60)))
        }
        .value
        guard case .over(let outcome) = try #require(next) else {
            Issue.record("it is no end")
            return
        }
        #expect(try outcome.decoded().reply == .bytes([7]))
        #expect(publisher.statistics.groups.first?.discarded == 0)
        _ = try await worker.stop()
    }

    @Test("a member that becomes idle by its reply takes a frame that waits behind another's")
    func replyMovesWaitingFrame() async throws {
        let publisher = try channel.publisher(slots: 8)
        let slowHas = Atomic(false)
        let quickHas = Atomic(false)
        let quickGoesOn = Atomic(false)
        let goesOn = Atomic(false)
        let slow = try GroupWorker(channel, .queue(4)) { _, request in
            slowHas.store(true, ordering: .releasing)
            while !goesOn.load(ordering: .acquiring) { usleepShort() }
            try request.answer(.bytes([1]))
        }
        let first = try publisher.submit(filledWith: 1)
        while !slowHas.load(ordering: .acquiring) { usleepShort() }
        let quick = try GroupWorker(channel, .queue(4)) { frame, request in
            let value = frame.value() ?? 0
            quickHas.store(true, ordering: .releasing)
            if value == 2 { while !quickGoesOn.load(ordering: .acquiring) { usleepShort() } }
            try request.answer(.bytes([value]))
        }
        // The quick one is the least loaded. Then each has one, and the slow one was served longer ago.
        let second = try publisher.submit(filledWith: 2)
        while !quickHas.load(ordering: .acquiring) { usleepShort() }
        let third = try publisher.submit(filledWith: 3)
        quickGoesOn.store(true, ordering: .releasing)
        #expect(try await second.answer.reply == .bytes([2]))
        #expect(try await third.answer.reply == .bytes([3]))
        goesOn.store(true, ordering: .releasing)
        #expect(try await first.answer.reply == .bytes([1]))
        _ = try await slow.stop()
        _ = try await quick.stop()
    }
}
