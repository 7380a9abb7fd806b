import Glibc
import LeaseProtocol
import Testing

@testable import FrameShare

/// Subscribers that ask for so many frames a second.
@Suite("Rates", .timeLimit(.minutes(10)))
struct RateTests {
    /// Publishes frames that were captured 30 a second.
    private func send(_ publisher: Publisher, _ frames: ClosedRange<Int64>) throws {
        for frame in frames {
            let stamp = FrameTimestamp(nanoseconds: 1_000_000_000 + frame * 1_000_000_000 / 30)
            try publisher.send(UInt8(truncatingIfNeeded: frame), FrameDescription(timestamp: stamp))
        }
    }

    @Test("10 of 30 frames a second are each third, and the others are no losses")
    func thirds() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 40)
        let all = try channel.subscriber([], .queue(30)) { $0.budget = 31 }
        let some = try channel.subscriber([], .queue(20)) { ($0.atMost, $0.budget) = (10, 21) }
        try send(publisher, 0...29)
        #expect(try some.drain() == (0..<10).map { UInt8(3 * $0) })
        #expect(try all.drain().count == 30)
        let told = some.statistics
        #expect(told.lost == FrameLoss() && told.delivered == 10)
        let status = publisher.statistics.subscribers
        #expect(status.map(\.passedOver) == [0, 20] && status.map(\.dropped) == [0, 0])
        #expect(status.map(\.interval) == [0, 100_000_000])
        // Another generation: it goes on where it was, and so do the counts.
        try publisher.reconfigure(streams: publisher.streams, slots: 40)
        try send(publisher, 30...89)
        #expect(try some.drain() == (10..<30).map { UInt8(3 * $0) })
        #expect(some.statistics.lost == FrameLoss())
        #expect(publisher.statistics.subscribers[1].passedOver == 60)
    }

    @Test("What it is too slow for is lost all the same, and told apart")
    func losses() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 8)
        let some = try channel.subscriber([], .latest) { $0.atMost = 10 }
        try send(publisher, 0...29)
        #expect(try some.drain() == [27])
        try send(publisher, 30...89)
        #expect(try some.drain() == [87])
        #expect(some.statistics.lost == FrameLoss(policy: 19))
        #expect(some.statistics.passedOver == 40)
        #expect(publisher.statistics.subscribers[0].droppedByPolicy == 28)
    }

    @Test("Frames that are not for it don't wake it, whoever else of its user sleeps there")
    func sleeps() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 8)
        let eager = try channel.subscriber()
        let patient = try channel.subscriber { $0.atMost = 1 }
        let threads = [eager, patient].map { subscriber in
            OwnThread {
                let before = Self.sleeps
                while let frame = try subscriber.nextBlocking(timeout: .seconds(300)) { frame.release() }
                return Self.sleeps - before
            }
        }
        for frame in 0..<Int64(300) {
            // Until the eager reader has had it and sleeps again.
            while publisher.statistics.subscribers[0].delivered < UInt64(frame) { usleep(200) }
            usleep(300)
            try send(publisher, frame...frame)
        }
        publisher.close()
        let (most, few) = (try await threads[0].value, try await threads[1].value)
        #expect(patient.statistics.delivered == 10)
        // Ten frames, the end, and what the first sleep settles.
        #expect(few < 60 && most > few, "it slept \(few) times, the other \(most)")
    }

    /// How often this thread has gone to sleep so far.
    private static var sleeps: Int {
        guard let file = fopen("/proc/thread-self/status", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, 256, file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if text.hasPrefix("voluntary_ctxt_switches:") {
                return Int(text.split(whereSeparator: \.isWhitespace).last ?? "") ?? 0
            }
        }
        return 0
    }

    @Test("Rates that can't be are refused in words, here and on the wire", arguments: [0, -3, .nan, 1e9, .infinity])
    func refused(rate: Double) throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        #expect {
            _ = try channel.subscriber { $0.atMost = rate }
        } throws: {
            "\($0)".contains("frames a second can't be asked for")
        }
        withExtendedLifetime(publisher) {}
    }

    @Test("A hello with an interval that can't be is refused", arguments: [-1, 1, 99_999, Int64.max, Int64.min])
    func refusedOnTheWire(interval: Int64) throws {
        let hello = Message.Hello(
            role: .subscriber,
            name: "bad",
            request: LeaseRequest(policy: .latest),
            pollable: false,
            streams: [],
            interval: interval
        )
        #expect(throws: Message.ReadError.self) { try Message(bytes: Message.hello(hello).encoded[...]) }
    }
}
