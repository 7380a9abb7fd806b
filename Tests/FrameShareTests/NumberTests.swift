import FrameShare
import Glibc
import Testing

/// No number that comes from outside traps: it is refused, or taken as the nearest that makes sense.
@Suite("Numbers of any size", .timeLimit(.minutes(10)))
struct NumberTests {
    /// The numbers at which arithmetic breaks.
    static let whole: [Int] = [0, 1, -1, .max, .min, .max - 1, 1 << 32, 1 << 62]
    static let broken: [Double] = [
        0, 1, -1, .nan, .infinity, -.infinity, 1e308, -1e308, 1e-308, .leastNonzeroMagnitude,
    ]
    static let durations: [Duration] =
        whole.map { .nanoseconds(Int64($0)) } + [
            Duration(secondsComponent: .max, attosecondsComponent: 0),
            Duration(secondsComponent: .min, attosecondsComponent: 0),
        ]

    /// Lets a channel with these options live: a subscriber comes, is given a frame, and the publisher still answers.
    private func live(
        slots: Int = 4,
        policy: Policy = .latest,
        publishing: (inout Publisher.Options) -> Void = { _ in },
        subscribing: (inout Subscriber.Options) -> Void = { _ in }
    ) throws {
        let channel = try TestChannel()
        do {
            let publisher = try channel.publisher(slots: slots, publishing)
            let subscriber = try channel.subscriber([], policy, subscribing)
            try publisher.send(1)
            _ = try? subscriber.nextBlocking(timeout: .milliseconds(1))
            _ = try? subscriber.tryNext()
            try publisher.reconfigure(streams: [Stream(name: "main", layout: .small)], slots: slots)
            _ = try channel.monitor().snapshot()
        } catch is ChannelError {}  // refused
    }

    @Test("a publisher's options", arguments: whole)
    func publisher(_ number: Int) throws {
        try live(slots: number)
        try live(publishing: { $0.metadataCapacity = number })
        try live(publishing: { $0.sourceNeed = number })
        try live(publishing: { $0.lagCopies = LagCopies(.slots(number)) })
        try live(publishing: { $0.lagCopies = LagCopies(.bytes(number)) })
        try live(publishing: { $0.lagCopies = LagCopies(.slots(4), floor: number) })
        try live(publishing: { $0.access.mode = UInt32(truncatingIfNeeded: number) | 0o600 })
    }

    @Test("a publisher's times", arguments: durations)
    func publisherTimes(_ time: Duration) throws {
        try live(publishing: { $0.stallLimit = time })
        try live(publishing: { $0.leaseLimit = time })
        try live(publishing: { $0.lagCopies = LagCopies(.duration(time, framesPerSecond: 30)) })
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 2)
        let first = try publisher.nextSlotBlocking()
        let second = try publisher.nextSlotBlocking()
        if time < .seconds(1) {
            #expect(throws: ChannelError.timedOut()) { _ = try publisher.nextSlotBlocking(timeout: time).slot }
        }
        try publisher.waitForRoom(timeout: time)
        #expect(publisher.drainBlocking(timeout: time) == 0)
        withExtendedLifetime((first.slot, second.slot)) {}
    }

    @Test("a subscriber's options", arguments: whole)
    func subscriber(_ number: Int) throws {
        try live(subscribing: { $0.budget = number })
        try live(policy: .queue(number))
        try live(policy: .everyFrame, subscribing: { $0.budget = number })
        try live(subscribing: {
            $0.budget = number
            $0.reserve = true
        })
    }

    @Test("a subscriber's times", arguments: durations)
    func subscriberTimes(_ time: Duration) throws {
        try live(subscribing: { $0.wait = .spinThenSleep(time) })
        try live(subscribing: { $0.connectTimeout = time })
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let subscriber = try channel.subscriber { $0.wait = .spinThenSleep(time) }
        if time < .seconds(1) {
            #expect(throws: ChannelError.noFrame()) { try subscriber.nextValueBlocking(timeout: time) }
        }
        try publisher.send(1)
        #expect(try subscriber.nextValueBlocking(timeout: time < .seconds(1) ? .seconds(60) : time) == 1)
        _ = try? ChannelMonitor(channel: channel.name, directory: channel.directory, timeout: time).snapshot()
    }

    @Test("how a group is asked", arguments: durations)
    func asking(_ time: Duration) async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let worker = try GroupWorker(channel) { _, request in try request.answer(.done) }
        for attempts in Self.whole {
            var options = AskOptions()
            options.deadline = time
            options.workerLoss = .handOver(attempts: attempts)
            let pending = try publisher.submit("g", try publisher.nextSlotBlocking(), options: options)
            // The control thread has looked at the deadline, and is there still.
            _ = try channel.monitor().snapshot()
            if time > .seconds(1) {
                #expect(try await pending.answer.reply == .done)
            } else {
                _ = try? await pending.answer
            }
        }
        withExtendedLifetime(worker) {}
    }

    @Test("a group's results, and an overlay", arguments: whole)
    func results(_ number: Int) throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 16)
        let results = try publisher.results(of: "g", order: .frames(window: number), capacity: number)
        try publisher.send(1)
        _ = try? results.nextBlocking(timeout: .zero)
        results.end()
        do throws(ChannelError) {
            try Overlay(of: publisher, channel: channel.name + "-o", group: "g", budget: number, window: number).close()
        } catch {}
    }

    @Test("what is said of a frame", arguments: whole)
    func description(_ number: Int) throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 16)
        let subscriber = try channel.subscriber()
        let stage = try CopyStage(of: channel.name, options: copying(channel) { $0.maximumRate = 30 })
        for clock in [FrameClock.unknown, .monotonic, .boottime, .realtime] {
            var description = FrameDescription(
                sequence: UInt64(bitPattern: Int64(number)),
                timestamp: FrameTimestamp(nanoseconds: Int64(number), clock: clock)
            )
            description.setBytesUsed(number, stream: 0, plane: 0)
            description.setBytesUsed(number, stream: number, plane: number)
            try publisher.send(3, description)
            let frame = try present(try subscriber.nextBlocking(timeout: .seconds(60)))
            #expect(frame.timestamp.nanoseconds == Int64(number))
        }
        publisher.countLost(source: UInt64(bitPattern: Int64(number)))
        publisher.countLost(noFreeSlot: UInt64(bitPattern: Int64(number)))
        try publisher.send(4)
        publisher.close()
        try stage.run(on: try stage.open(as: channel.name + "-copy"))
        #expect(stage.statistics.copied > 0)
    }

    private func copying(
        _ channel: TestChannel,
        _ configure: (inout CopyStage.Options) -> Void
    ) -> CopyStage.Options {
        var options = CopyStage.Options()
        options.subscriber.directory = channel.directory
        options.publisher.directory = channel.directory
        options.policy = .queue(8)
        configure(&options)
        return options
    }

    @Test("how many frames a copy stage takes, and how many it holds", arguments: broken)
    func copies(_ number: Double) throws {
        let whole = Self.whole
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 16)
        let wanted: [(inout CopyStage.Options) -> Void] =
            whole.map { every in { $0.every = every } }
            + whole.map { count in { $0.capacity = .slots(count) } }
            + whole.map { count in { $0.capacity = .bytes(count) } }
            + Self.durations.map { time in { $0.capacity = .duration(time, framesPerSecond: number) } }
            + [{ $0.maximumRate = number }]
        for configure in wanted {
            do throws(CopyError) {
                let stage = try CopyStage(of: channel.name, options: copying(channel, configure))
                #expect(stage.plan.byteCount > 0)
            } catch {}  // refused
        }
        // Rates as frames come: also ones whose times jump to the ends.
        for time in [0, 1, Int64.max, .min, 0, .min + 5, .max - 5] {
            try publisher.send(1, FrameDescription(timestamp: FrameTimestamp(nanoseconds: time)))
        }
        let stage = try CopyStage(of: channel.name, options: copying(channel) { $0.maximumRate = number })
        for time in [Int64.min, .min + 5, 0, 1, .max, .min, .max - 5] {
            try publisher.send(1, FrameDescription(timestamp: FrameTimestamp(nanoseconds: time)))
        }
        publisher.close()
        try stage.run(on: try stage.open(as: channel.name + "-copy"))
    }

    @Test("what a plan of copies is made of", arguments: whole)
    func plan(_ number: Int) {
        let unknown = PixelFormat(fourcc: FourCC(rawValue: 0x3131_3131))
        for layout in [
            ImageLayout(
                width: 8,
                height: 8,
                format: .r8,
                planes: [PlaneLayout(offset: 0, stride: number, size: number)]
            ),
            ImageLayout(
                width: number,
                height: number,
                format: .r8,
                planes: [PlaneLayout(offset: number, stride: 8, size: 64)]
            ),
            ImageLayout(
                width: 8,
                height: 8,
                format: unknown,
                planes: (0..<4).map { PlaneLayout(offset: 0, stride: 0, size: number, buffer: $0) }
            ),
        ] {
            for capacity in [CopyCapacity.slots(4), .bytes(number), .slots(number)] {
                for metadata in [0, number] {
                    do throws(CopyError) {
                        let plan = try CopyPlan(
                            streams: [Stream(name: "main", layout: layout)],
                            capacity: capacity,
                            metadataCapacity: metadata
                        )
                        #expect(plan.byteCount > 0)
                    } catch {
                        #expect("\(error)" != "")
                    }
                }
            }
            _ = try? ImageCopy(of: layout, crop: Crop(x: number, y: number, width: number, height: number))
        }
    }
}
