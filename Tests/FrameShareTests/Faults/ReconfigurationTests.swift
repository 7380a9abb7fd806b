import Glibc
import PeerTesting
import Testing

extension FaultTests {
    @Suite("Reconfiguration under load")
    struct Reconfiguration {
        @Test("Frames of an old generation stay valid and unchanged while they are held, and its memory goes with them")
        func heldFrames() async throws {
            try await FaultScene.run { scene in
                let holder = try await scene.folder.subscriber("policy=queue:4", "behaviour=hold", "count=3")
                try await holder.line("holding")
                let sizes = ["96 320 240", "100 64 48", "96 160 120"]
                for round in 0..<9 {
                    try await scene.publisher.ask("reconfigure \(sizes[round % 3])", "reconfigured")
                    try await scene.publishMore(20)
                }
                let checked = try await holder.ask("check", "checked")
                try #expect(checked["intact"] == 3 && checked["changed"] == 0, "\(checked)")
                #expect(checked.description.contains("generations=1"))
                // Three frames held, and no more queued than its budget has room for.
                try await scene.publisherSays("its budget pinned") { try (3...5).contains($0["retired"]) }
                try await holder.ask("release", "released")
                holder.send("go-on")
                try await scene.publisherSays("the old generations are gone") { try $0["retired"] == 0 }
                while try await holder.report()["delivered"] < 10 {}
                #expect(try await holder.report()["bad"] == 0)
            }
        }

        @Test("A subscriber killed while it holds frames of three generations gives all of them back")
        func killedWithOldFrames() async throws {
            try await FaultScene.run { scene in
                let victim = try await scene.folder.subscriber("policy=queue:4", "budget=6", "behaviour=greedy")
                for generation in 1...3 {
                    while try await victim.line("holding").kind != "\(6 * generation)" {}
                    if generation < 3 { try await scene.publisher.ask("reconfigure 96 160 120", "reconfigured") }
                }
                try await scene.publisherSays("frames of two old generations held") { try $0["retired"] == 12 }
                victim.kill(SIGKILL)
                try await scene.publisherSays("all given back") { try $0["retired"] == 0 && $0["subscribers"] == 1 }
            }
        }

        @Test("A stopped subscriber that slept through reconfigurations goes on with the newest generation")
        func stoppedMeanwhile() async throws {
            try await FaultScene.run { scene in
                let stopped = try await scene.folder.subscriber("policy=queue:4")
                while try await stopped.report()["delivered"] < 3 {}
                stopped.kill(SIGSTOP)
                try await stopped.becomes("T")
                for _ in 0..<12 {
                    try await scene.publisher.ask("reconfigure 96 160 120", "reconfigured")
                    try await scene.publishMore(4)
                }
                // It pins its budget over all generations, not in each.
                try await scene.publisherSays("no more than its budget pinned") { try $0["retired"] <= 5 }
                stopped.kill(SIGCONT)
                let published = try await scene.publisher.report()["last"]
                while try await stopped.report()["last"] < published {}
                #expect(try await stopped.report()["bad"] == 0)
            }
        }

        @Test("A subscriber of every frame that slept through reconfigurations has missed nothing that it was offered")
        func everyFrameStopped() async throws {
            try await FaultScene.run("losing") { scene in
                let stopped = try await scene.folder.subscriber("name=stopped", "policy=every-frame", "budget=6")
                while try await stopped.report()["delivered"] < 3 {}
                stopped.kill(SIGSTOP)
                try await stopped.becomes("T")
                for _ in 0..<12 {
                    try await scene.publisher.ask("reconfigure 96 160 120", "reconfigured")
                    try await scene.publishMore(4)
                }
                try await scene.publisherSays("its budget pinned, over all generations") { try $0["retired"] <= 6 }
                stopped.kill(SIGCONT)
                let published = try await scene.publisher.report()["last"]
                while try await stopped.report()["last"] < published {}
                let seen = try await stopped.report()
                // What is missing of its numbers was counted as its own loss.
                try #expect(
                    seen["bad"] == 0
                        && seen["last"] - seen["first"] + 1 == seen["taken"] + seen["lostByPolicy"],
                    "\(seen)"
                )
            }
        }

        @Test("A pool too small for what is reserved is refused, and the old one goes on")
        func tooSmall() async throws {
            try await FaultScene.run { scene in
                let failed = try await scene.publisher.ask("reconfigure 20 160 120", "failed")
                #expect(failed.kind == "reservationsDoNotFit", "\(failed)")
                try await scene.publishMore(20)
            }
        }

        @Test("A subscriber that joins in the middle of reconfigurations gets whole frames of one of them")
        func joiningMeanwhile() async throws {
            try await FaultScene.run { scene in
                for round in 0..<12 {
                    let newcomer = try scene.folder.startSubscriber("policy=queue:2")
                    for _ in 0..<3 {
                        try await scene.publisher.ask("reconfigure 96 \(64 + 8 * round) 48", "reconfigured")
                    }
                    try await newcomer.line("attached")
                    while try await newcomer.report()["delivered"] < 3 {}
                    #expect(try await newcomer.report()["bad"] == 0)
                }
            }
        }
    }
}
