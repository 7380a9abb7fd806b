import Testing

@testable import FrameShare

/// The results of all frames that a group is given.
@Suite("Results of groups", .timeLimit(.minutes(10)))
struct ResultsTests {
    /// What a window gives out, frames as they are and those passed over negative.
    private func outputs(_ output: [ReorderWindow<Int>.Output]) -> [Int] {
        output.map { one in
            switch one {
            case .value(let value): value
            case .passedOver(let frame): -Int(frame)
            }
        }
    }

    @Test("a window gives values in the order expected, and passes a straggler over when it is full")
    func window() {
        var window = ReorderWindow<Int>(limit: 2)
        for frame in UInt64(1)...6 { window.expect(frame) }
        #expect(outputs(window.complete(2, 2)) == [])
        #expect(outputs(window.complete(1, 1)) == [1, 2])
        #expect(outputs(window.complete(4, 4)) == [])
        #expect(outputs(window.complete(5, 5)) == [])
        #expect(outputs(window.complete(6, 6)) == [-3, 4, 5, 6])
        #expect(outputs(window.complete(3, 3)) == [], "it comes too late")
        #expect(outputs(window.complete(6, 6)) == [], "it has come already")
        #expect(outputs(window.complete(9, 9)) == [], "nobody expects it")
    }

    @Test("every order of completion gives each frame once, in order")
    func everyOrder() {
        func permutations(_ rest: [Int]) -> [[Int]] {
            guard !rest.isEmpty else { return [[]] }
            return rest.flatMap { first in permutations(rest.filter { $0 != first }).map { [first] + $0 } }
        }
        for limit in 0...4 {
            for order in permutations([1, 2, 3, 4, 5]) {
                var window = ReorderWindow<Int>(limit: limit)
                for frame in UInt64(1)...5 { window.expect(frame) }
                let given = order.flatMap { outputs(window.complete(UInt64($0), $0)) }
                #expect(given.map(abs) == [1, 2, 3, 4, 5], "\(order) with \(limit)")
            }
        }
    }

    @Test("results come as they are made, or in frame order", arguments: [true, false])
    func order(inOrder: Bool) async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 8)
        let results = try publisher.results(of: "g", order: inOrder ? .frames(window: 4) : .arrival)
        let members = try (0..<2).map { _ in try channel.subscriber([], .queue(2)) { $0.group = "g" } }
        for value in UInt8(1)...2 { try publisher.send(value) }
        let first = try present(try members[0].nextBlocking())
        let second = try present(try members[1].nextBlocking())
        try await second.request?.answer(.bytes([2]))
        try await eventually { publisher.statistics.groups.first?.answered == 1 }
        try await first.request?.answer(.bytes([1]))
        let iterator = results.makeAsyncIterator()
        let numbers = [await iterator.next()?.frame, await iterator.next()?.frame]
        #expect(numbers == (inOrder ? [first.number, second.number] : [second.number, first.number]))
    }

    @Test("a straggler is passed over, told so, and its late answer is no one's")
    func straggler() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 8)
        let results = try publisher.results(of: "g", order: .frames(window: 1))
        let slow = try channel.subscriber([], .queue(1)) { $0.group = "g" }
        try publisher.send(1)
        let frame = try present(try slow.nextBlocking())
        let quick = try GroupWorker(channel, .queue(4)) { _, request in try request.answer(.done) }
        for value in UInt8(2)...4 { try publisher.send(value) }
        let iterator = results.makeAsyncIterator()
        let passed = try #require(await iterator.next())
        #expect(passed.frame == 1)
        #expect(throws: WorkError.passedOver(frame: 1)) { try passed.answer }
        #expect(await iterator.next()?.frame == 2)
        let request = try present(frame.request)
        try await eventually { request.isCancelled }
        try await request.answer(.done)
        try await eventually { publisher.statistics.groups.first?.discarded == 1 }
        _ = try await quick.stop()
    }

    @Test("a slow reader loses the oldest results, which are counted; a lost frame has a result, too")
    func slowReader() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 8)
        let results = try publisher.results(of: "g", capacity: 3)
        let worker = try GroupWorker(channel, .queue(4)) { _, request in try request.answer(.done) }
        for value in UInt8(1)...10 {
            try await publisher.waitForRoom(in: "g", timeout: .seconds(20))
            try publisher.send(value)
        }
        await publisher.drain()
        try await eventually { results.missed == 7 }
        let iterator = results.makeAsyncIterator()
        #expect(await iterator.next()?.frame == 8)
        _ = try await worker.stop()
        let member = try channel.subscriber([], .latest) { options in
            options.group = "g"
            options.budget = 1
        }
        try publisher.send(11)
        let held = try present(try member.nextBlocking())
        try publisher.send(12)
        var last = await iterator.next()
        while let result = last, result.frame < 12 { last = await iterator.next() }
        #expect(throws: WorkError.busy(group: "g", frame: 12)) { try last?.answer }
        _ = held.number
    }

    @Test("one reader for each group; the next may come when it has gone; the end of the channel ends it")
    func readers() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        func use() throws {
            let first = try publisher.results(of: "g")
            #expect(throws: ChannelError.resultsInUse(group: "g")) { _ = try publisher.results(of: "g") }
            _ = first.missed
        }
        try use()
        let second = try publisher.results(of: "g")
        async let end = second.first { _ in true }?.frame
        publisher.close()
        #expect(await end == nil)
        #expect(throws: ChannelError.closed) { _ = try publisher.results(of: "g") }
    }
}
