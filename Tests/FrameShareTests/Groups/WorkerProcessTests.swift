import Glibc
import PeerTesting
import Testing

/// Groups whose members are processes, and die.
@Suite("Worker processes", .serialized, .timeLimit(.minutes(10)))
struct WorkerProcessTests {
    let folder: PeerFolder
    let asker: PeerProcess

    init() async throws {
        folder = try PeerFolder()
        asker = try PeerProcess([
            PeerProcess.besideTests("frameshare-test-peer"), "ask", folder.path, "camera", "slots=24", "inflight=12",
        ])
        try await asker.line("asking")
    }

    private func worker(delay: Int = 0) throws -> PeerProcess {
        try PeerProcess(
            [PeerProcess.besideTests("frameshare-test-worker"), "camera"],
            environment: ["FRAMESHARE_DIR=\(folder.path)", "TEST_WORKER_DELAY=\(delay)"]
        )
    }

    private func members(_ count: Int) async throws {
        while try await asker.report()["members"] != count { try await Task.sleep(for: .milliseconds(5)) }
    }

    /// Waits until slots, descriptors and mappings are as before any worker came.
    private func asBefore(_ before: Report) async throws {
        while true {
            let now = try await asker.report()
            if try now["members"] == 0 && now["free"] == now["slots"] && now["pending"] == 0
                && now["fds"] == before["fds"] && now["maps"] == before["maps"]
            {
                return
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    @Test("10 000 frames, four workers, one killed every 50 ms: each frame ends once, and no answer is another's")
    func killedAtAnyMoment() async throws {
        let before = try await asker.report()
        var workers = try (0..<4).map { _ in try worker(delay: 3000) }
        try await members(4)
        asker.send("ask 10000")
        var random = SystemRandomNumberGenerator()
        var kills = 0
        let watch = ContinuousClock()
        let outcome: Report = try await withThrowingTaskGroup(of: Report?.self) { group in
            group.addTask { try await asker.line("asked") }
            var result: Report? = nil
            while result == nil {
                group.addTask {
                    try await Task.sleep(until: watch.now + .milliseconds(50))
                    return nil
                }
                if let line = try await group.next() ?? nil {
                    result = line
                } else {
                    let victim = Int.random(in: 0..<4, using: &random)
                    workers[victim].kill(SIGKILL)
                    workers[victim] = try worker(delay: 3000)
                    kills += 1
                }
            }
            group.cancelAll()
            return result ?? Report("")
        }
        #expect(try outcome["total"] == 10_000 && outcome["wrong"] == 0 && outcome["other"] == 0, "\(outcome)")
        #expect(try outcome["answered"] > 8000 && outcome["lost"] > 0, "\(outcome), \(kills) kills")
        #expect(kills > 10)
        for worker in workers { worker.kill(SIGTERM) }
        for worker in workers { _ = try await worker.exit() }
        try await asBefore(before)
        let after = try await asker.report()
        #expect(try after["given"] == 10_000 && after["answered"] + after["failed"] == 10_000, "\(after)")
    }
}
