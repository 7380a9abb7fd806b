import CLinuxMedia
import Glibc
import LeaseProtocol
import PeerTesting
import Testing

@testable import FrameShare

extension RemoteFaultTests {
    @Test(
        "W10 readers are children of the camera's process, of its user, one each, and nobody joins later",
        .enabled(if: geteuid() == 0, "only root can start a process of another user")
    )
    func w10() async throws {
        let folder = try PeerFolder()
        let publisher = try await folder.publisher("mode=666")
        while try await publisher.report()["published"] < 10 {}
        // Found by its folder; unrelated processes of two users; they come and go as they like.
        #expect(try ChannelDirectory(path: folder.path).channels() == ["camera"])
        for _ in 0..<3 {
            let readers = [
                try await folder.subscriber(), try await folder.subscriber("uid=65534"), try await folder.subscriber(),
            ]
            for reader in readers { while try await reader.report()["delivered"] < 3 {} }
            readers[0].kill(SIGKILL)
            try await readers[1].ask("leave", "left")
            #expect(try await readers[2].report()["bad"] == 0)
        }
        while try await publisher.report()["subscribers"] > 0 {}
    }

    @Test("W11 each reader costs the camera a message of its own, and has no policy and no counters")
    func w11() throws {
        let publisher = try channel.publisher(slots: 32)
        let queue = try channel.subscriber([], .queue(8)) { $0.name = "queue" }
        let latest = try (0..<6).map { i in try channel.subscriber([], .latest) { $0.name = "latest \(i)" } }
        for value in UInt8(0)..<20 { try publisher.send(value) }
        #expect(try queue.drain() == Array(12..<20))
        for one in latest { #expect(try one.drain() == [19]) }
        for subscriber in publisher.statistics.subscribers {
            let taken: UInt64 = subscriber.name == "queue" ? 8 : 1
            #expect(subscriber.delivered == taken && subscriber.droppedByPolicy == 20 - taken)
        }
    }

    @Test("W12 the whole configuration and all metadata go through a pipe with every frame")
    func w12() throws {
        let publisher = try channel.publisher(slots: 4)
        let hello = Message.Hello(
            role: .subscriber,
            name: "listener",
            request: LeaseRequest(policy: .latest),
            pollable: false,
            streams: []
        )
        let directory = channel.directory
        let link = try SubscriberLink.connect(
            channel: channel.name,
            directory: directory,
            hello: hello,
            timeout: .seconds(20)
        )
        let statistics = Metadata(dictionaryLiteral: ("Statistics", .bytes(Array(repeating: 7, count: 48_000))))
        for value in UInt8(0)..<100 { try publisher.send(value, metadata: statistics) }
        // Not a byte came: the frames, with all that belongs to them, are in the shared memory.
        #expect(!link.socket.waitReadable(milliseconds: 50))
        let attachment = try #require(link.arrived.first)
        var takes = LaneTakes(memory: attachment.lane, slots: attachment.offer.slots)
        let slot = try present(takes.take())
        #expect(attachment.frames.record(slot).pointee.metadata_size > 48_000)
    }

    @Test("W13 a reader can't ask for one stream, and another's format ends it")
    func w13() throws {
        let odd = try ImageLayout.opaque(width: 64, height: 48, format: .mjpeg, capacity: 4096)
        let publisher = try channel.publisher(["main": .small, "odd": odd], slots: 4)
        let reader = try channel.subscriber(["main"])
        try publisher.send(3)
        let frame = try present(try reader.nextBlocking())
        #expect(frame.value(of: "main") == 3)
        let names = frame.streams.map(\.name)
        #expect(names == ["main"])
        #expect(channel.descriptors(":odd") == 1, "the publisher's own: the reader was sent none")
    }

    @Test("W14 nothing tells that frames were lost, or how late one is")
    func w14() throws {
        let publisher = try channel.publisher(slots: 6)
        let reader = try channel.subscriber([], .queue(2))
        try publisher.send(1, FrameDescription(sequence: 100))
        publisher.countLost(source: 3)
        for sequence in UInt64(104)...107 { try publisher.send(1, FrameDescription(sequence: sequence)) }
        #expect(try reader.drain().count == 2)
        try publisher.send(1, FrameDescription(sequence: 108, timestamp: .now()))
        let frame = try present(try reader.nextBlocking())
        let (sequence, lost) = (frame.sequence, frame.lost)
        #expect(sequence == 108 && lost.total == 0)
        #expect(frame.timestamp <= frame.publishTimestamp && frame.publishTimestamp <= .now())
        let all = reader.statistics
        #expect(all.delivered == 3 && all.latencyMax > 0)
        #expect(publisher.statistics.lostBySource == 3)
        #expect(publisher.statistics.subscribers.first?.droppedByPolicy == 3)
    }

    @Test("W15 a slow reader shows only by the camera starving, and all share one budget of buffers")
    func w15() async throws {
        let publisher = try channel.publisher(slots: 8) { $0.stallLimit = nil }
        let recorder = try channel.subscriber([], .everyFrame) { $0.budget = 3 }
        let workers = try GroupWorker(channel, .queue(1)) { _, request in
            usleepShort()
            try request.answer(.done)
        }
        let hoarder = try channel.subscriber([], .latest)
        var sent = 0
        // Until the recorder's own budget is out: it alone brakes the source, and only since it asked for every frame.
        while try publisher.trySend(UInt8(sent)) != nil { sent += 1 }
        #expect(sent == 3)
        #expect(try recorder.drain() == [0, 1, 2])
        for value in UInt8(3)..<30 {
            _ = try await publisher.sendWaiting(value)
            #expect(try recorder.drain() == [value])
        }
        let statistics = publisher.statistics
        #expect(statistics.lostNoFreeSlot == 0)
        #expect(statistics.subscribers.first { $0.policy == .everyFrame }?.dropped == 0)
        #expect(try hoarder.drain() == [29])
        _ = try await workers.stop()
    }
}
