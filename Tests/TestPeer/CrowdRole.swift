internal import FaultInjector
internal import FrameShare
internal import Glibc

/// Many subscribers in one process, each with threads that sleep until there is a frame.
///
/// Keys: `count` (subscribers), `threads` (of each), `policy`, `budget`, `untimed` (a sleep ends by a wake-up alone).
struct CrowdRole {
    /// What has become of them so far.
    // @unchecked: the counts are touched under the lock alone.
    private final class Tally: @unchecked Sendable {
        struct Counts {
            var frames: [Int]
            var bad = 0
            var over: [String] = []
        }
        private var counts: Counts
        // The thread sanitizer can't see into the standard library's lock.
        private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

        init(_ subscribers: Int) {
            counts = Counts(frames: Array(repeating: 0, count: subscribers))
            lock.initialize(to: pthread_mutex_t())
            pthread_mutex_init(lock, nil)
        }

        func withLock<Result>(_ body: (inout Counts) -> Result) -> Result {
            pthread_mutex_lock(lock)
            defer { pthread_mutex_unlock(lock) }
            return body(&counts)
        }

        func read(_ subscriber: Subscriber, _ number: Int) {
            do throws(ChannelError) {
                while let frame = try subscriber.nextBlocking() {
                    let isIntact = PixelPattern.holds(frame["main"].bytes, sequence: frame.sequence) || frame.isRevoked
                    withLock {
                        $0.frames[number] += 1
                        if !isIntact { $0.bad += 1 }
                    }
                }
                withLock { $0.over.append("closed") }
            } catch {
                withLock { $0.over.append(error.name) }
            }
        }
    }

    static func run(_ arguments: PeerArguments) {
        if arguments.flag("untimed"), fault_sleep_for_ever() == 0 {
            say("timed: a sanitizer stands in for the calls whose time-outs are to go")
        }
        do throws(ChannelError) {
            let tally = Tally(arguments.number("count", 1))
            var subscribers: [Subscriber] = []
            for _ in 0..<arguments.number("count", 1) { subscribers.append(try connect(arguments)) }
            say("attached pid=\(getpid())")
            for (number, subscriber) in subscribers.enumerated() {
                for _ in 0..<arguments.number("threads", 1) { start { tally.read(subscriber, number) } }
            }
            obey(arguments, subscribers, tally)
        } catch {
            say("failed \(error.name) \(error)")
            exit(3)
        }
    }

    private static func connect(_ arguments: PeerArguments) throws(ChannelError) -> Subscriber {
        var options = Subscriber.Options()
        options.directory = ChannelDirectory(path: arguments.folder)
        options.budget = arguments.number("budget")
        let policy = arguments.text("policy").flatMap { Policy($0) } ?? .latest
        return try Subscriber(channel: arguments.channel, policy: policy, options: options)
    }

    private static func obey(_ arguments: PeerArguments, _ subscribers: [Subscriber], _ tally: Tally) {
        var input = LineInput()
        while let line = input.next(milliseconds: -1) {
            switch line.first {
            case "report":
                let counts = tally.withLock { $0 }
                let (asleep, switches) = ProcessState.otherThreads
                say(
                    "report took=\(counts.frames.count { $0 > 0 }) frames=\(counts.frames.reduce(0, +)) bad=\(counts.bad)"
                        + " over=\(counts.over.count) lost=\(counts.over.count { $0 == "publisherLost" })"
                        + " closed=\(counts.over.count { $0 == "closed" })"
                        + " asleep=\(asleep) switches=\(switches) \(ProcessState.summary)"
                )
            case "close":
                for subscriber in subscribers { subscriber.close() }
                say("told")
            case "fork": forkAndWait(arguments)
            default: say("unknown \(line)")
            }
        }
    }

    /// A child that has none of its parent's threads subscribes for itself, and waits.
    private static func forkAndWait(_ arguments: PeerArguments) {
        guard fault_fork() == 0 else { return }
        do throws(ChannelError) {
            let subscriber = try connect(arguments)
            say("child-attached pid=\(getpid())")
            while try subscriber.nextBlocking() != nil {}
            say("child-over closed")
        } catch {
            say("child-over \(error.name)")
        }
        _exit(0)
    }

    private static func start(_ body: @escaping @Sendable () -> Void) {
        final class Box: Sendable {
            let body: @Sendable () -> Void
            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        var thread = pthread_t()
        let result = pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            },
            Unmanaged.passRetained(Box(body)).toOpaque()
        )
        guard result == 0 else {
            say("broken-test pthread_create: \(result)")
            exit(90)
        }
        pthread_detach(thread)
    }
}
