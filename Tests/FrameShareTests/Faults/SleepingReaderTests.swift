import Glibc
import PeerTesting
import Testing

extension FaultTests {
    /// No sleep of a reader has a time-out: something must end each.
    @Suite("Sleeping readers")
    struct SleepingReaders {
        private func crowd(
            _ folder: PeerFolder,
            _ options: String...,
            below: [String] = []
        ) async throws -> PeerProcess {
            let command = [PeerProcess.besideTests("frameshare-test-peer"), "crowd", folder.path, "camera"]
            let crowd = try PeerProcess(below + command + options)
            try await crowd.line("attached")
            return crowd
        }

        /// Waits until what the crowd says satisfies `condition`.
        @discardableResult
        private func says(
            _ crowd: PeerProcess,
            _ what: String,
            _ condition: (Report) throws -> Bool
        ) async throws -> Report {
            var latest = Report("")
            do {
                while true {
                    latest = try await crowd.report()
                    if try condition(latest) { return latest }
                    try await Task.sleep(for: .milliseconds(5))
                }
            } catch let error as CancellationError {
                Issue.record("in vain for '\(what)': \(latest)")
                throw error
            }
        }

        @Test(
            "While nothing happens no sleeper wakes; a stopped publisher ends no sleep, its next frame does, and its death all at once"
        )
        func nothingHappens() async throws {
            let folder = try PeerFolder()
            let publisher = try await folder.publisher("paused")
            let crowd = try await crowd(folder, "count=20", "threads=2", "untimed")
            try await says(crowd, "all asleep") { try $0["asleep"] >= 40 }
            // What is left of falling asleep does not count: one quiet second is asked for. A look every tenth of a second
            // makes 400 of it.
            var most = Int.max
            for _ in 0..<10 where most > 40 {
                let before = try await crowd.report()["switches"]
                try await Task.sleep(for: .seconds(1))
                most = try await crowd.report()["switches"] - before
            }
            #expect(most <= 40, "wake-ups in a second")
            publisher.kill(SIGSTOP)
            try await publisher.becomes("T")
            try await Task.sleep(for: .milliseconds(300))
            let stopped = try await crowd.report()
            try #expect(stopped["over"] == 0, "\(stopped)")
            publisher.kill(SIGCONT)
            try await publisher.ask("resume", "resumed")
            try await says(crowd, "frames") { try $0["took"] == 20 }
            try await publisher.ask("pause", "paused")
            publisher.kill(SIGKILL)
            let end = try await says(crowd, "all over") { try $0["over"] == 40 }
            try #expect(end["lost"] == 40 && end["bad"] == 0, "\(end)")
        }

        @Test("Closing a subscriber reaches every thread that sleeps, or is about to")
        func closed() async throws {
            let folder = try PeerFolder()
            let publisher = try await folder.publisher("rate=1000", "slots=16")
            for _ in 0..<3 {
                // They fall asleep and wake all the time.
                let crowd = try await crowd(folder, "count=8", "threads=3", "untimed")
                try await says(crowd, "frames") { try $0["took"] == 8 }
                try await crowd.ask("close", "told")
                let end = try await says(crowd, "all over") { try $0["over"] == 24 }
                try #expect(end["closed"] == 24 && end["bad"] == 0, "\(end)")
            }
            publisher.kill(SIGKILL)
        }

        @Test("More threads than one call wakes sleep on one word: one frame reaches every subscriber")
        func crowdOfSleepers() async throws {
            let folder = try PeerFolder()
            let publisher = try await folder.publisher("paused", "slots=8")
            let crowd = try await crowd(folder, "count=100", "threads=3", "untimed")
            try await says(crowd, "all asleep") { try $0["asleep"] >= 300 }
            try await publisher.ask("publish-one", "published-one")
            let end = try await says(crowd, "a frame for each") { try $0["took"] == 100 }
            try #expect(end["frames"] == 100 && end["bad"] == 0, "\(end)")
            // The end of the channel is for all of them, too.
            try await publisher.ask("close", "closed")
            try await says(crowd, "all over") { try $0["over"] == 300 }
        }

        @Test("1000 slots and 100 readers in one process fit below a limit of 1024 descriptors on either side")
        func manySlots() async throws {
            let below = ["/bin/sh", "-c", "ulimit -n 1024 && exec \"$@\"", "sh"]
            let folder = try PeerFolder()
            let publisher = try folder.startPublisher("slots=1000", "rate=50", below: below)
            try await publisher.line("publishing")
            let crowd = try await crowd(folder, "count=100", below: below)
            let seen = try await says(crowd, "frames for all") { try $0["took"] == 100 && $0["frames"] > 300 }
            // A socket and the pool for each.
            try #expect(seen["bad"] == 0 && seen["fds"] <= 220, "\(seen)")
            let there = try await publisher.report()
            try #expect(there["subscribers"] == 100 && there["slots"] == 1000 && there["fds"] < 250, "\(there)")
        }

        #if THREAD_SANITIZER
        static let forkedChildrenStartThreads = false
        #else
        static let forkedChildrenStartThreads = true
        #endif

        @Test(
            "A forked child has none of its parent's threads, and hears of the publisher's death by its own",
            .enabled(
                if: forkedChildrenStartThreads,
                "the thread sanitizer ends a forked child that starts a thread, if its parent had several"
            )
        )
        func forked() async throws {
            let folder = try PeerFolder()
            let publisher = try await folder.publisher("rate=50")
            let crowd = try await crowd(folder, "count=4", "threads=2", "untimed")
            try await says(crowd, "frames") { try $0["took"] == 4 }
            crowd.send("fork")
            try await crowd.line("child-attached")
            try await publisher.ask("pause", "paused")
            publisher.kill(SIGKILL)
            #expect(try await crowd.line("child-over").kind == "publisherLost")
            let end = try await says(crowd, "the parent's are over") { try $0["over"] == 8 }
            try #expect(end["lost"] == 8, "\(end)")
        }

        @Test("Where no thread can be started to watch for it, the publisher's death is heard of all the same")
        func noThread() async throws {
            let folder = try PeerFolder()
            let publisher = try await folder.publisher("paused")
            let reader = try await folder.subscriber("behaviour=wait", "no-thread")
            try await reader.line("waiting")
            try await reader.becomes("S")
            publisher.kill(SIGKILL)
            #expect(try await reader.line("over").kind == "publisherLost")
        }
    }
}
