internal import FrameShare
internal import Glibc

/// A camera of a kind: a frame at each tick of its clock, lost and counted as such when there is no free slot for it.
///
/// Keys: `slots`, `rate` (frames a second), `width`, `height`, `mode` (octal), `users` (of an allow list), `stall` (how long
/// each user may make it wait in any minute, in ms; left out: it is live), `blocking` (wait for a slot instead of losing the
/// frame), `keeps-time` (what it came too late for is lost by the source, and counted; else its clock waits),
/// `reconfigure-every` (frames), `paused`, `limit-descriptors`, `limit-memory`, `controls` (has some).
struct PublishRole {
    private let publisher: Publisher
    private let arguments: PeerArguments
    /// The publisher does not keep it.
    private let controls: PeerControls?
    private var input = LineInput()
    private var sequence: UInt64 = 0
    private var paused: Bool
    private var nextTick = FrameTimestamp.now().nanoseconds
    private let period: Int64
    /// What its clock has called for up to the last pause, and when it went on then: with `keeps-time`.
    private var due: UInt64 = 0
    private var clockStart: Int64 = 0
    /// A slot that is kept unpublished.
    private var held: HeldSlot?
    /// How many frames had to wait for a slot.
    private var waits = 0

    static func run(_ arguments: PeerArguments) {
        if let more = arguments.number("limit-descriptors") { ProcessState.limitDescriptors(more) }
        if let more = arguments.number("limit-memory") { ProcessState.limitMemory(more) }
        do throws(ChannelError) {
            var role = try PublishRole(arguments)
            say("publishing pid=\(getpid())")
            try role.loop()
        } catch {
            say("failed \(error.name) \(error)")
            ProcessState.limitDescriptors(nil)
            exit(3)
        }
    }

    private init(_ arguments: PeerArguments) throws(ChannelError) {
        self.arguments = arguments
        paused = arguments.flag("paused")
        period = 1_000_000_000 / Int64(max(1, arguments.number("rate", 100)))
        var options = Publisher.Options()
        options.directory = ChannelDirectory(path: arguments.folder)
        options.access.mode = arguments.text("mode").flatMap { UInt32($0, radix: 8) } ?? 0o600
        options.access.allowedUsers = arguments.text("users").map { $0.split(separator: ",").compactMap { UInt32($0) } }
        options.stallLimit = .milliseconds(arguments.number("stall", 0))
        options.metadataCapacity = 1024
        options.sourceName = "test"
        publisher = try Publisher(
            channel: arguments.channel,
            streams: [Self.stream(arguments.number("width", 160), arguments.number("height", 120))],
            slots: arguments.number("slots", 96),
            options: options
        )
        controls = arguments.flag("controls") ? PeerControls() : nil
        try publisher.offerControls(of: controls)
    }

    static func stream(_ width: Int, _ height: Int) -> Stream {
        let plane = PlaneLayout(offset: 0, stride: width, size: width * height)
        return Stream(name: "main", layout: ImageLayout(width: width, height: height, format: .r8, planes: [plane]))
    }

    private mutating func loop() throws(ChannelError) {
        startClock()
        while true {
            let now = FrameTimestamp.now().nanoseconds
            let left = paused ? 1_000_000_000 : nextTick - now
            if left > 0 {
                if let line = input.next(milliseconds: Int32((left + 999_999) / 1_000_000)) { try obey(line) }
                continue
            }
            if arguments.flag("keeps-time") { leaveOutMissed(until: now - period) }
            try publishNext()
            // A clock that was late does not hurry after: a test's machine may stand still for a while.
            nextTick = arguments.flag("keeps-time") ? nextTick + period : max(nextTick + period, now - period)
            if let line = input.next(milliseconds: 0) { try obey(line) }
        }
    }

    private mutating func startClock() {
        clockStart = FrameTimestamp.now().nanoseconds
        nextTick = clockStart
    }

    /// Counts the frames that were due up to a moment and that nobody came for.
    private mutating func leaveOutMissed(until moment: Int64) {
        guard moment >= nextTick else { return }
        let missed = (moment - nextTick) / period + 1
        publisher.countLost(source: UInt64(missed))
        sequence += UInt64(missed)
        nextTick += missed * period
    }

    /// Stops the clock, and says what it has called for since it began, whatever has become of that.
    private mutating func stopClock() {
        let now = FrameTimestamp.now().nanoseconds
        if arguments.flag("keeps-time"), !paused {
            due += UInt64((now - clockStart) / period) + 1
            leaveOutMissed(until: now)
        }
        paused = true
    }

    private mutating func publishNext() throws(ChannelError) {
        if let slot = try publisher.tryNextSlot() {
            try fill(slot)
        } else if arguments.flag("blocking") {
            waits += 1
            try fill(try publisher.nextSlotBlocking())
        } else {
            publisher.countLost(noFreeSlot: 1)
        }
        sequence += 1
        if let frames = arguments.number("reconfigure-every"), sequence % UInt64(frames) == 0 {
            try publisher.reconfigure(streams: publisher.streams, slots: publisher.slotCount)
        }
    }

    private func fill(_ slot: consuming WritableSlot) throws(ChannelError) {
        slot["main"].withUnsafeMutableBytes { bytes in PixelPattern.fill(bytes, sequence: sequence) }
        try publisher.publish(slot, FrameDescription(sequence: sequence), metadata: ["Number": .int64(Int64(sequence))])
    }

    private mutating func obey(_ line: [String]) throws(ChannelError) {
        let numbers = line.dropFirst().compactMap { Int($0) }
        switch line.first {
        case "report": report()
        case "accounts": accounts()
        case "pause":
            stopClock()
            say("paused last=\(Int(sequence) - 1)")
        case "resume":
            if paused { startClock() }
            paused = false
            say("resumed")
        case "reconfigure": reconfigure(slots: numbers[0], width: numbers[1], height: numbers[2])
        case "limit-descriptors":
            ProcessState.limitDescriptors(numbers.first)
            say("limited")
        case "limit-memory":
            ProcessState.limitMemory(numbers.first)
            say("limited")
        case "publish-one":
            try publishNext()
            say("published-one")
        case "hold-slot":
            if let slot = try publisher.tryNextSlot() { held = HeldSlot(slot) }
            say("held-slot")
        case "drop-slot":
            held = nil
            say("dropped-slot")
        case "steady": try steady(numbers[0], spinning: line.last == "spinning")
        case "close":
            publisher.close()
            say("closed")
            exit(0)
        case "fail":
            publisher.fail(line.dropFirst().joined(separator: " "))
            say("closed")
            exit(0)
        default: say("unknown \(line)")
        }
    }

    private final class HeldSlot {
        private let slot: WritableSlot
        init(_ slot: consuming WritableSlot) { self.slot = slot }
    }

    private func report() {
        let s = publisher.statistics
        let subscribers = s.subscribers.map { "\($0.name):\($0.delivered):\($0.dropped):\($0.held):\($0.queued)" }
        say(
            "report published=\(s.published) last=\(Int(sequence) - 1) lostNoFreeSlot=\(s.lostNoFreeSlot)"
                + " lostBySource=\(s.lostBySource) slots=\(s.slots) free=\(s.slotsFree) atSource=\(s.slotsAtSource)"
                + " reserved=\(s.slotsReserved) retired=\(s.retiredSlotsHeld) generation=\(s.generation)"
                + " waits=\(waits) subscribers=\(s.subscribers.count) who=\(subscribers.joined(separator: ",")) \(ProcessState.summary)"
        )
    }

    /// What became of every frame, for each subscriber, and what this process takes.
    private func accounts() {
        let s = publisher.statistics
        let subscribers = s.subscribers.map {
            " sub-\($0.name)=\($0.delivered),\($0.droppedByPolicy),\($0.droppedByBudget),\($0.droppedByShortage)"
                + ",\($0.queued),\($0.held)"
        }
        say(
            "accounts published=\(s.published) last=\(Int(sequence) - 1) due=\(due) lostNoFreeSlot=\(s.lostNoFreeSlot)"
                + " lostBySource=\(s.lostBySource) slots=\(s.slots) free=\(s.slotsFree) atSource=\(s.slotsAtSource)"
                + " retired=\(s.retiredSlotsHeld) \(ProcessState.summary) \(ProcessState.usage)"
                + subscribers.joined()
        )
    }

    private func reconfigure(slots: Int, width: Int, height: Int) {
        do throws(ChannelError) {
            try publisher.reconfigure(streams: [Self.stream(width, height)], slots: slots)
            say("reconfigured generation=\(publisher.generation)")
        } catch {
            say("failed \(error.name) \(error)")
        }
    }

    /// Publishes frames between two marks in what `strace` sees, with no look at the input in between.
    private mutating func steady(_ frames: Int, spinning: Bool) throws(ChannelError) {
        say("steady-begins")
        for _ in 0..<frames {
            let due = FrameTimestamp.now().nanoseconds + 2_000_000
            if spinning {
                while FrameTimestamp.now().nanoseconds < due {}
            } else {
                usleep(2000)
            }
            try publishNext()
        }
        say("steady-ends")
    }
}
