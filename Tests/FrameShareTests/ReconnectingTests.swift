import FrameShare
import Glibc
import Synchronization
import Testing

/// What happens to a subscriber while its connection is made anew.
@Suite("Connecting again", .timeLimit(.minutes(10)))
struct ReconnectingTests {
    @Test("who closes while it connects leaves no subscriber behind")
    func closing() async throws {
        let channel = try TestChannel()
        for round in 0..<60 {
            let first = try channel.publisher()
            let subscriber = try channel.subscriber([], .queue(2)) { $0.reconnect = true }
            let waiting = OwnThread { try subscriber.nextValueBlocking() }
            first.close()
            let second = try channel.publisher()
            // At another moment of the handshake each time.
            let end = FrameTimestamp.now().nanoseconds + Int64(round) * 100_000
            while FrameTimestamp.now().nanoseconds < end {}
            subscriber.close()
            await #expect(throws: ChannelError.closed) { try await waiting.value }
            try await eventually { second.statistics.subscribers.isEmpty }
            // Nor does one come later.
            if round % 20 == 19 {
                try await Task.sleep(for: .milliseconds(300))
                #expect(second.statistics.subscribers.isEmpty)
            }
        }
    }

    @Test("threads that wait share one new connection, with a reservation too")
    func together() async throws {
        let channel = try TestChannel()
        let first = try channel.publisher(slots: 8)
        let subscriber = try channel.subscriber([], .queue(2)) {
            $0.reconnect = true
            $0.reserve = true
            $0.budget = 5
        }
        let waiting = (0..<4).map { _ in OwnThread { try subscriber.nextValueBlocking(timeout: .seconds(300)) } }
        // All are asleep, or about to be.
        try await Task.sleep(for: .milliseconds(20))
        first.close()
        let second = try channel.publisher(slots: 8)
        try await eventually { second.statistics.subscribers.count == 1 }
        var seen = 0
        for one in waiting {
            let value = OwnThread { () -> UInt8? in
                while true {
                    if let value = one.result { return try value.get() }
                    _ = try second.trySend(7)
                    usleep(2000)
                }
            }
            if try await value.value == 7 { seen += 1 }
        }
        #expect(seen == 4)
        #expect(subscriber.statistics.connections == 2)
        #expect(second.statistics.subscribers.count == 1)
    }

    @Test("the first frame after a new connection says that there was a break, and that what was lost is unknown")
    func breakIsTold() async throws {
        let channel = try TestChannel()
        let first = try channel.publisher()
        let subscriber = try channel.subscriber([], .queue(2)) { $0.reconnect = true }
        for value: UInt8 in 1...2 { try first.send(value) }
        for _ in 1...2 { #expect(try present(await subscriber.next()).flags == []) }
        #expect(subscriber.statistics.lost == FrameLoss())
        first.close()
        let second = try channel.publisher()
        for value: UInt8 in 3...5 { try second.send(value) }
        // It may come too late for those.
        let waiting = Task.detached { () -> (FrameFlags, FrameLoss)? in
            guard let frame = try await subscriber.next(timeout: .seconds(300)) else { return nil }
            return (frame.flags, frame.lost)
        }
        try await eventually { second.statistics.subscribers.count == 1 }
        for value: UInt8 in 6...7 { try second.send(value) }
        let (flags, lost) = try present(await waiting.value)
        #expect(flags == .discontinuity && lost == FrameLoss(isKnown: false) && "\(lost)" == "unknown")
        let next = try present(await subscriber.next())
        #expect(next.flags == [] && next.lost == FrameLoss())
        #expect(subscriber.statistics.lost == FrameLoss(isKnown: false))
    }

    @Test("a reader of frames after a moment hears of the break by the first of them that it gets")
    func breakIsToldLater() async throws {
        let channel = try TestChannel()
        let first = try channel.publisher(slots: 8)
        let subscriber = try channel.subscriber([], .queue(4)) { $0.reconnect = true }
        let waiting = Task.detached { () -> (FrameFlags, FrameLoss)? in
            let moment = FrameTimestamp(nanoseconds: 100)
            guard let frame = try await subscriber.next(after: moment, timeout: .seconds(300)) else { return nil }
            return (frame.flags, frame.lost)
        }
        first.close()
        let second = try channel.publisher(slots: 8)
        try await eventually { second.statistics.subscribers.count == 1 }
        for time: Int64 in [1, 50, 100, 101] {
            try second.send(1, .init(timestamp: FrameTimestamp(nanoseconds: time)))
        }
        let (flags, lost) = try present(await waiting.value)
        #expect(flags == .discontinuity && !lost.isKnown)
    }

    @Test("the first connection waits for a channel that is not there yet, where that is asked for, and no longer")
    func firstConnection() async throws {
        let channel = try TestChannel()
        #expect(throws: ChannelError.self) { _ = try channel.subscriber { $0.waitForChannel = .milliseconds(20) } }
        let waiting = OwnThread { try channel.subscriber { $0.waitForChannel = .seconds(300) } }
        try await Task.sleep(for: .milliseconds(20))
        let publisher = try channel.publisher()
        let subscriber = try await waiting.value
        try publisher.send(1)
        #expect(try await subscriber.nextValue() == 1)
    }

    @Test("a task that waits for a channel which never comes can be cancelled, on its own thread or the library's")
    func firstConnectionCancelled() async throws {
        let channel = try TestChannel()
        for blocking in [true, false] {
            let waiting = Task.detached {
                var options = Subscriber.Options()
                options.directory = channel.directory
                options.waitForChannel = .seconds(86_400)
                _ =
                    blocking
                    ? try Subscriber(channel: channel.name, options: options)
                    : try await Subscriber.connect(to: channel.name, options: options)
            }
            waiting.cancel()
            await #expect(throws: ChannelError.cancelled) { try await waiting.value }
        }
        var options = Subscriber.Options()
        options.directory = channel.directory
        options.waitForChannel = .seconds(300)
        let waiting = Task.detached { [options] in try await Subscriber.connect(to: channel.name, options: options) }
        let publisher = try channel.publisher()
        let subscriber = try await waiting.value
        try publisher.send(1)
        #expect(try await subscriber.nextValue() == 1)
    }

    @Test("a wait shorter than the handshake does not begin it anew each time")
    func shortWaits() async throws {
        let channel = try TestChannel()
        let first = try channel.publisher()
        let subscriber = try channel.subscriber { $0.reconnect = true }
        first.close()
        let second = try channel.publisher()
        try await eventually {
            do {
                _ = try subscriber.nextBlocking(timeout: .zero)?.number
            } catch ChannelError.timedOut {}
            return subscriber.statistics.connections == 2
        }
        #expect(second.statistics.subscribers.map(\.id) == [1])
    }

    @Test("interrupting and cancelling end a wait for a publisher that never comes")
    func interrupting() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber { $0.reconnect = true }
        publisher.close()
        let waiting = OwnThread { try subscriber.nextValueBlocking() }
        let stopper = OwnThread {
            while waiting.result == nil {
                subscriber.interrupt()
                usleep(1000)
            }
        }
        await #expect(throws: ChannelError.cancelled) { try await waiting.value }
        try await stopper.value
        let task = Task { try await subscriber.nextValue() }
        task.cancel()
        await #expect(throws: ChannelError.cancelled) { try await task.value }
    }

    @Test("one that is dropped while it connects leaves nothing behind")
    func dropping() async throws {
        let channel = try TestChannel()
        for _ in 0..<10 {
            let first = try channel.publisher()
            var subscriber: Subscriber? = try channel.subscriber { $0.reconnect = true }
            first.close()
            #expect(throws: ChannelError.noFrame()) { try subscriber?.nextValueBlocking(timeout: .milliseconds(1)) }
            let second = try channel.publisher()
            #expect(throws: ChannelError.noFrame()) { try subscriber?.nextValueBlocking(timeout: .milliseconds(1)) }
            subscriber = nil
            try await eventually { second.statistics.subscribers.isEmpty }
            second.close()
        }
        try await eventually { channel.descriptors() == 0 }
    }

    @Test("an overlay that was closed before it ran gives its group's results back")
    func overlay() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 16)
        for round in 0..<20 {
            let overlay = try Overlay(of: publisher, channel: channel.name + "-o", group: "g")
            if round % 2 == 0 { overlay.close() }
        }
        try await eventually {
            do throws(ChannelError) {
                try publisher.results(of: "g").end()
                return true
            } catch .resultsInUse { return false }
        }
    }
}
