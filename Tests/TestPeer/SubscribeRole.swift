internal import FaultInjector
internal import FrameShare
internal import Glibc

/// A subscriber that checks every pixel of every frame, or misbehaves as told.
///
/// Keys: `policy`, `budget`, `reserve`, `name`, `spin`, `reconnect`, `timeout` (ms to connect), `starve` (descriptors
/// left while it connects for the first time), `keep` (frames that are kept until as many more have come), `pollable` (waits
/// in an event loop), `no-thread` (its first thread can't be started), `untimed` (a sleep ends by a wake-up alone), `group` (a member of it, which answers each frame with more than fits into a message), and
/// `behaviour`: `verify` (the default), `hold` and `stop` with `count`, `wait`, `greedy`, `probe`, `lines`, `steady` with
/// `count`.
struct SubscribeRole {
    private let subscriber: Subscriber
    private let arguments: PeerArguments
    private var input = LineInput()
    private var held: [HeldFrame] = []
    private var delivered = 0
    private var gaps = 0
    private var bad = 0
    private var last = -1
    /// Of the first frame: its sequence number and its number; of the last its number.
    private var first = (sequence: -1, number: 0)
    private var lastNumber = 0

    /// A frame that is kept.
    private final class HeldFrame: Sendable {
        private let frame: Frame
        init(_ frame: consuming Frame) { self.frame = frame }
        var sequence: UInt64 { frame.sequence }
        var generation: UInt32 { frame.generation }
        var isIntact: Bool { SubscribeRole.isIntact(frame) }
    }

    static func run(_ arguments: PeerArguments) {
        let before = ProcessState.summary
        if let more = arguments.number("starve") {
            ProcessState.limitDescriptors(more)
            let outcome = Self.outcome { () throws(ChannelError) in _ = try Self.connect(arguments) }
            ProcessState.limitDescriptors(nil)
            say("starved \(outcome)")
            say("before \(before)")
            say("after \(ProcessState.summary)")
        }
        if arguments.text("behaviour") == "probe" {
            say("probed " + Self.outcome { () throws(ChannelError) in try Self.probe(arguments) })
            say("before \(before)")
            say("after \(ProcessState.settled(like: before))")
            return
        }
        do throws(ChannelError) {
            var role = SubscribeRole(try connect(arguments), arguments)
            say("attached pid=\(getpid())")
            role.behave()
        } catch {
            say("failed \(error.name) \(error)")
            exit(3)
        }
    }

    private static func outcome(_ body: () throws(ChannelError) -> Void) -> String {
        do throws(ChannelError) {
            try body()
            return "fine"
        } catch {
            return "\(error.name) \(error)"
        }
    }

    private static func connect(_ arguments: PeerArguments) throws(ChannelError) -> Subscriber {
        if arguments.flag("untimed"), fault_sleep_for_ever() == 0 {
            say("timed: a sanitizer stands in for the calls whose time-outs are to go")
        }
        if arguments.flag("no-thread") {
            for index in 0..<fault_functions() where String(cString: fault_function(index)) == "pthread_create" {
                fault_begin(index, 1, EAGAIN)
            }
        }
        var options = Subscriber.Options()
        options.directory = ChannelDirectory(path: arguments.folder)
        options.name = arguments.text("name") ?? "peer"
        options.budget = arguments.number("budget")
        options.reserve = arguments.flag("reserve")
        options.reconnect = arguments.flag("reconnect")
        options.connectTimeout = .milliseconds(arguments.number("timeout", 20_000))
        if arguments.flag("spin") { options.wait = .spin }
        options.pollable = arguments.flag("pollable")
        options.group = arguments.text("group")
        let policy = arguments.text("policy").flatMap { Policy($0) } ?? .latest
        return try Subscriber(channel: arguments.channel, policy: policy, options: options)
    }

    private init(_ subscriber: Subscriber, _ arguments: PeerArguments) {
        self.subscriber = subscriber
        self.arguments = arguments
    }

    private mutating func behave() {
        do throws(ChannelError) {
            switch arguments.text("behaviour") ?? "verify" {
            case "hold": try hold()
            case "wait":
                say("waiting")
                if let frame = try subscriber.nextBlocking() { check(frame) }
            case "steady": try steady()
            case "stop":
                for _ in 0..<arguments.number("count", 1) { try takeOne(timeout: nil) }
                say("stopping")
                raise(SIGSTOP)
            default: break
            }
            try verify()
        } catch {
            say("over \(error.name) \(error)")
        }
        while true { if let line = input.next(milliseconds: -1) { obey(line) } }
    }

    /// Reads frame upon frame until the channel is over.
    private mutating func verify() throws(ChannelError) {
        while true {
            if let line = input.next(milliseconds: 0) { obey(line) }
            do throws(ChannelError) {
                if arguments.flag("pollable") {
                    try takeAllThere()
                } else {
                    try takeOne(timeout: .milliseconds(10))
                }
            } catch .timedOut {
                continue
            }
        }
    }

    /// As an event loop does: takes frames until there is none, and waits for its descriptor.
    private mutating func takeAllThere() throws(ChannelError) {
        while let frame = try subscriber.tryNext() { keep(frame) }
        var entry = pollfd(fd: try subscriber.pollDescriptor, events: Int16(POLLIN), revents: 0)
        poll(&entry, 1, 10)
    }

    /// Checks a frame, and once more when it is let go: it must not have changed.
    private mutating func keep(_ frame: consuming Frame) {
        check(frame)
        guard let count = arguments.number("keep"), count > 0 else { return }
        held.append(HeldFrame(frame))
        if held.count > count, !held.removeFirst().isIntact { bad += 1 }
    }

    private mutating func takeOne(timeout: Duration?) throws(ChannelError) {
        guard let frame = try subscriber.nextBlocking(timeout: timeout) else { throw .closed }
        guard arguments.text("behaviour") == "greedy" else { return keep(frame) }
        check(frame)
        held.append(HeldFrame(frame))
        say("holding \(held.count)")
    }

    private mutating func check(_ frame: borrowing Frame) {
        if arguments.text("behaviour") == "lines" {
            say("frame \(frame.sequence) \(frame.generation) \(PixelPattern.checksum(frame["main"].bytes))")
        }
        if !Self.isIntact(frame) { bad += 1 }
        if last >= 0 && frame.sequence != UInt64(last) + 1 { gaps += 1 }
        if let request = frame.request { Self.answer(request) }
        last = Int(frame.sequence)
        lastNumber = Int(frame.number)
        if delivered == 0 { first = (last, lastNumber) }
        delivered += 1
    }

    /// What a publisher that has gone does not hear was for nobody.
    private static func answer(_ request: FrameRequest) {
        do throws(ChannelError) {
            try request.answer(.bytes(longReply))
        } catch { say("unanswered \(error.name)") }
    }

    /// It goes by shared memory.
    static let longReply = [UInt8](repeating: 7, count: 20_000)

    /// Whether pixels and metadata are those of the frame, or known to be no longer.
    private static func isIntact(_ frame: borrowing Frame) -> Bool {
        let sequence = frame.sequence
        if case .int64(Int64(sequence))? = frame.metadata["Number"],
            PixelPattern.holds(frame["main"].bytes, sequence: sequence)
        {
            return true
        }
        return frame.isRevoked
    }

    private mutating func hold() throws(ChannelError) {
        for _ in 0..<arguments.number("count", 1) {
            guard let frame = try subscriber.nextBlocking() else { throw .closed }
            check(frame)
            held.append(HeldFrame(frame))
        }
        say("holding \(held.count)")
        while let line = input.next(milliseconds: -1), line.first != "go-on" { obey(line) }
    }

    private mutating func obey(_ line: [String]) {
        switch line.first {
        case "report":
            let s = subscriber.statistics
            say(
                "report delivered=\(delivered) last=\(last) gaps=\(gaps) bad=\(bad) held=\(s.held)"
                    + " lost=\(s.lost.total) lostByPolicy=\(s.lost.policy) lostNoFreeSlot=\(s.lost.noFreeSlot)"
                    + " lostBySource=\(s.lost.source) first=\(first.sequence) firstNumber=\(first.number)"
                    + " lastNumber=\(lastNumber) taken=\(s.delivered) connections=\(s.connections) \(ProcessState.summary)"
            )
        case "check":
            let intact = held.count { $0.isIntact }
            let generations = Set(held.map(\.generation)).sorted().map(String.init).joined(separator: ",")
            say("checked intact=\(intact) changed=\(held.count - intact) generations=\(generations)")
        case "release":
            bad += held.count { !$0.isIntact }
            held = []
            say("released")
        case "leave":
            held = []
            subscriber.close()
            say("left")
            exit(0)
        default: say("unknown \(line)")
        }
    }

    /// Takes frames between two marks in what `strace` sees.
    private mutating func steady() throws(ChannelError) {
        while lastNumber < 20 { try takeOne(timeout: nil) }
        say("steady-begins")
        // By the frames' numbers: one that was lost to a busy machine is not waited for.
        let end = 20 + arguments.number("count", 500)
        while lastNumber < end { try takeOne(timeout: nil) }
        say("steady-ends")
    }

    /// Connects and touches all that a frame has, believing nothing, until there is an error or no more frames.
    private static func probe(_ arguments: PeerArguments) throws(ChannelError) {
        let subscriber = try connect(arguments)
        say("attached pid=\(getpid())")
        var sum: UInt64 = 0
        var frames = 0
        while let frame = try subscriber.nextBlocking(timeout: .seconds(10)) {
            let image = frame["main"]
            sum ^= PixelPattern.checksum(image.bytes) ^ PixelPattern.checksum(image.plane(0))
            sum ^= UInt64(image.bytesUsed(plane: 0)) ^ frame.lost.total
            if let metadata = try? frame.metadata.copy() { sum ^= UInt64(metadata.count) }
            if frame.metadata["Number"] != nil { sum ^= 1 }
            frames += 1
            if frames == 1 { say("first-frame") }
        }
        say("frames \(frames) \(sum) \(subscriber.statistics.delivered)")
    }
}
