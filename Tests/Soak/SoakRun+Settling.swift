import Glibc
import PeerTesting

// Settling: the camera pauses, everyone reads what is there, and all accounts must add up.
extension SoakRun {
    /// The most that the publisher's own memory may grow over its warm state, in kB: what an allocator keeps.
    static let allowedGrowth = 4096

    func settle() async throws {
        for member in members where member?.stoppedUntil != nil { member?.goOn() }
        try await publisher.ask("pause", "paused")
        try await dropDisconnected()
        var reports: [(SoakMember, Report, SoakMember.Account)] = []
        for member in members { if let member { reports.append(try await settled(member)) } }
        let accounts = try await publisher.ask("accounts", "accounts")
        latest = accounts
        let published = try accounts["published"]
        // Time against counts: what the camera's clock called for was published, or is counted with its cause.
        let due = try accounts["due"]
        if try due != published + accounts["lostNoFreeSlot"] + accounts["lostBySource"]
            || due != accounts["last"] + 1
        {
            failed("the camera's frames don't add up to what its clock called for: \(accounts)")
        }
        // It is live and keeps its own slot, so nobody can keep one from it, nor make it come late.
        if try accounts["lostNoFreeSlot"] > 0 { failed("readers kept the camera from a slot: \(accounts)") }
        if try accounts["lostBySource"] * 4 > due + 240 {
            failed("the camera came too late for a quarter of its frames: \(accounts)")
        }
        for (member, report, account) in reports {
            try await check(member, report)
            for fault in try member.faults(of: account, published: published, report: report) { failed(fault) }
        }
        try await measure()
        figures.settlements += 1
        try await publisher.ask("resume", "resumed")
    }

    /// Nobody may be cut off.
    private func dropDisconnected() async throws {
        let listed = Set(try await publisher.ask("accounts", "accounts").keys("sub-").map { $0.dropFirst(4) })
        for (index, member) in members.enumerated() {
            guard let member, !listed.contains(member.name[...]) else { continue }
            failed("\(member.name) (\(member.kind.policy)) was cut off: \(try await member.process.line("over"))")
            member.process.kill(SIGKILL)
            watchdog.forget(member.process)
            members[index] = nil
        }
    }

    /// Waits until a subscriber has read all that is there and the publisher knows.
    private func settled(_ member: SoakMember) async throws -> (SoakMember, Report, SoakMember.Account) {
        let deadline = Self.now() + 30_000_000_000
        while true {
            let report = try await member.process.report()
            let accounts = try await publisher.ask("accounts", "accounts")
            guard let account = SoakMember.Account(accounts.text("sub-\(member.name)")) else {
                throw PeerFailure("\(member.name) is no subscriber any more: \(accounts)")
            }
            if try account.queued == 0 && account.delivered == report["taken"] { return (member, report, account) }
            guard Self.now() < deadline else {
                throw PeerFailure("\(member.name) does not read what is there: \(account), \(report)")
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Brings everyone into the same state, and looks what it takes.
    private func measure() async throws {
        for member in members { try await member?.process.ask("release", "released") }
        // Reservations first, while nothing is held.
        for index in members.indices where members[index] == nil { try await attach(index) }
        try await reconfigure(0)
        let count = members.count { $0 != nil }
        guard count == members.count else { return failed("only \(count) subscribers get in while nothing is held") }
        let slots = Self.pools[0].0
        try await waitFor("all slots free, and old pools gone") {
            let now = try await publisher.ask("accounts", "accounts")
            settled = now
            return try now["free"] == slots && now["retired"] == 0 && now.keys("sub-").count == count
        }
        for member in members {
            guard let member else { continue }
            // 3 standard ones, the socket and the pool; what an event loop polls: two more. So has the thread that watches for
            // hang-ups, once one has slept.
            let own = 5 + (member.kind.pollable ? 2 : 0)
            try await waitFor("\(member.name) has nothing but the new pool") {
                let now = try await member.process.report()
                return try (now["fds"] == own || now["fds"] == own + 2) && now["maps"] == 5
            }
        }
        if let baseline {
            // It unmaps old pools a moment after nobody holds them.
            try await waitFor("the publisher has no more open than before") {
                let now = try await publisher.ask("accounts", "accounts")
                settled = now
                return try now["fds"] <= baseline["fds"] && now["maps"] <= baseline["maps"]
            }
        }
        guard let now = settled else { return }
        say(
            "soak: \(Int(elapsed)) s: \(try now["published"]) frames, \(try now["lostBySource"]) too late, \(figures.kills) kills,"
                + " \(figures.stops) stops, \(figures.attaches) attaches, \(figures.reconfigurations) reconfigurations;"
                + " publisher: \(Self.usage(now))"
        )
        // Warm: a sixth of the time, or three minutes.
        guard let baseline else {
            if elapsed > min(seconds / 6, 180) { self.baseline = now }
            return
        }
        if try now["threads"] != baseline["threads"] {
            failed("the publisher's threads were \(try baseline["threads"]) and are \(try now["threads"])")
        }
        for key in ["anonymous", "shared"] where try now[key] > baseline[key] + Self.allowedGrowth {
            failed("the publisher's \(key) memory grows from \(try baseline[key]) to \(try now[key]) kB")
        }
    }

    private func waitFor(_ what: String, _ condition: () async throws -> Bool) async throws {
        let deadline = Self.now() + 30_000_000_000
        while try await !condition() {
            guard Self.now() < deadline else {
                throw PeerFailure("in vain for: \(what): \(settled?.description ?? "")")
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }
}
