import Glibc
import Synchronization
import Testing

@testable import FrameShare

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

    @Test("what is to be tried again later wakes an event loop later, and no call waits for it")
    func later() throws {
        let gate = try PollGate()
        gate.raise(afterNanoseconds: .max)
        #expect(!isReadable(gate.number))
        gate.clear()
        gate.raise(afterNanoseconds: 1)
        #expect(isReadable(gate.number, within: 60_000))
        gate.clear()
        #expect(!isReadable(gate.number))
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
        let socket = try #require(try watched(by: descriptor).first { isSocket($0) })
        #expect(ioctl(socket, UInt(FIONREAD), &bytes) == 0)
        let wake = try wakeMessageSize()
        #expect(Int(bytes) == wake, "more than one message waits")
        #expect(try subscriber.drain() == [1, 2, 3, 4])
        #expect(!isReadable(descriptor))
    }

    @Test("until the descriptor is asked for, frames cost no message, and a loop that begins then misses none")
    func notPolled() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 8)
        let subscriber = try channel.subscriber([], .queue(4)) { pollable(&$0) }
        for value: UInt8 in 1...3 {
            #expect(try subscriber.drain() == [])
            try publisher.send(value)
            #expect(try subscriber.tryNextValue() == value)
        }
        #expect(try subscriber.drain() == [])
        try publisher.send(4)
        let descriptor = try subscriber.pollDescriptor
        var bytes: Int32 = -1
        let socket = try #require(try watched(by: descriptor).first { isSocket($0) })
        #expect(ioctl(socket, UInt(FIONREAD), &bytes) == 0 && bytes == 0)
        #expect(isReadable(descriptor, within: 60_000))
        #expect(try subscriber.drain() == [4])
        #expect(!isReadable(descriptor))
        try publisher.send(5)
        #expect(isReadable(descriptor, within: 60_000))
    }

    /// The descriptors that an epoll descriptor watches.
    private func watched(by descriptor: Int32) throws -> [Int32] {
        let file = try #require(fopen("/proc/self/fdinfo/\(descriptor)", "r"))
        defer { fclose(file) }
        var text = [CChar](repeating: 0, count: 4096)
        let count = fread(&text, 1, text.count - 1, file)
        let lines = String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self).split(separator: "\n")
        return lines.compactMap { line in
            let words = line.split(separator: " ")
            return words.first == "tfd:" ? Int32(words[1]) : nil
        }
    }

    private func isSocket(_ descriptor: Int32) -> Bool {
        var status = stat()
        return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
    }

    /// The size of a wake message: header only.
    private func wakeMessageSize() throws -> Int { 12 }

    @Test("a loop that polls first, and takes one frame each time it may, gets every frame")
    func pollFirst() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 8)
        let subscriber = try channel.subscriber([], .queue(4)) { pollable(&$0) }
        let descriptor = try subscriber.pollDescriptor
        #expect(!isReadable(descriptor), "nothing was published")
        var seen: [UInt8] = []
        for round: UInt8 in 0..<20 {
            for value in 1...3 { try publisher.send(round * 3 + UInt8(value)) }
            for _ in 0..<3 {
                #expect(isReadable(descriptor, within: 60_000))
                if let value = try subscriber.tryNextValue() { seen.append(value) }
            }
            // A look that finds nothing, as after a spurious wake.
            if round % 3 == 0 { #expect(try subscriber.drain() == []) }
            if round % 5 == 4 {
                try publisher.reconfigure(streams: [Stream(name: "main", layout: .grey(16, 8))], slots: 8)
            }
            while isReadable(descriptor) { if let value = try subscriber.tryNextValue() { seen.append(value) } }
        }
        #expect(seen == Array(1...60))
    }

    @Test("frames that came before anybody polled make it readable, one after the other")
    func alreadyThere() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 8)
        let subscriber = try channel.subscriber([], .queue(4)) { pollable(&$0) }
        for value in 1...4 { try publisher.send(UInt8(value)) }
        let descriptor = try subscriber.pollDescriptor
        for value: UInt8 in 1...4 {
            #expect(isReadable(descriptor, within: 60_000))
            #expect(try present(subscriber.tryNext()).value() == value)
        }
        #expect(try subscriber.drain() == [])
        #expect(!isReadable(descriptor))
    }

    @Test("frames of a new generation make it readable one after the other, also when the look finds all of it at once")
    func generationInOneLook() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 8)
        let subscriber = try channel.subscriber([], .queue(4)) { pollable(&$0) }
        let descriptor = try subscriber.pollDescriptor
        for round: UInt8 in 0..<5 {
            try publisher.reconfigure(streams: [Stream(name: "main", layout: .grey(16, 8))], slots: 8)
            for value: UInt8 in 1...3 { try publisher.send(round * 3 + value) }
            var seen: [UInt8] = []
            while seen.count < 3 {
                try #require(isReadable(descriptor, within: 60_000))
                if let value = try subscriber.tryNextValue() { seen.append(value) }
            }
            #expect(seen == (1...3).map { round * 3 + $0 })
        }
    }

    @Test("a program that waits in other ways meanwhile takes no wake-up from whoever polls then")
    func mixed() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 8)
        let subscriber = try channel.subscriber { pollable(&$0) }
        let descriptor = try subscriber.pollDescriptor
        try publisher.send(1)
        #expect(try subscriber.nextValueBlocking() == 1)
        let waiting = OwnThread { try subscriber.nextValueBlocking() }
        // Long enough for it to look at its socket, which has the wake-up for the first frame.
        try await Task.sleep(for: .milliseconds(250))
        try publisher.send(2)
        #expect(try await waiting.value == 2)
        try publisher.send(3)
        #expect(isReadable(descriptor, within: 60_000))
        while try subscriber.tryNextValue() != 3 {}
        #expect(try subscriber.drain() == [])
        #expect(!isReadable(descriptor))
    }

    @Test("it stays the same over a new connection, sleeps while there is none, and tells of the next one's frames")
    func reconnecting() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber {
            pollable(&$0)
            $0.reconnect = true
        }
        let descriptor = try subscriber.pollDescriptor
        try publisher.send(1)
        #expect(isReadable(descriptor, within: 60_000))
        #expect(try subscriber.drain() == [1])
        publisher.close()
        // The end is heard, and then there is nothing to look after.
        #expect(isReadable(descriptor, within: 60_000))
        #expect(try subscriber.drain() == [])
        #expect(!isReadable(descriptor))
        let next = try channel.publisher()
        #expect(isReadable(descriptor, within: 60_000))
        #expect(try subscriber.drain() == [])
        try next.send(2)
        #expect(isReadable(descriptor, within: 60_000))
        #expect(try subscriber.drain() == [2])
        #expect(try subscriber.pollDescriptor == descriptor)
        #expect(subscriber.statistics.connections == 2)
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
        #expect(ChannelError.notPollable.description.contains("'pollable'"))
        withExtendedLifetime(publisher) {}
    }
}
