import FrameShare
import Testing

/// Frames outlive what they came from; and nothing outlives its last user.
@Suite("Lifetimes", .timeLimit(.minutes(10)))
struct LifetimeTests {
    @Test("a frame stays valid after its subscriber was closed, and is not overwritten meanwhile")
    func afterSubscriber() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 3)
        let subscriber = try channel.subscriber()
        try publisher.send(42, metadata: ["n": 1])
        let frame = try present(await subscriber.next())
        subscriber.close()
        for value in 0..<20 { try publisher.send(UInt8(value)) }
        #expect(frame.value() == 42)
        #expect(frame.metadataValue("n") == 1)
        try await eventually { publisher.statistics.slotsFree == 2 }
        frame.release()
        try await eventually { publisher.statistics.slotsFree == 3 && publisher.statistics.subscribers.isEmpty }
    }

    @Test("frames are kept in an array, read there, and given back one by one")
    func kept() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 8)
        let subscriber = try channel.subscriber([], .queue(1)) { $0.budget = 5 }
        var last: [HeldFrame] = []
        for value: UInt8 in 1...10 {
            try publisher.send(value)
            last.append(HeldFrame(try present(await subscriber.next())))
            if last.count > 3 { last.removeFirst() }
        }
        #expect(last.map { held in held.withFrame { $0.value() } } == [8, 9, 10])
        #expect(last.map(\.number) == [8, 9, 10])
        #expect(subscriber.statistics.held == 3)
        last = []
        #expect(subscriber.statistics.held == 0)
    }

    @Test("a frame stays valid when nothing but it is left of its subscription")
    func afterLastReference() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 3)
        var subscriber: Subscriber? = try channel.subscriber()
        try publisher.send(43)
        let frame = try present(subscriber?.tryNext())
        subscriber = nil
        for value in 0..<20 { try publisher.send(UInt8(value)) }
        #expect(frame.value() == 43)
        frame.release()
        try await eventually { publisher.statistics.subscribers.isEmpty && channel.descriptors(":lane") == 0 }
    }

    @Test("a frame stays valid after the channel has ended and its publisher is gone")
    func afterPublisher() throws {
        let channel = try TestChannel()
        var publisher: Publisher? = try channel.publisher()
        let subscriber = try channel.subscriber()
        try publisher?.send(44, metadata: ["n": 2])
        let frame = try present(subscriber.tryNext())
        publisher?.close()
        publisher = nil
        #expect(frame.value() == 44)
        #expect(frame.metadataValue("n") == 2)
        #expect(throws: ChannelError.closed) { _ = try subscriber.tryNext() }
        subscriber.close()
        #expect(frame.value() == 44)
    }

    @Test("a frame that goes to another task, and one in a box, are released there")
    func handedOver() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 3)
        let subscriber = try channel.subscriber([], .queue(2))
        try publisher.send(1)
        try publisher.send(2)
        let first = try present(await subscriber.next())
        let value = await Task.detached { [first = consume first] in first.value() }.value
        #expect(value == 1)
        final class Box: Sendable {
            let frame: Frame
            init(_ frame: consuming Frame) { self.frame = frame }
        }
        var box: Box? = Box(try present(await subscriber.next()))
        #expect(box?.frame.value() == 2)
        #expect(subscriber.statistics.held == 1)
        box = nil
        #expect(subscriber.statistics.held == 0)
        #expect(publisher.statistics.slotsFree == 3)
    }

    @Test("a whole life leaves no descriptor, lane or file behind")
    func nothingLeft() async throws {
        let channel = try TestChannel()
        for _ in 0..<20 {
            let publisher = try channel.publisher(["main": .small, "lores": .small], slots: 6)
            let subscribers = [
                try channel.subscriber(), try channel.subscriber(["lores"], .queue(2)),
                try channel.subscriber([], .everyFrame),
            ]
            for value in 0..<3 {
                try publisher.send(UInt8(value))
                for subscriber in subscribers { _ = try await subscriber.next(timeout: .seconds(20)) }
            }
            try publisher.reconfigure(streams: [Stream(name: "lores", layout: .small)], slots: 4)
            if Bool.random() { subscribers[0].close() }
            publisher.close()
        }
        try await eventually { channel.descriptors() == 0 }
        #expect(try channel.directory.channels() == [])
    }

    @Test("a publisher that loses its last reference ends the channel in order")
    func publisherDeinit() async throws {
        let channel = try TestChannel()
        var publisher: Publisher? = try channel.publisher()
        let subscriber = try channel.subscriber()
        try publisher?.send(1)
        publisher = nil
        #expect(try await subscriber.nextValue() == 1)
        #expect(try await subscriber.nextValue() == nil)
    }
}
