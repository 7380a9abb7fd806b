import FrameShare
import Glibc
import Synchronization
import Testing

/// The pollable descriptor, as an event loop uses it.
@Suite("The pollable descriptor", .timeLimit(.minutes(10)))
struct PollingTests {
    private func pollable(_ options: inout Subscriber.Options) { options.pollable = true }

    @Test("it is readable when there is something to take, and not before")
    func readable() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber([], .queue(2)) { pollable(&$0) }
        let descriptor = try subscriber.pollDescriptor
        #expect(try subscriber.drain() == [])
        #expect(!isReadable(descriptor))
        try publisher.send(1)
        #expect(isReadable(descriptor, within: 20_000))
        #expect(try subscriber.drain() == [1])
        #expect(!isReadable(descriptor))
    }

    @Test("one wake for one arming: frames beyond the first cost the publisher no message")
    func oneWakePerArming() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 8)
        let subscriber = try channel.subscriber([], .queue(4)) { pollable(&$0) }
        let descriptor = try subscriber.pollDescriptor
        #expect(try subscriber.drain() == [])
        for value in 1...4 { try publisher.send(UInt8(value)) }
        #expect(isReadable(descriptor, within: 20_000))
        var bytes: Int32 = 0
        #expect(ioctl(descriptor, UInt(FIONREAD), &bytes) == 0)
        let wake = try wakeMessageSize()
        #expect(Int(bytes) == wake, "more than one message waits")
        #expect(try subscriber.drain() == [1, 2, 3, 4])
        #expect(!isReadable(descriptor))
    }

    /// The size of a wake message: header only.
    private func wakeMessageSize() throws -> Int { 12 }

    @Test("one that was never armed is never written to")
    func notArmed() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber([], .latest) { pollable(&$0) }
        let descriptor = try subscriber.pollDescriptor
        for value in 1...10 { try publisher.send(UInt8(value)) }
        #expect(!isReadable(descriptor))
        #expect(try subscriber.drain() == [10])
    }

    @Test("no wake is lost, however frames and looks interleave")
    func noLostWake() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 8) { $0.stallLimit = nil }
        let subscriber = try channel.subscriber([], .everyFrame) {
            pollable(&$0)
            $0.budget = 3
        }
        let descriptor = try subscriber.pollDescriptor
        let reader = OwnThread { () -> (numbers: [UInt64], lost: Int) in
            var (numbers, lost) = ([] as [UInt64], 0)
            var timedOut = false
            do {
                while true {
                    while let frame = try subscriber.tryNext() {
                        // Far longer than any wake takes, and yet there was one.
                        if timedOut { lost += 1 }
                        timedOut = false
                        numbers.append(frame.number)
                    }
                    timedOut = !isReadable(descriptor, within: 5000)
                }
            } catch ChannelError.closed {
                return (numbers, lost)
            }
        }
        for value in 0..<2000 { try await publisher.sendWaiting(UInt8(truncatingIfNeeded: value)) }
        publisher.close()
        let result = try await reader.value
        #expect(result.numbers == Array(1...2000))
        #expect(result.lost == 0)
    }

    @Test("no wake is lost while the channel is reconfigured again and again")
    func noLostWakeAcrossGenerations() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber([], .latest) { pollable(&$0) }
        let descriptor = try subscriber.pollDescriptor
        final class LastSeen: Sendable { let number = Atomic<UInt64>(0) }
        let seen = LastSeen()
        let reader = OwnThread {
            while true {
                while let frame = try subscriber.tryNext() { seen.number.store(frame.number, ordering: .releasing) }
                _ = isReadable(descriptor, within: 60_000)
            }
        }
        for round in 0..<150 {
            try publisher.reconfigure(streams: [Stream(name: "main", layout: .grey(16 + round % 3, 8))], slots: 4)
            // The one frame of this generation must arrive.
            let number = try publisher.send(UInt8(round))
            while seen.number.load(ordering: .acquiring) < number { try await Task.sleep(for: .microseconds(200)) }
        }
        publisher.close()
        await #expect(throws: ChannelError.closed) { try await reader.value }
        #expect(seen.number.load(ordering: .relaxed) == 150)
    }

    @Test("it tells of the end and of a failure")
    func end() throws {
        for reason in [nil, "broken"] {
            let channel = try TestChannel()
            let publisher = try channel.publisher()
            let subscriber = try channel.subscriber([], .latest) { pollable(&$0) }
            #expect(try subscriber.drain() == [])
            if let reason { publisher.fail(reason) } else { publisher.close() }
            #expect(isReadable(try subscriber.pollDescriptor, within: 20_000))
            let expected: ChannelError = reason.map(ChannelError.sourceFailed) ?? .closed
            #expect(throws: expected) { _ = try subscriber.tryNext() }
        }
    }

    @Test("without the option there is none, and the error says what to set")
    func notPollable() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber()
        #expect(throws: ChannelError.notPollable) { _ = try subscriber.pollDescriptor }
        #expect(ChannelError.notPollable.description.contains("Subscriber.Options.pollable"))
        withExtendedLifetime(publisher) {}
    }
}
