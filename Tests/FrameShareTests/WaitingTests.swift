import FrameShare
import Glibc
import Synchronization
import Testing

/// A `next` that waits: until a frame comes, the time is up, or someone ends it.
@Suite("Waiting for frames", .timeLimit(.minutes(10)))
struct WaitingTests {
    /// Starts `body` as a task and gives it time to fall asleep. Nothing depends on it: it makes the tests sharper.
    private func start<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) async throws -> Task<T, any Error>
    {
        let task = Task.detached { try await body() }
        try await Task.sleep(for: .milliseconds(30))
        return task
    }

    @Test("a frame that is there is given at once; nothing there is nil")
    func tryNext() throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber()
        #expect(try subscriber.drain() == [])
        try publisher.send(7)
        let frame = try present(subscriber.tryNext())
        #expect(frame.value() == 7)
        #expect(try subscriber.drain() == [])
    }

    @Test("a sleeper is woken by a frame, async and blocking")
    func wakes() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber()
        let async = try await start { try await subscriber.nextValue() }
        try publisher.send(1)
        #expect(try await async.value == 1)
        let blocking = OwnThread { try subscriber.nextValueBlocking() }
        try await Task.sleep(for: .milliseconds(30))
        try publisher.send(2)
        #expect(try await blocking.value == 2)
    }

    @Test("every way to wait gets every frame of a steady stream", arguments: WaitStrategies.all)
    func strategies(wait: Subscriber.WaitStrategy) async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher { $0.stallLimit = nil }
        let subscriber = try channel.subscriber([], .everyFrame) { $0.wait = wait }
        let reader = OwnThread {
            var numbers: [UInt64] = []
            while let frame = try subscriber.nextBlocking() { numbers.append(frame.number) }
            return numbers
        }
        for value in 0..<100 { try await publisher.sendWaiting(UInt8(value)) }
        publisher.close()
        #expect(try await reader.value == Array(1...100))
    }

    enum WaitStrategies {
        static let all: [Subscriber.WaitStrategy] = [.sleep, .spinThenSleep(.microseconds(50)), .spin]
    }

    @Test(
        "a timeout throws, and the subscription goes on",
        arguments: [Duration.zero, .milliseconds(20), .seconds(-1)]
    )
    func timeout(limit: Duration) async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber()
        await #expect(throws: ChannelError.noFrame()) { _ = try await subscriber.next(timeout: limit) }
        #expect(throws: ChannelError.noFrame()) { _ = try subscriber.nextBlocking(timeout: limit) }
        try publisher.send(3)
        #expect(try await subscriber.nextValue(timeout: limit) == 3)
    }

    @Test("a timeout beyond all time is no timeout", arguments: [Duration.seconds(Int64.max), .seconds(1 << 40)])
    func endlessTimeout(limit: Duration) async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber()
        let reader = try await start { try await subscriber.nextValue(timeout: limit) }
        try publisher.send(4)
        #expect(try await reader.value == 4)
    }

    @Test("a cancelled task stops waiting; the next one gets the frame")
    func cancellation() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber()
        let reader = try await start { try await subscriber.nextValue() }
        reader.cancel()
        await #expect(throws: ChannelError.cancelled) { try await reader.value }
        try publisher.send(5)
        #expect(try await subscriber.nextValue() == 5)
        #expect(subscriber.statistics.held == 0)
    }

    @Test("of two tasks that wait, each is cancelled and timed out by itself")
    func twoWaiters() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber()
        let first = try await start { try await subscriber.nextValue() }
        let second = try await start { try await subscriber.nextValue() }
        second.cancel()
        await #expect(throws: ChannelError.cancelled) { try await second.value }
        await #expect(throws: ChannelError.noFrame()) { _ = try await subscriber.next(timeout: .milliseconds(20)) }
        try publisher.send(6)
        #expect(try await first.value == 6)
    }

    @Test("several that wait share the frames: each goes to one of them")
    func sharing() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 8) { $0.stallLimit = nil }
        let subscriber = try channel.subscriber([], .everyFrame) { $0.budget = 4 }
        let numbers = try await withThrowingTaskGroup(of: [UInt64].self) { group in
            for _ in 0..<3 {
                group.addTask {
                    var mine: [UInt64] = []
                    while let frame = try await subscriber.next() { mine.append(frame.number) }
                    return mine
                }
            }
            group.addTask {
                for value in 0..<150 {
                    let slot = try await publisher.nextSlot()
                    slot.fill(with: UInt8(value))
                    try publisher.publish(slot)
                }
                publisher.close()
                return []
            }
            var all: [UInt64] = []
            for try await part in group {
                #expect(part == part.sorted())
                all += part
            }
            return all
        }
        #expect(numbers.sorted() == Array(1...150))
    }

    @Test("interrupt ends what waits now and nothing later")
    func interrupt() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber()
        let reader = OwnThread { try subscriber.nextValueBlocking() }
        // Until it waits there is nothing to interrupt.
        let interrupted = Mutex(false)
        async let ended: Void = {
            await #expect(throws: ChannelError.cancelled) { try await reader.value }
            interrupted.withLock { $0 = true }
        }()
        while !interrupted.withLock({ $0 }) {
            subscriber.interrupt()
            try await Task.sleep(for: .milliseconds(5))
        }
        await ended
        try publisher.send(8)
        #expect(try subscriber.nextValueBlocking(timeout: .seconds(20)) == 8)
    }

    @Test("closing the subscriber ends whoever waits on it, and every later call")
    func closeWhileWaiting() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber()
        let async = try await start { try await subscriber.nextValue() }
        let blocking = OwnThread { try subscriber.nextValueBlocking() }
        try await Task.sleep(for: .milliseconds(30))
        subscriber.close()
        await #expect(throws: ChannelError.closed) { try await async.value }
        await #expect(throws: ChannelError.closed) { try await blocking.value }
        await #expect(throws: ChannelError.closed) { _ = try await subscriber.next() }
        #expect(throws: ChannelError.closed) { _ = try subscriber.tryNext() }
        try await eventually { publisher.statistics.subscribers.isEmpty }
        subscriber.close()
    }

    @Test("a channel that ends in order gives what is queued and then nil, to sleepers too")
    func orderlyEnd() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber([], .queue(2))
        let sleeper = try channel.subscriber()
        let sleeping = try await start { () -> [UInt8] in
            var values: [UInt8] = []
            while let frame = try await sleeper.next() { values.append(frame.value() ?? 255) }
            return values
        }
        try publisher.send(1)
        try publisher.send(2)
        publisher.close()
        #expect(try await subscriber.nextValue() == 1)
        #expect(try subscriber.nextValueBlocking() == 2)
        #expect(try await subscriber.nextValue() == nil)
        #expect(try subscriber.nextValueBlocking() == nil)
        #expect(throws: ChannelError.closed) { _ = try subscriber.tryNext() }
        #expect(try await sleeping.value.last == 2)
    }

    @Test("no frame published before the end is lost at the end", arguments: 0..<20)
    func lastFrames(round: Int) async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 8) { $0.stallLimit = nil }
        let subscriber = try channel.subscriber([], .everyFrame) {
            $0.budget = 5
            if round % 2 == 0 { $0.wait = .spin }
        }
        let reader = OwnThread {
            var count = 0
            while try subscriber.nextBlocking() != nil { count += 1 }
            return count
        }
        for value in 0..<20 { try await publisher.sendWaiting(UInt8(value)) }
        publisher.close()
        #expect(try await reader.value == 20)
    }

    @Test("a source that failed is an error with its reason, everywhere")
    func failure() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber([], .queue(2))
        let sleeper = try channel.subscriber()
        let sleeping = try await start { try await sleeper.nextValue() }
        try publisher.send(1)
        publisher.fail("/dev/video0 was unplugged")
        #expect(try await subscriber.nextValue() == 1)
        await #expect(throws: ChannelError.sourceFailed("/dev/video0 was unplugged")) {
            _ = try await subscriber.next()
        }
        #expect(throws: ChannelError.sourceFailed("/dev/video0 was unplugged")) { _ = try subscriber.tryNext() }
        _ = try? await sleeping.value
        #expect(throws: ChannelError.closed) { _ = try publisher.tryNextSlot() }
        #expect(throws: ChannelError.closed) { _ = try publisher.nextSlotBlocking() }
    }

    @Test("frames captured up to a moment are passed over, and their slots given back")
    func afterMoment() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 8)
        let subscriber = try channel.subscriber([], .queue(5))
        func moment(_ n: Int64) -> FrameTimestamp { FrameTimestamp(nanoseconds: n, clock: .boottime) }
        for n in 1...5 { try publisher.send(UInt8(n), FrameDescription(timestamp: moment(Int64(n) * 100))) }
        let third = try present(await subscriber.next(after: moment(200)))
        #expect(third.timestamp == moment(300))
        third.release()
        let fifth = try present(subscriber.nextBlocking(after: moment(450)))
        #expect(fifth.timestamp == moment(500))
        fifth.release()
        await #expect(throws: ChannelError.noFrame(of: 6)) {
            _ = try await subscriber.next(after: moment(0), timeout: .zero)
        }
        try publisher.send(6, FrameDescription(timestamp: moment(600)))
        await #expect(throws: ChannelError.noFrame(of: 6)) {
            _ = try await subscriber.next(after: moment(600), timeout: .milliseconds(20))
        }
        #expect(subscriber.statistics.held == 0)
        #expect(subscriber.statistics.delivered == 6)
        let slots = publisher.statistics
        #expect(slots.slotsFree == slots.slots)
    }

    @Test("a hundred short waits leave no thread and no descriptor behind")
    func noLeak() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        for _ in 0..<10 {
            let subscriber = try channel.subscriber()
            for _ in 0..<10 { _ = try? await subscriber.next(timeout: .zero) }
            subscriber.close()
        }
        try await eventually { publisher.statistics.subscribers.isEmpty && channel.descriptors(":lane") == 0 }
        #expect(channel.descriptors(":main") == 1)
    }
}
