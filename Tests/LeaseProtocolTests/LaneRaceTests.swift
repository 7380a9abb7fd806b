import Glibc
import Synchronization
import Testing

@testable import LeaseProtocol

/// One publisher and two subscribers on threads of their own, over plain memory. The pixels are touched through typed
/// pointers, so that the thread sanitizer sees a missing ordering as a race.
@Suite("Threads on a lane", .serialized)
struct LaneRaceTests {
    /// What the threads share beside the lanes.
    // @unchecked: the pixels are handed over by the protocol under test, the rest is atomic.
    private final class Shared: @unchecked Sendable {
        static let wordsPerSlot = 32
        let pixels: UnsafeMutablePointer<UInt64>
        let isOver = Atomic<Bool>(false)
        let torn = Atomic<Int>(0)
        let outOfOrder = Atomic<Int>(0)
        let taken: [Counter]

        /// A number that threads share.
        final class Counter: Sendable { let value = Atomic<Int>(0) }

        init(slots: Int, readers: Int) {
            pixels = .allocate(capacity: slots * Self.wordsPerSlot)
            pixels.initialize(repeating: 0, count: slots * Self.wordsPerSlot)
            taken = (0..<readers).map { _ in Counter() }
        }

        deinit { pixels.deallocate() }

        func pixels(_ slot: Int) -> UnsafeMutablePointer<UInt64> { pixels + slot * Self.wordsPerSlot }
    }

    @Test("no frame is torn, taken twice or out of order, and every loss is counted", arguments: [1, 2, 3])
    func hammer(depth: Int) throws {
        let slots = 6
        let frames = 20_000
        let requests = [
            LeaseRequest(policy: .queue(depth), budget: depth + 1), LeaseRequest(policy: .latest, budget: 2),
        ]
        let lanes = requests.map { PlainLane(depth: $0.policy.depth(budget: $0.budget)) }
        var table = LeaseTable(slots: slots, sourceNeed: 1)
        for (i, request) in requests.enumerated() { try table.admit(UInt32(i), request, lane: lanes[i].memory) }
        let shared = Shared(slots: slots, readers: lanes.count)
        let threads = lanes.indices.map { i in
            NativeThread { Self.read(lanes[i], slots: slots, shared, into: shared.taken[i].value) }
        }
        for number in 1...frames {
            table.collectReleases()
            guard let slot = table.takeFree() else {
                Issue.record("the source found no slot for frame \(number)")
                break
            }
            for i in 0..<Shared.wordsPerSlot { shared.pixels(slot)[i] = UInt64(number) }
            table.publish(slot)
            if number % 64 == 0 { sched_yield() }
        }
        shared.isOver.store(true, ordering: .releasing)
        for thread in threads { thread.join() }
        #expect(shared.torn.load(ordering: .relaxed) == 0)
        #expect(shared.outOfOrder.load(ordering: .relaxed) == 0)
        table.collectReleases()
        for (i, entry) in table.entries.enumerated() {
            #expect(entry.violation == nil)
            let taken = shared.taken[i].value.load(ordering: .relaxed)
            #expect(UInt64(taken) + entry.dropped == UInt64(frames))
            #expect(taken > 0)
        }
        #expect(table.free.count == slots)
    }

    private static func read(_ lane: PlainLane, slots: Int, _ shared: Shared, into taken: borrowing Atomic<Int>) {
        var takes = LaneTakes(memory: lane.memory, slots: slots)
        var last: UInt64 = 0
        while true {
            // Before the look: what was offered before the end is found after it.
            let isOver = shared.isOver.load(ordering: .acquiring)
            guard let slot = takes.take() else {
                if isOver { return }
                sched_yield()
                continue
            }
            let pixels = shared.pixels(slot)
            let number = pixels[0]
            for i in 1..<Shared.wordsPerSlot where pixels[i] != number {
                shared.torn.wrappingAdd(1, ordering: .relaxed)
            }
            if number <= last { shared.outOfOrder.wrappingAdd(1, ordering: .relaxed) }
            last = number
            taken.wrappingAdd(1, ordering: .relaxed)
            LaneTakes.release(slot, in: lane.memory)
        }
    }
}

/// A thread of the system's, for loops that must not occupy Swift's own threads.
final class NativeThread: @unchecked Sendable {  // the handle is written once, before anyone else has the object
    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
    private var handle = pthread_t()

    init(_ body: @escaping @Sendable () -> Void) {
        let argument = Unmanaged.passRetained(Body(body)).toOpaque()
        let result = pthread_create(
            &handle,
            nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            },
            argument
        )
        precondition(result == 0, "no thread could be made")
    }

    /// Waits for its end.
    func join() { pthread_join(handle, nil) }
}
