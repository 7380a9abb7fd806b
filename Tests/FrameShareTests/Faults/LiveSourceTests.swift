import Glibc
import PeerTesting
import Testing

extension FaultTests {
    /// Who asks for every frame and takes none: at a source that waits for nobody, and at one that gives each user some time.
    @Suite("Sources that readers can't stall")
    struct LiveSources {
        /// Of a subscriber that asks for every frame and holds on to its first two.
        private static let idle = ["name=idle", "policy=every-frame", "budget=2", "behaviour=hold", "count=2"]

        private func idle(_ folder: PeerFolder, _ more: String...) async throws -> PeerProcess {
            let peer = try PeerProcess(
                [PeerProcess.besideTests("frameshare-test-peer"), "subscribe", folder.path, "camera"] + Self.idle + more
            )
            try await peer.line("attached")
            try await peer.line("holding")
            return peer
        }

        /// How many frames the idle one has lost, as its publisher says.
        private func lost(_ report: Report) -> Int {
            for subscriber in (report.text("who") ?? "").split(separator: ",") {
                let words = subscriber.split(separator: ":")
                if words.count == 5, words[0] == "idle" { return Int(words[2]) ?? 0 }
            }
            return 0
        }

        @Test(
            "Subscribers that ask for every frame, take none, are killed or leave, and join again and again cost a live source no frame, and honest readers none",
            arguments: ["losing", "blocking"]
        )
        func joinAgain(source: String) async throws {
            try await FaultScene.run("slots=200", "mode=666", source) { scene in
                let every = try await scene.folder.subscriber("name=every", "policy=every-frame", "budget=64")
                let latest = try await scene.folder.subscriber("name=latest", "policy=latest")
                for round in 0..<9 {
                    // As far as this test may: readers of the source's own user, and of another.
                    let user = round % 2 == 1 && Permissions.isRoot ? [Permissions.other] : []
                    let idle = try await idle(scene.folder, user.first ?? "spare")
                    // It has no room, and the source goes on; the loss is its own, and it keeps its place.
                    try await scene.publisherSays("it loses frames") { lost($0) >= 10 }
                    switch round % 3 {
                    case 0: idle.kill(SIGKILL)
                    case 1:
                        idle.kill(SIGSTOP)
                        try await scene.publishMore(10)
                        idle.kill(SIGKILL)
                    default: try await idle.ask("leave", "left")
                    }
                    try await scene.others(2)
                }
                let last = try await scene.publisher.ask("pause", "paused")["last"]
                while try await every.report()["last"] < last { try await Task.sleep(for: .milliseconds(5)) }
                let (seen, newest) = try await (every.report(), latest.report())
                try #expect(seen["gaps"] == 0 && seen["bad"] == 0 && seen["lost"] == 0, "\(seen)")
                // Each frame came to it, or was replaced by a newer one.
                try #expect(newest["bad"] == 0 && newest["lostNoFreeSlot"] == 0, "\(newest)")
                try #expect(
                    newest["last"] - newest["first"] + 1 == newest["taken"] + newest["lostByPolicy"],
                    "\(newest)"
                )
                #expect(try await scene.publisher.report()["waits"] == 0)
                for peer in [every, latest] { try await peer.ask("leave", "left") }
                try await scene.others(0)
                try await scene.publisher.ask("resume", "resumed")
            }
        }

        @Test("A source that can wait gives each user its time, and no more to whoever joins again")
        func creditOfUsers() async throws {
            let folder = try PeerFolder()
            let publisher = try await folder.publisher("blocking", "stall=300", "mode=666")
            let good = try await folder.subscriber("policy=queue:64", "reserve")
            func joined(_ user: [String]) async throws -> Int {
                let before = try await publisher.report()["waits"]
                let idle = try await idle(folder, user.first ?? "spare")
                // It is not cut off: once its user's time is used up it loses what it has no room for.
                while try await lost(publisher.report()) < 5 { try await Task.sleep(for: .milliseconds(5)) }
                idle.kill(SIGKILL)
                while try await publisher.report()["subscribers"] > 1 { try await Task.sleep(for: .milliseconds(5)) }
                return try await publisher.report()["waits"] - before
            }
            #expect(try await joined([]) > 0, "it waits for the first")
            for _ in 0..<3 { #expect(try await joined([]) == 0, "it waits no more for that user") }
            if Permissions.isRoot {
                #expect(try await joined([Permissions.other]) > 0, "another user has time of its own")
                #expect(try await joined([Permissions.other]) == 0)
            } else {
                print("skipped for another user: \(Permissions.whyNot)")
            }
            let last = try await publisher.ask("pause", "paused")["last"]
            while try await good.report()["last"] < last { try await Task.sleep(for: .milliseconds(5)) }
            let seen = try await good.report()
            try #expect(seen["gaps"] == 0 && seen["bad"] == 0 && seen["lost"] == 0, "\(seen)")
        }
    }
}
