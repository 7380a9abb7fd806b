import Testing

@testable import FrameSources

/// Every order of subscribers' comings and goings, failures and moments, as far as the machine can tell them apart.
@Suite("A source on demand: when it starts and stops")
struct DemandMachineTests {
    /// The machine, the source that obeys it, and the time that is left: what the future depends on.
    private struct World: Hashable {
        var machine: DemandMachine
        var source = Source.off
        var subscribers = 0
        var now: Int64 = 0

        enum Source { case off, starting, on }
        enum Event: CaseIterable {
            case join, leave, startSucceeds, startFails, sourceFails, aMomentPasses, deadlineComes, frameComes
        }

        /// The world after an event; nil where it can't happen.
        func after(_ event: Event) -> World? {
            var next = self
            switch event {
            case .join:
                guard subscribers < 2 else { return nil }
                next.subscribers += 1
            case .leave:
                guard subscribers > 0 else { return nil }
                next.subscribers -= 1
            case .startSucceeds:
                guard source == .starting else { return nil }
                next.source = .on
                next.machine.started()
            case .startFails:
                guard source == .starting else { return nil }
                next.source = .off
                next.machine.failed(now: now)
            case .sourceFails:
                guard source == .on else { return nil }
                next.source = .off
                next.machine.failed(now: now)
            case .aMomentPasses: next.now += 1
            case .deadlineComes:
                guard let deadline = machine.deadline else { return nil }
                next.now = max(now, deadline)
            case .frameComes:
                guard source == .on else { return nil }
                next.machine.succeeded()
            }
            switch next.machine.look(subscribers: next.subscribers, now: next.now) {
            case .nothing: break
            case .start:
                guard next.source == .off else { return nil }
                next.source = .starting
            case .stop:
                guard next.source == .on else { return nil }
                next.source = .off
            }
            return next
        }

        /// The same for all that is to come, at whatever time it began. Pauses grow no longer after four failures.
        var key: [Int64] {
            let left: Int64 =
                switch machine.phase {
                case .asleep: -1
                case .starting: -2
                case .running: -3
                case .lingering(let until): 100 + max(0, until - now)
                case .waiting(let until): 200 + max(0, until - now)
                }
            let state: Int64 =
                switch source {
                case .off: 0
                case .starting: 1
                case .on: 2
                }
            return [left, state, Int64(subscribers), Int64(min(machine.failures, 4))]
        }
    }

    private static let linger: Int64 = 3

    /// All worlds that can come to be.
    private static func explore() -> [World] {
        let first = World(machine: DemandMachine(linger: linger, shortestPause: 1, longestPause: 4))
        var (seen, found): (Set<[Int64]>, [World]) = ([first.key], [first])
        var place = 0
        while place < found.count {
            for event in World.Event.allCases {
                guard let next = found[place].after(event), seen.insert(next.key).inserted else { continue }
                found.append(next)
            }
            place += 1
        }
        return found
    }

    @Test("no reader waits for ever, and no source runs alone, whatever comes in whatever order")
    func everyOrder() {
        let worlds = Self.explore()
        #expect(worlds.count > 40)
        for world in worlds {
            let machine = world.machine
            #expect(machine.isOn == (world.source == .on))
            #expect((machine.phase == .starting) == (world.source == .starting))
            if world.subscribers > 0 {
                #expect(world.source != .off || machine.deadline != nil, "a reader waits for ever: \(world)")
            } else {
                #expect(world.source != .on || machine.deadline != nil, "the source runs alone: \(world)")
                // Nothing wakes a process whose source sleeps.
                if world.source == .off { #expect(machine.deadline == nil, "\(world)") }
            }
            #expect(Self.settles(world, wanted: world.subscribers > 0), "\(world)")
        }
    }

    /// Whether the source comes to what is wanted, if nobody comes or goes any more and starts succeed.
    private static func settles(_ world: World, wanted: Bool) -> Bool {
        var world = world
        for _ in 0..<4 {
            if wanted ? world.source == .on : world.source == .off { return true }
            let event = world.source == .starting ? World.Event.startSucceeds : .deadlineComes
            guard let next = world.after(event) else { return false }
            world = next
        }
        return false
    }

    @Test("a reader that comes and goes a hundred times a second starts the source once")
    func flapping() {
        var machine = DemandMachine(linger: 5_000_000_000)
        var (starts, stops) = (0, 0)
        func look(_ subscribers: Int, _ now: Int64) {
            switch machine.look(subscribers: subscribers, now: now) {
            case .nothing: break
            case .start:
                starts += 1
                machine.started()
            case .stop: stops += 1
            }
        }
        for turn in 0..<1000 { look(turn % 2, Int64(turn) * 5_000_000) }
        #expect(starts == 1 && stops == 0)
        look(0, 5_000_000_000)
        look(0, 9_999_999_999)
        #expect(stops == 0)
        look(0, 10_000_000_000)
        #expect(stops == 1)
    }

    @Test("a camera that can't be started is tried less and less often, also by new readers")
    func backOff() {
        var machine = DemandMachine(linger: 0, shortestPause: 10, longestPause: 80)
        var (now, pauses): (Int64, [Int64]) = (0, [])
        #expect(machine.look(subscribers: 1, now: now) == .start)
        for _ in 0..<6 {
            machine.failed(now: now)
            #expect(machine.look(subscribers: 0, now: now) == .nothing)
            #expect(machine.deadline == nil, "nobody waits")
            #expect(machine.look(subscribers: 1, now: now) == .nothing, "a new reader is no reason to hurry")
            let next = machine.deadline ?? 0
            pauses.append(next - now)
            #expect(machine.look(subscribers: 1, now: next - 1) == .nothing)
            #expect(machine.look(subscribers: 1, now: next) == .start)
            now = next
        }
        #expect(pauses == [10, 20, 40, 80, 80, 80])
        machine.started()
        machine.succeeded()
        machine.failed(now: now)
        #expect(machine.deadline == now + 10)
    }

    @Test("times near the end of the clock overflow nothing")
    func longTimes() {
        var machine = DemandMachine(linger: .max)
        #expect(machine.look(subscribers: 1, now: .max - 1) == .start)
        machine.started()
        #expect(machine.look(subscribers: 0, now: .max - 1) == .nothing)
        #expect(machine.deadline == .max)
        machine.failed(now: .max - 1)
        #expect(machine.look(subscribers: 1, now: .max - 1) == .nothing)
        #expect(machine.deadline == .max)
    }

    @Test("a warm-up of frames or of time flags the frames of a start, and the source's own word counts, too")
    func warmUp() {
        let start = ContinuousClock.now
        var frames = WarmUpCount(.frames(2))
        let counted = (0..<4).map { _ in frames.note(isStartup: false, now: start).startup }
        #expect(counted == [true, true, false, false])
        var time = WarmUpCount(.time(.milliseconds(100)))
        let moments = [0, 99, 100, 50].map { start + .milliseconds($0) }
        #expect(moments.map { time.note(isStartup: false, now: $0).startup } == [true, true, false, false])
        var own = WarmUpCount(.none)
        let notes = [true, true, false, false].map { own.note(isStartup: $0, now: start) }
        #expect(notes.map(\.startup) == [true, true, false, false])
        #expect(notes.map(\.first) == [false, false, true, false], "the first that is settled is told")
    }
}
