import Glibc
import PeerTesting
import Synchronization
import Testing

@testable import FrameShare

/// picamera2's `remote.py` hands a camera's frames to worker processes, too. What was seen to go wrong there, fault by
/// fault, does not here.
@Suite("Faults of picamera2.remote that are not here", .serialized, .timeLimit(.minutes(10)))
struct RemoteFaultTests {
    let channel: TestChannel

    init() throws { channel = try TestChannel() }

    private func member(_ policy: Policy = .queue(1), budget: Int? = nil) throws -> Subscriber {
        try channel.subscriber([], policy) { options in
            options.group = "g"
            options.budget = budget
        }
    }

    @Test("W1 frames are given back in order only, so that one slow frame keeps those behind it")
    func w01() async throws {
        let publisher = try channel.publisher(slots: 8)
        let slow = try member()
        let first = try publisher.submit(filledWith: 1)
        let held = try present(try slow.nextBlocking())
        let quick = try GroupWorker(channel, .queue(3)) { frame, request in
            try request.answer(.bytes([frame.value() ?? 0]))
        }
        for value in UInt8(2)...20 {
            #expect(try await publisher.submit(filledWith: value).answer.reply == .bytes([value]))
            // Of all frames the slow one alone is out.
            try await eventually { publisher.statistics.slotsFree == 7 }
        }
        try await held.request?.answer(.bytes([1]))
        #expect(try await first.answer.reply == .bytes([1]))
        _ = try await quick.stop()
    }

    @Test("W2 each time-out costs a buffer")
    func w02() async throws {
        let publisher = try channel.publisher(slots: 4)
        for value in UInt8(1)...4 {
            let worker = try member()
            let pending = try publisher.submit(filledWith: value) { options in
                options.deadline = .seconds(1)
                options.overdue = .isCutOff
            }
            let held = try present(try worker.nextBlocking())
            #expect(await failure(of: pending) == .deadlinePassed(frame: pending.frame))
            try await eventually { publisher.statistics.slotsFree == 4 }
            _ = held.number
        }
    }

    @Test("W3 an answer that comes after a time-out is taken for the next frame's, which is given back too early")
    func w03() async throws {
        let publisher = try channel.publisher(slots: 6)
        let worker = try member(.queue(2))
        let late = try publisher.submit(filledWith: 1) { $0.deadline = .seconds(2) }
        let first = try present(try worker.nextBlocking())
        #expect(await failure(of: late) == .deadlinePassed(frame: late.frame))
        let next = try publisher.submit(filledWith: 2)
        try await first.request?.answer(.bytes([1]))
        first.release()
        try await eventually { publisher.statistics.groups.first?.discarded == 1 }
        let second = try present(try worker.nextBlocking())
        // While it is worked on, its slot is no one else's, however many frames are published.
        for value in UInt8(10)...40 { _ = try publisher.trySend(value) }
        #expect(second.value() == 2)
        try await second.request?.answer(.bytes([2]))
        #expect(try await next.answer.reply == .bytes([2]))
    }

    @Test("W4 a crash is not noticed, closing hangs, and the orphan keeps the memory")
    func w04() async throws {
        let folder = try PeerFolder()
        let asker = try PeerProcess([PeerProcess.besideTests("frameshare-test-peer"), "ask", folder.path, "camera"])
        try await asker.line("asking")
        func worker() throws -> PeerProcess {
            try PeerProcess(
                [PeerProcess.besideTests("frameshare-test-worker"), "camera"],
                environment: ["FRAMESHARE_DIR=\(folder.path)"]
            )
        }
        let crashing = try worker()
        // Word 1 of these pixels tells the worker to kill itself. The second frame is handed over: nobody else is there.
        for ended in 1...2 {
            let victim = ended == 1 ? crashing : try worker()
            while try await asker.report()["members"] != 1 {}
            let seen = try await asker.ask("ask 1 1", "asked")
            #expect(try seen["lost"] == ended, "\(seen)")
            #expect(try await victim.exit() == -SIGKILL)
        }
        let orphan = try worker()
        while try await asker.report()["members"] != 1 {}
        #expect(try await asker.ask("ask 3", "asked")["answered"] == 3)
        asker.kill(SIGKILL)
        #expect(try await orphan.exit() == 3)
        // And here: a channel with a worker that hangs closes at once.
        let publisher = try channel.publisher()
        let hanging = try member()
        let pending = try publisher.submit(filledWith: 1)
        let held = try present(try hanging.nextBlocking())
        publisher.close()
        #expect(await failure(of: pending) == .channel(.closed))
        _ = held.number
    }

    @Test("W5 after a reconfiguration old pixels are read through a descriptor's number that is used again")
    func w05() async throws {
        let publisher = try channel.publisher(slots: 3)
        let worker = try GroupWorker(channel) { frame, request in
            try request.answer(.bytes([frame.value() ?? 0, UInt8(frame.generation)]))
        }
        for round in UInt8(1)...12 {
            #expect(try await publisher.submit(filledWith: round).answer.reply == .bytes([round, round]))
            try publisher.reconfigure(streams: [Stream(name: "main", layout: .small)], slots: 3)
        }
        _ = try await worker.stop()
    }

    @Test("W6 each buffer ever seen keeps its descriptors and its mapping")
    func w06() async throws {
        let folder = try PeerFolder()
        let publisher = try await folder.publisher("slots=12", "rate=200")
        let reader = try await folder.subscriber("policy=queue:2")
        func settled() async throws -> Report {
            let seen = try await reader.report()
            while try await reader.report()["delivered"] < seen["delivered"] + 10 {}
            return try await reader.report()
        }
        let before = try await settled()
        for round in 1...12 {
            try await publisher.ask("reconfigure 12 \(160 + 16 * (round % 2)) 120", "reconfigured")
            let after = try await settled()
            #expect(try after["fds"] == before["fds"] && after["maps"] == before["maps"], "\(after)")
            #expect(try after["bad"] == 0)
        }
    }

    @Test("W7 an answer that comes before its frame was booked ends the thread that takes answers")
    func w07() async throws {
        let publisher = try channel.publisher(slots: 4)
        let worker = try GroupWorker(channel) { _, request in try request.answer(.done) }
        for _ in 0..<3000 { #expect(try await publisher.submit(filledWith: 1).answer.reply == .done) }
        #expect(publisher.statistics.groups.first?.discarded == 0)
        _ = try await worker.stop()
    }

    @Test("W8 cancelling ends the thread that takes answers")
    func w08() async throws {
        let publisher = try channel.publisher(slots: 6)
        let worker = try GroupWorker(channel, .queue(2)) { _, request in try request.answer(.done) }
        for round in 0..<200 {
            let pending = try publisher.submit(filledWith: UInt8(round))
            let task = Task { await failure(of: pending) }
            if round % 2 == 0 { task.cancel() } else { pending.cancel() }
            let outcome = await task.value
            #expect(outcome == nil || outcome == .cancelled, "answered before, or cancelled")
            try await publisher.waitForRoom(in: "g", timeout: .seconds(20))
        }
        #expect(try await publisher.submit(filledWith: 9).answer.reply == .done)
        _ = try await worker.stop()
        try await eventually { publisher.statistics.slotsFree == 6 }
    }

    @Test("W9 what can't be put into a message leaks the request, or is a silent time-out")
    func w09() async throws {
        let publisher = try channel.publisher(slots: 3) { $0.metadataCapacity = 100 }
        let worker = try GroupWorker(channel) { frame, request in
            do {
                try request.answer([String(repeating: "k", count: 300): 1])
            } catch {
                try request.fail("\(error)")
            }
        }
        for _ in 0..<5 {
            #expect(throws: WorkError.channel(.metadataTooLarge(size: 1009, capacity: 100))) {
                try publisher.submit(filledWith: 1, metadata: ["a": .bytes(Array(repeating: 0, count: 1000))])
            }
            let pending = try publisher.submit(filledWith: 1)
            guard case .failed(_, let reason)? = await failure(of: pending) else {
                Issue.record("no error came")
                continue
            }
            #expect(reason.contains("1 to 255 bytes"))
        }
        _ = try await worker.stop()
        try await eventually { publisher.statistics.slotsFree == 3 }
    }
}
