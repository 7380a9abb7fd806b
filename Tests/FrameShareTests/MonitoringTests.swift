import FrameShare
import Glibc
import PeerTesting
import Testing

@Suite("Statistics and monitors", .timeLimit(.minutes(10)))
struct MonitoringTests {
    @Test("a monitor that has missed answers shows the present again, not what it has missed")
    func missedAnswers() async throws {
        let folder = try PeerFolder()
        let publisher = try await folder.publisher("slots=4")
        let monitor = try ChannelMonitor(
            channel: "camera",
            directory: ChannelDirectory(path: folder.path),
            timeout: .milliseconds(100)
        )
        publisher.kill(SIGSTOP)
        try await publisher.becomes("T")
        for _ in 0..<3 { #expect(throws: ChannelError.handshakeTimeout(channel: "camera")) { try monitor.snapshot() } }
        publisher.kill(SIGCONT)
        // It goes on, and a later look sees more.
        var latest: UInt64 = 0
        try await eventually {
            guard let seen = try? monitor.snapshot() else { return false }
            latest = seen.published
            return true
        }
        _ = try await publisher.ask("pause", "paused")
        let now = UInt64(try await publisher.report()["published"])
        #expect(latest <= now)
        try await eventually { (try? monitor.snapshot().published) == now }
        // Nothing late is left to be taken for an answer.
        #expect(try monitor.snapshot().published == now)
    }

    @Test("a monitor sees what the publisher sees, and is no subscriber")
    func snapshot() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(["main": .small, "lores": .grey(4, 4)], slots: 6) {
            $0.sourceName = "a test"
            $0.sourceNeed = 2
        }
        let monitor = try channel.monitor()
        let subscriber = try channel.subscriber(["lores"], .queue(2)) {
            $0.name = "viewer"
            $0.budget = 3
            $0.reserve = true
        }
        for value in 1...3 { try publisher.send(UInt8(value)) }
        let held = try present(subscriber.tryNext())
        publisher.countLost(source: 4)
        publisher.countLost(noFreeSlot: 5)
        let slot = try publisher.nextSlotBlocking()
        let seen = try monitor.snapshot()
        #expect(seen.channel == channel.name)
        #expect(seen.sourceName == "a test")
        #expect(seen.publisherPID == getpid())
        #expect(seen.publisherUID == geteuid())
        #expect(seen.generation == 1)
        #expect(seen.streams.map(\.stream) == publisher.streams)
        #expect(seen.streams.map(\.memory) == [.memfd, .memfd])
        #expect(seen.streams.map(\.protection) == [.sealed, .sealed])
        #expect(seen.slots == 6)
        #expect(seen.slotsAtSource == 1)
        #expect(seen.slotsFree == 3)
        #expect(seen.sourceNeed == 2)
        #expect(seen.slotsReserved == 3)
        #expect(seen.published == 3)
        #expect(seen.lostBySource == 4)
        #expect(seen.lostNoFreeSlot == 5)
        #expect(seen.sinceLastFrame >= 0)
        #expect(seen.age >= seen.sinceLastFrame)
        let status = try #require(seen.subscribers.first)
        #expect(seen.subscribers.count == 1)
        #expect(status.name == "viewer")
        #expect(status.pid == getpid())
        #expect(status.policy == .queue(2))
        #expect(status.budget == 3)
        #expect(status.reserved)
        #expect(status.streams == ["lores"])
        #expect(status.delivered == 1)
        #expect(status.droppedByPolicy == 1)
        #expect(status.held == 1)
        #expect(status.queued == 1)
        #expect(status.oldestLeaseAge > 0)
        #expect(held.value(of: "lores") == 2)
        withExtendedLifetime(slot.slot) {}
    }

    @Test("before the first frame there is no last one")
    func noFrameYet() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        #expect(publisher.statistics.sinceLastFrame == -1)
        #expect(try channel.monitor().snapshot().published == 0)
    }

    @Test("a subscriber's latency figures reach the monitor")
    func latency() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber()
        for value in 0..<64 {
            try publisher.send(UInt8(value))
            #expect(try subscriber.drain() == [UInt8(value)])
        }
        let own = subscriber.statistics
        #expect(own.latencyP50 > 0)
        #expect(own.latencyP50 <= own.latencyP99)
        #expect(own.latencyP99 <= own.latencyMax)
        let seen = try #require(try channel.monitor().snapshot().subscribers.first)
        #expect(seen.latencyP50 > 0)
        #expect(seen.latencyMax >= seen.latencyP50)
    }

    @Test("a subscriber with a name as long as a book does not blind the monitors")
    func longName() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscribers = try (0..<60).map { _ in
            try channel.subscriber { $0.name = String(repeating: "long ", count: 10_000) }
        }
        #expect(try channel.monitor().snapshot().subscribers.count == 60)
        withExtendedLifetime((publisher, subscribers)) {}
    }

    @Test("a monitor of a channel that is gone, or never was, is told so")
    func gone() throws {
        let channel = try TestChannel()
        #expect(throws: ChannelError.self) { _ = try channel.monitor() }
        let publisher = try channel.publisher()
        let monitor = try channel.monitor()
        _ = try monitor.snapshot()
        publisher.close()
        #expect(throws: ChannelError.publisherLost(channel: channel.name)) { _ = try monitor.snapshot() }
    }

    @Test("a folder lists its channels, and a missing folder has none")
    func listing() throws {
        let channel = try TestChannel()
        #expect(try channel.directory.channels() == [])
        let publisher = try channel.publisher()
        #expect(try channel.directory.channels() == [channel.name])
        publisher.close()
        #expect(try channel.directory.channels() == [])
        #expect(try ChannelDirectory(path: channel.directory.path + "/none").channels() == [])
    }

    @Test("what left is no longer listed")
    func leaving() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let first = try channel.subscriber { $0.name = "first" }
        let second = try channel.subscriber { $0.name = "second" }
        #expect(publisher.statistics.subscribers.map(\.name) == ["first", "second"])
        first.close()
        try await eventually { publisher.statistics.subscribers.map(\.name) == ["second"] }
        withExtendedLifetime(second) {}
    }
}
