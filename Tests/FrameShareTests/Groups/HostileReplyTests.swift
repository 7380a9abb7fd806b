import CLinuxMedia
import FrameMemory
import Glibc
import LeaseProtocol
import Testing

@testable import FrameShare

/// What a member of a group can send in place of an answer.
@Suite("Hostile replies", .timeLimit(.minutes(10)))
struct HostileReplyTests {
    let channel: TestChannel

    init() throws { channel = try TestChannel() }

    /// A peer that has joined, and sends what it likes.
    private func link(group: String = "g") throws -> SubscriberLink {
        var hello = Message.Hello(
            role: .subscriber,
            name: "hostile",
            request: LeaseRequest(policy: .queue(2)),
            pollable: false,
            streams: []
        )
        hello.group = group
        return try SubscriberLink.connect(
            channel: channel.name,
            directory: channel.directory,
            hello: hello,
            timeout: .seconds(20)
        )
    }

    private func reply(
        _ frame: UInt64,
        _ stage: Message.WorkerReply.Stage = .final,
        bytes: [UInt8] = [],
        sharedSize: Int = 0
    ) -> Message {
        .reply(.init(frame: frame, stage: stage, content: .bytes, bytes: bytes, sharedSize: sharedSize))
    }

    /// Why the publisher ended the connection.
    private func ending(_ link: SubscriberLink) async throws -> String {
        var link = link
        while link.end == nil && !link.hungUp {
            try link.receive(channel: channel.name)
            try await Task.sleep(for: .milliseconds(2))
        }
        if case .disconnected(let reason)? = link.end { return reason }
        return "\(String(describing: link.end))"
    }

    /// A memfd of a page, sealed so.
    private func memory(_ seals: Int32) throws -> OwnedDescriptor {
        let memory = OwnedDescriptor(owning: fs_memfd_create("hostile"))
        try #require(memory.number >= 0 && ftruncate(memory.number, 4096) == 0)
        try #require(fs_add_seals(memory.number, seals) == 0)
        return memory
    }

    @Test("memory that its sender could still change, or make fault, is not looked at", arguments: [0, 1, 2, 3])
    func unsafeMemory(kind: Int) async throws {
        let publisher = try channel.publisher()
        let link = try link()
        let pending = try publisher.submit(filledWith: 1)
        let seals = [0, FS_SEAL_SHRINK | FS_SEAL_GROW, FS_SEAL_WRITE, FS_SEAL_SHRINK | FS_SEAL_WRITE][kind]
        let memory = try memory(seals)
        // The last is sealed well, and smaller than said.
        link.socket.send(reply(pending.frame, sharedSize: kind == 3 ? 8192 : 4096), descriptors: [memory.number])
        let reason = try await ending(link)
        #expect(reason.contains("its reply can't be read"), "\(reason)")
        guard case .workerLost? = await failure(of: pending) else {
            Issue.record("it was taken for an answer")
            return
        }
    }

    @Test("descriptors without need, and need without descriptors, end the connection; none stays open")
    func descriptors() async throws {
        let publisher = try channel.publisher()
        let memory = try memory(FS_SEAL_SHRINK | FS_SEAL_WRITE)
        for (message, count) in [
            (reply(1), 1), (reply(1, sharedSize: 4096), 2), (reply(1, sharedSize: 4096), 0), (Message.slotReleased, 1),
            (.goodbye, 3),
        ] {
            let link = try link()
            link.socket.send(message, descriptors: Array(repeating: memory.number, count: count))
            let reason = try await ending(link)
            #expect(reason.contains("descriptor") || reason.contains("memory"), "\(message): \(reason)")
        }
        try await eventually { publisher.statistics.subscribers.isEmpty }
    }

    @Test("who is in no group has nothing to reply")
    func noMember() async throws {
        let publisher = try channel.publisher()
        let link = try link(group: "")
        try publisher.send(1)
        link.socket.send(reply(1))
        #expect(try await ending(link) == "it replied, and is in no group")
    }

    @Test("a member can't answer for another, nor for frames that nobody asked about")
    func others() async throws {
        let publisher = try channel.publisher(slots: 6)
        let hostile = try link()
        let first = try publisher.submit(filledWith: 1)
        let honest = try channel.subscriber([], .queue(1)) { $0.group = "g" }
        let second = try publisher.submit(filledWith: 2)
        for frame in [second.frame, 0, 77, .max] { hostile.socket.send(reply(frame, bytes: [66])) }
        hostile.socket.send(reply(first.frame, bytes: [1]))
        #expect(try await first.answer.reply == .bytes([1]))
        let frame = try present(try honest.nextBlocking())
        #expect(frame.value() == 2)
        try await frame.request?.answer(.bytes([2]))
        #expect(try await second.answer.reply == .bytes([2]))
        #expect(publisher.statistics.groups.map(\.discarded) == [4])
    }

    @Test("a flood of replies on the way is kept within bounds, and others are served meanwhile")
    func flood() async throws {
        let publisher = try channel.publisher(slots: 6)
        let hostile = try link()
        let first = try publisher.submit(filledWith: 1)
        // Taken, so that no later frame replaces it.
        let attachment = try #require(hostile.arrived.first)
        var takes = LaneTakes(memory: attachment.lane, slots: attachment.offer.slots)
        _ = try present(takes.take())
        let flooding = OwnThread {
            let bytes = [UInt8](repeating: 7, count: Message.WorkerReply.inlineLimit)
            let flood = repeatElement(reply(first.frame, .progress, bytes: bytes), count: 3000)
            for message in Array(flood) + [reply(first.frame)] {
                // The last, too, may find the socket full.
                while hostile.socket.send(message) == .full {
                    _ = hostile.socket.waitWritable(milliseconds: 100)
                }
            }
        }
        let worker = try GroupWorker(channel, group: "other") { _, request in try request.answer(.done) }
        for _ in 0..<50 {
            #expect(try await publisher.submit(filledWith: 2, group: "other").answer.reply == .done)
        }
        try await flooding.value
        #expect(try await first.answer.reply == .done)
        var kept = 0
        while try await first.progress() != nil { kept += 1 }
        #expect(kept == 64)
        _ = try await worker.stop()
    }

    @Test("an answer that is no metadata, though it says so, is an error for who asked")
    func malformed() async throws {
        let publisher = try channel.publisher()
        let hostile = try link()
        let pending = try publisher.submit(filledWith: 1)
        hostile.socket.send(
            .reply(.init(frame: pending.frame, stage: .final, content: .metadata, bytes: [9, 9, 9], sharedSize: 0))
        )
        guard case .malformed(pending.frame, .badMetadata)? = await failure(of: pending) else {
            Issue.record("it was taken for metadata")
            return
        }
    }

    @Test("what waits in a lane that is never read is lost to nobody but its group's newest frames")
    func deaf() async throws {
        let publisher = try channel.publisher(slots: 8)
        let plain = try channel.subscriber([], .queue(4))
        let hostile = try link()
        for value in UInt8(0)..<40 {
            try publisher.send(value)
            #expect(try plain.drain() == [value])
        }
        #expect(publisher.statistics.slotsFree >= 5)
        withExtendedLifetime(hostile) {}
    }
}
