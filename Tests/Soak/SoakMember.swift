import Glibc
import PeerTesting

/// One subscriber process, and what is known of its account.
final class SoakMember {
    /// What it asked for.
    struct Kind {
        let policy: String
        let budget: Int
        let keep: Int
        let reserve: Bool
        let pollable: Bool
        /// It is neither stopped nor killed: what the others do must not be felt by it.
        var isLeftAlone = false

        var options: [String] {
            ["policy=\(policy)", "budget=\(budget)", "keep=\(keep)"] + (reserve ? ["reserve"] : [])
                + (pollable ? ["pollable"] : [])
        }
    }

    /// Those of a run. Reserved are 26 slots; the others ask for 23, which is more than some pools leave them.
    static let kinds = [
        Kind(policy: "latest", budget: 2, keep: 0, reserve: false, pollable: false),
        Kind(policy: "latest", budget: 3, keep: 1, reserve: false, pollable: false),
        Kind(policy: "queue:2", budget: 4, keep: 1, reserve: false, pollable: false),
        Kind(policy: "queue:4", budget: 5, keep: 0, reserve: false, pollable: true),
        Kind(policy: "queue:8", budget: 10, keep: 1, reserve: true, pollable: false),
        Kind(policy: "every-frame", budget: 8, keep: 1, reserve: true, pollable: false),
        Kind(policy: "queue:4", budget: 8, keep: 3, reserve: false, pollable: false),
        Kind(policy: "latest", budget: 1, keep: 0, reserve: false, pollable: true),
        Kind(policy: "every-frame", budget: 8, keep: 0, reserve: true, pollable: false, isLeftAlone: true),
    ]

    let name: String
    let kind: Kind
    let process: PeerProcess
    /// When it is to go on, while it is stopped; in ns.
    var stoppedUntil: Int64?
    /// How many frames had been published when it was let in, as its first settled account says.
    var publishedBefore: Int?
    /// Frames that it had in its latest account.
    var delivered = 0
    private let publishedAtStart: Int

    init(name: String, kind: Kind, folder: PeerFolder, published: Int) throws {
        (self.name, self.kind, publishedAtStart) = (name, kind, published)
        process = try PeerProcess(
            [PeerProcess.besideTests("frameshare-test-peer"), "subscribe", folder.path, "camera", "name=\(name)"]
                + kind.options
        )
    }

    func stop(until moment: Int64) {
        process.kill(SIGSTOP)
        stoppedUntil = moment
    }

    func goOn() {
        process.kill(SIGCONT)
        stoppedUntil = nil
    }

    /// What is wrong with what it says of itself: every frame from its first to its last was delivered to it, or it knows
    /// where it was lost.
    func faults(in report: Report) throws -> [String] {
        let taken = try report["taken"]
        defer { delivered = taken }
        guard taken > 0 else { return [] }
        var faults: [String] = []
        let (byPolicy, noSlot) = try (report["lostByPolicy"], report["lostNoFreeSlot"])
        if try report["bad"] != 0 { faults.append("frames torn, or rewritten while they were held") }
        if try report["lastNumber"] - report["firstNumber"] + 1 != taken + byPolicy {
            faults.append("numbers don't add up: delivered + lost by policy")
        }
        if try report["last"] - report["first"] + 1 != taken + byPolicy + noSlot + report["lostBySource"] {
            faults.append("sequence numbers don't add up: delivered + lost by policy, without a slot, by the source")
        }
        return faults.map { "\(name) (\(kind.policy)): \($0): \(report)" }
    }

    /// What is wrong between its account and the publisher's, once nothing is on its way.
    func faults(of account: Account, published: Int, report: Report) throws -> [String] {
        var faults: [String] = []
        if try account.delivered != report["taken"] {
            faults.append("the publisher says \(account.delivered) were taken")
        }
        // Each frame since it was let in was delivered to it, dropped for it and counted, or waits for it.
        let before = published - account.delivered - account.dropped - account.queued
        if before != publishedBefore ?? before {
            faults.append("\(before) frames before it, not \(publishedBefore ?? 0)")
        }
        if before < publishedAtStart {
            faults.append("\(before) frames before it, though \(publishedAtStart) were published")
        }
        if try report["taken"] > 0, try before >= report["firstNumber"] {
            faults.append("\(before) frames before it, though it had one of those")
        }
        publishedBefore = before
        // What waits for one of every frame is never withdrawn, and its slots are its own.
        if kind.policy == "every-frame", account.byPolicy + account.byShortage > 0 {
            faults.append("an everyFrame subscriber lost frames that it had room for")
        }
        // A busy machine may keep it from running for longer than its budget lasts.
        if kind.isLeftAlone, account.dropped * 4 > account.delivered + 40 {
            faults.append("an everyFrame subscriber that reads all the time lost more than a fifth of its frames")
        }
        return faults.map { "\(name) (\(kind.policy)): \($0): published \(published), \(account), \(report)" }
    }

    /// What the publisher says of a subscriber.
    struct Account: Equatable {
        let delivered, byPolicy, byBudget, byShortage, queued, held: Int
        var dropped: Int { byPolicy + byBudget + byShortage }

        init?(_ text: String?) {
            let numbers = (text ?? "").split(separator: ",").compactMap { Int($0) }
            guard numbers.count == 6 else { return nil }
            (delivered, byPolicy, byBudget) = (numbers[0], numbers[1], numbers[2])
            (byShortage, queued, held) = (numbers[3], numbers[4], numbers[5])
        }
    }
}
