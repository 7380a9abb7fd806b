import Glibc
import PeerTesting
import Synchronization

/// The run: chance acts, and every few seconds the accounts are settled.
final class SoakRun {
    /// What has happened so far.
    struct Figures {
        var deliveries = 0
        var kills = 0
        var stops = 0
        var attaches = 0
        var leaves = 0
        var refusals = 0
        var reconfigurations = 0
        var settlements = 0
    }

    /// Pools of these sizes take turns: slots, width, height. The first is the one that accounts are settled with.
    static let pools = [(40, 160, 120), (48, 320, 240), (34, 64, 48), (96, 160, 120)]

    let started = now()
    let seconds: Double
    private var chance: SeededGenerator
    private var names = 0
    var members: [SoakMember?] = SoakMember.kinds.map { _ in nil }
    var figures = Figures()
    private(set) var faults: [String] = []
    let publisher: PeerProcess
    var baseline: Report?
    var latest: Report?
    /// The publisher's account when it was settled last.
    var settled: Report?
    private let folder: PeerFolder
    let watchdog = Watchdog()

    /// Starts the camera.
    init(seconds: Double, seed: UInt64) async throws {
        self.seconds = seconds
        chance = SeededGenerator(seed: seed)
        folder = try PeerFolder()
        let (slots, width, height) = Self.pools[0]
        publisher = try await folder.publisher(
            "rate=60",
            "slots=\(slots)",
            "width=\(width)",
            "height=\(height)",
            "keeps-time"
        )
        watchdog.watch(publisher)
    }

    static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    var elapsed: Double { Double(Self.now() - started) / 1e9 }

    func failed(_ text: String) {
        faults.append(text)
        say("soak: FAULT at \(Int(elapsed)) s: \(text)")
    }

    private func random(_ range: Range<Int>) -> Int { Int.random(in: range, using: &chance) }

    func go() async throws {
        for index in members.indices { try await attach(index) }
        var settleAt = 3.0
        // Accounts are settled more and more seldom: after seconds at first, and at least four times a minute.
        while elapsed < seconds, faults.count < 10, !Interruption.came {
            try await act()
            try await letGoOn()
            if elapsed >= settleAt {
                try await settle()
                settleAt = elapsed + min(12, 3 + elapsed / 10)
            }
            watchdog.alive()
            try await Task.sleep(for: .milliseconds(random(10..<120)))
        }
        try await settle()
        try await end()
    }

    // MARK: chance

    private func act() async throws {
        let index = random(0..<members.count)
        guard let member = members[index] else { return try await attach(index) }
        guard !member.kind.isLeftAlone else { return }
        switch random(0..<100) {
        case 0..<18: kill(member, index)
        case 18..<22:
            kill(member, index)
            // Another is killed somewhere on its way in.
            let newcomer = try start(index)
            try await Task.sleep(for: .milliseconds(random(0..<30)))
            kill(newcomer, nil)
        case 22..<50 where member.stoppedUntil == nil:
            member.stop(until: Self.now() + Int64(random(20..<1500)) * 1_000_000)
            figures.stops += 1
        case 50..<60 where member.stoppedUntil == nil: try await leave(member, index)
        case 60..<70: try await reconfigure(random(0..<Self.pools.count))
        default: break
        }
    }

    private func kill(_ member: SoakMember, _ index: Int?) {
        member.process.kill(SIGKILL)
        figures.kills += 1
        figures.deliveries += member.delivered
        if let index { members[index] = nil }
        watchdog.forget(member.process)
    }

    func reconfigure(_ pool: Int) async throws {
        let (slots, width, height) = Self.pools[pool]
        try await publisher.ask("reconfigure \(slots) \(width) \(height)", "reconfigured")
        figures.reconfigurations += 1
    }

    private func start(_ index: Int) throws -> SoakMember {
        names += 1
        let member = try SoakMember(
            name: "\(index)-\(names)",
            kind: SoakMember.kinds[index],
            folder: folder,
            published: (try? latest?["published"]) ?? 0
        )
        watchdog.watch(member.process)
        return member
    }

    /// Starts a subscriber and waits until it is in. One that reserves may find its slots held: it comes again later.
    func attach(_ index: Int) async throws {
        let member = try start(index)
        let line = try await member.process.nextLine() ?? "nothing"
        if line.hasPrefix("failed refused") && member.kind.reserve && line.contains("can't be reserved") {
            figures.refusals += 1
            watchdog.forget(member.process)
        } else if line.hasPrefix("attached") {
            members[index] = member
            figures.attaches += 1
        } else {
            failed("\(member.name) (\(member.kind.policy)) did not get in: \(line)")
        }
    }

    private func leave(_ member: SoakMember, _ index: Int) async throws {
        member.process.send("report")
        try await check(member, try await member.process.line("report"))
        try await member.process.ask("leave", "left")
        members[index] = nil
        figures.leaves += 1
        figures.deliveries += member.delivered
        watchdog.forget(member.process)
    }

    func check(_ member: SoakMember, _ report: Report) async throws {
        for fault in try member.faults(in: report) { failed(fault) }
    }

    private func letGoOn() async throws {
        for member in members {
            if let until = member?.stoppedUntil, Self.now() >= until { member?.goOn() }
        }
    }

    private func end() async throws {
        for (index, member) in members.enumerated() { if let member { try await leave(member, index) } }
        let last = try await publisher.ask("accounts", "accounts")
        try await publisher.ask("close", "closed")
        if try await publisher.exit() != 0 { failed("the publisher did not end in order") }
        watchdog.forget(publisher)
        if !folder.files.isEmpty { failed("files were left: \(folder.files)") }
        latest = last
    }

    /// Prints the final figures and returns the exit status.
    func conclude(seed: UInt64) -> Int32 {
        watchdog.killAll()
        let published = (try? latest?["published"]) ?? 0
        let late = (try? latest?["lostBySource"]) ?? 0
        say(
            "soak: \(Int(elapsed)) s: \(published) frames published and \(late) that the camera came too late for,"
                + " \(figures.deliveries) deliveries checked, \(figures.kills) kills, \(figures.stops) stops,"
                + " \(figures.attaches) attaches, \(figures.leaves) leaves, \(figures.reconfigurations) reconfigurations,"
                + " \(figures.refusals) reservations refused,"
                + " \(figures.settlements) settlements"
        )
        if let baseline, let latest = settled {
            say("soak: publisher, warm: \(Self.usage(baseline)); at the end: \(Self.usage(latest))")
        }
        if figures.settlements == 0 { failed("no account was settled") }
        if baseline == nil { say("soak: too short to say whether the publisher grows") }
        guard faults.isEmpty else {
            say("soak: \(faults.count) FAULTS; again with --seed \(seed)")
            return 1
        }
        if Interruption.came {
            say("soak: ended early by a signal; nothing was wrong until then")
        } else {
            say("soak: all held")
        }
        return Interruption.came ? 130 : 0
    }

    static func usage(_ report: Report) -> String {
        ["fds", "maps", "threads", "anonymous", "shared"].map { "\($0) \(report.text($0) ?? "?")" }.joined(
            separator: ", "
        )
            + " (kB)"
    }
}

/// Ends the run, and all its processes, when nothing moves any more.
// @unchecked: the list is behind a lock.
final class Watchdog: Sendable {
    private let pids = Mutex<Set<pid_t>>([])
    private let seen = Atomic<Int64>(SoakRun.now())
    static let patience: Int64 = 90_000_000_000

    init() {
        Task.detached { [self] in
            while true {
                try? await Task.sleep(for: .seconds(1))
                guard SoakRun.now() - seen.load(ordering: .relaxed) > Self.patience else { continue }
                say("soak: FAULT: nothing has moved for \(Self.patience / 1_000_000_000) s")
                killAll()
                exit(1)
            }
        }
    }

    func alive() { seen.store(SoakRun.now(), ordering: .relaxed) }
    func watch(_ process: PeerProcess) { pids.withLock { _ = $0.insert(process.pid) } }
    func forget(_ process: PeerProcess) { pids.withLock { _ = $0.remove(process.pid) } }
    func killAll() { for pid in pids.withLock({ $0 }) { kill(pid, SIGKILL) } }
}
