import Glibc
import Testing

@testable import FrameShare

/// A channel with the frames of another and a group's answers, in the same memory.
@Suite("Overlays", .timeLimit(.minutes(10)))
struct OverlayTests {
    let channel: TestChannel
    private let name: String

    init() throws {
        channel = try TestChannel()
        name = channel.name + "-overlay"
    }

    private func viewer(_ policy: Policy = .latest, budget: Int? = nil) throws -> Subscriber {
        var options = Subscriber.Options()
        options.directory = channel.directory
        options.budget = budget
        return try Subscriber(channel: name, policy: policy, options: options)
    }

    /// What the join gives out: frame numbers, negative where nothing is added.
    private func numbers(_ output: OverlayJoin<Int>.Output) -> [Int] {
        output.map { $0.addition == nil ? -$0.frame : $0.frame }
    }

    @Test("a frame goes on with its answer, whichever comes first, and without one that will not come")
    func join() {
        var join = OverlayJoin<Int>()
        #expect(numbers(join.frame(1, 1)) == [])
        #expect(numbers(join.result(1, ["a": 1])) == [1])
        #expect(numbers(join.result(2, ["a": 1])) == [])
        #expect(numbers(join.frame(2, 2)) == [2])
        #expect(numbers(join.frame(3, 3)) == [])
        #expect(numbers(join.result(3, nil)) == [-3])
        // The results of 4 and 5 come; the frame 4 was not for us.
        #expect(numbers(join.result(4, ["a": 1])) == [])
        #expect(numbers(join.result(5, ["a": 1])) == [])
        #expect(numbers(join.frame(5, 5)) == [5])
        // No result of 6, but a later one.
        #expect(numbers(join.frame(6, 6)) == [])
        #expect(numbers(join.frame(7, 7)) == [])
        #expect(numbers(join.result(7, ["a": 1])) == [-6, 7])
        #expect(numbers(join.result(6, ["a": 1])) == [], "too late")
    }

    @Test("its subscribers have the very memory of the channel, its numbers and metadata, and the answers")
    func shown() async throws {
        let publisher = try channel.publisher(slots: 12)
        let overlay = try Overlay(of: publisher, channel: name, group: "g")
        let worker = try GroupWorker(channel, .queue(6)) { frame, request in
            if frame.value() == 3 { return try request.fail("no") }
            try request.answer(["value": .int32(Int32(frame.value() ?? 0))])
        }
        let viewer = try viewer(.queue(8))
        let source = try channel.subscriber([], .queue(8))
        for value in UInt8(1)...5 {
            try publisher.send(value, FrameDescription(sequence: 100 + UInt64(value)), metadata: ["own": 7])
        }
        for value in UInt8(1)...5 {
            let frame = try present(try await viewer.next(timeout: .seconds(100)))
            let original = try present(try await source.next(timeout: .seconds(100)))
            #expect(frame.value() == value && frame.sequence == 100 + UInt64(value))
            #expect(frame.timestamp == original.timestamp)
            #expect(frame.metadataValue("own") == 7)
            #expect(frame.metadataValue("value") == (value == 3 ? nil : .int32(Int32(value))))
            // The same pages: the inode of the memory is one.
            let inodes = try (inode(of: frame), inode(of: original))
            #expect(inodes.0 == inodes.1)
        }
        _ = try await worker.stop()
        overlay.close()
        #expect(try await viewer.nextValue(timeout: .seconds(100)) == nil)
    }

    private func inode(of frame: borrowing Frame) throws -> UInt64 {
        var status = stat()
        let descriptor = try present(frame["main"].descriptors.first)
        try #require(fstat(descriptor, &status) == 0)
        return UInt64(status.st_ino)
    }

    @Test("a slot is free only when nobody holds it in either channel")
    func pinned() async throws {
        let publisher = try channel.publisher(slots: 8)
        let overlay = try Overlay(of: publisher, channel: name, group: "g", budget: 4)
        let worker = try GroupWorker(channel) { _, request in try request.answer(.bytes([1])) }
        let viewer = try viewer(.queue(4), budget: 4)
        try publisher.send(42)
        let held = try present(try await viewer.next(timeout: .seconds(100)))
        #expect(held.metadataValue("g") == .bytes([1]))
        // However many frames follow, that one stays as it is; the overlay's budget bounds what its viewers pin.
        for value in UInt8(0)..<100 { _ = try await publisher.sendWaiting(value) }
        #expect(held.value() == 42)
        #expect(publisher.statistics.slotsFree < 8)
        let isRevoked = held.isRevoked
        #expect(!isRevoked)
        held.release()
        while try viewer.tryNext() != nil {}
        _ = try await worker.stop()
        try await eventually {
            while try viewer.tryNext() != nil {}
            return publisher.statistics.slotsFree == 8
        }
        _ = overlay.statistics
    }

    @Test("without workers, frames go on without answers")
    func noWorkers() async throws {
        let publisher = try channel.publisher(slots: 8)
        let overlay = try Overlay(of: publisher, channel: name, group: "g")
        let viewer = try viewer()
        try publisher.send(5)
        #expect(try await viewer.nextValue(timeout: .seconds(100)) == 5)
        #expect(overlay.statistics.sourceName == "\(channel.name) with g")
    }

    @Test("it follows a reconfiguration of its channel")
    func reconfigured() async throws {
        let publisher = try channel.publisher(slots: 8)
        let overlay = try Overlay(of: publisher, channel: name, group: "g")
        let viewer = try viewer(.queue(4))
        try publisher.send(1)
        let old = try present(try await viewer.next(timeout: .seconds(100)))
        try publisher.reconfigure(streams: [Stream(name: "main", layout: .grey(64, 16))], slots: 9)
        for value in UInt8(2)...4 { try publisher.send(value) }
        for value in UInt8(2)...4 {
            let frame = try present(try await viewer.next(timeout: .seconds(100)))
            let width = frame["main"].layout.width
            #expect(frame.value() == value && width == 64)
        }
        #expect(old.value() == 1)
        old.release()
        try await eventually { publisher.statistics.retiredSlotsHeld == 0 && publisher.statistics.slotsFree == 9 }
        #expect(overlay.statistics.generation == 2)
    }

    @Test("what is held when it closes is taken back, and its holder can tell; the channel goes on")
    func closed() async throws {
        let publisher = try channel.publisher(slots: 8)
        var overlay: Overlay? = try Overlay(of: publisher, channel: name, group: "g")
        let viewer = try viewer()
        try publisher.send(1)
        let held = try present(try await viewer.next(timeout: .seconds(100)))
        overlay = nil
        let isRevoked = held.isRevoked
        #expect(isRevoked)
        try await eventually { publisher.statistics.slotsFree == 8 && publisher.statistics.subscribers.isEmpty }
        for value in UInt8(2)...20 { try publisher.send(value) }
        // Its place is free: another can be opened.
        overlay = try Overlay(of: publisher, channel: name, group: "g")
        publisher.close()
        try await eventually { (try? self.viewer()) == nil }
        _ = overlay?.channel
    }
}
