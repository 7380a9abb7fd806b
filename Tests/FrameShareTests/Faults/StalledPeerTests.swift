import Glibc
import PeerTesting
import Testing

extension FaultTests {
    @Suite("Stalled peers")
    struct StalledPeers {
        @Test("A subscriber stopped for longer than the pool lasts loses its own frames alone, and then goes on")
        func stopped() async throws {
            try await FaultScene.run { scene in
                let stopped = try await scene.folder.subscriber("policy=queue:4")
                while try await stopped.report()["delivered"] < 5 {}
                stopped.kill(SIGSTOP)
                try await stopped.becomes("T")
                let delivered = try await stopped.kernelState == "T" ? scene.publisher.report()["published"] : 0
                try await scene.publishMore(2 * scene.before["slots"])
                try await scene.publisherSays("no more than its budget pinned") {
                    try $0["free"] >= $0["slots"] - 64 - 5 && $0["subscribers"] == 2
                }
                stopped.kill(SIGCONT)
                while try await stopped.report()["last"] < delivered + 2 * scene.before["slots"] {}
                let seen = try await stopped.report()
                try #expect(seen["bad"] == 0 && seen["gaps"] >= 1 && seen["lostByPolicy"] > 0, "\(seen)")
            }
        }

        @Test("A subscriber that never releases pins its budget and no more")
        func neverReleases() async throws {
            try await FaultScene.run { scene in
                let greedy = try await scene.folder.subscriber("policy=queue:4", "budget=7", "behaviour=greedy")
                while try await greedy.line("holding").kind != "7" {}
                try await scene.publishMore(2 * scene.before["slots"])
                let seen = try await greedy.report()
                try #expect(seen["held"] == 7 && seen["bad"] == 0, "\(seen)")
                try #expect(await greedy.ask("check", "checked")["intact"] == 7)
                try await greedy.ask("release", "released")
                while try await greedy.line("holding").kind != "7" {}
            }
        }

        @Test("Subscribers that never release share what nobody has reserved, and the source keeps its own slot")
        func manyNeverRelease() async throws {
            try await FaultScene.run("slots=70") { scene in
                // 70 slots less 65 reserved and 1 for the source leave 4 to share.
                var greedy: [PeerProcess] = []
                for _ in 0..<4 { greedy.append(try await scene.folder.subscriber("budget=3", "behaviour=greedy")) }
                try await scene.publishMore(200)
                var held = 0
                for peer in greedy { held += try await peer.report()["held"] }
                #expect(held >= 4)
                let report = try await scene.publisher.report()
                #expect(try report["lostNoFreeSlot"] == 0)
            }
        }

        @Test("An everyFrame subscriber that holds all it may loses its own frames alone, and goes on with room again")
        func everyFrameStalls() async throws {
            try await FaultScene.run { scene in
                let holding = try await scene.folder.subscriber(
                    "policy=every-frame",
                    "budget=4",
                    "behaviour=hold",
                    "count=4"
                )
                try await holding.line("holding")
                try await scene.publishMore(20)
                try await holding.ask("release", "released")
                holding.send("go-on")
                while try await holding.report()["delivered"] < 20 {}
                let seen = try await holding.report()
                try #expect(seen["bad"] == 0 && seen["lostByPolicy"] > 0 && seen["lostNoFreeSlot"] == 0, "\(seen)")
            }
        }

        @Test("An everyFrame subscriber that stops does not starve a source that can't wait")
        func everyFrameStarvesNobody() async throws {
            try await FaultScene.run { scene in
                let stopped = try await scene.folder.subscriber("policy=every-frame", "budget=4", "behaviour=stop")
                try await stopped.becomes("T")
                try await scene.publishMore(40)
                stopped.kill(SIGCONT)
                while try await stopped.report()["delivered"] < 20 {}
                let seen = try await stopped.report()
                try #expect(seen["bad"] == 0 && seen["lostByPolicy"] > 0 && seen["lostNoFreeSlot"] == 0, "\(seen)")
            }
        }

        @Test("A subscriber that never reads its socket, and asks all the time to be woken by it, slows nobody")
        func neverReads() async throws {
            try await FaultScene.run { scene in
                let deaf = try scene.folder.hostile("subscribe", "never-read", "300")
                try await deaf.line("attached")
                try await deaf.line("done")
                try await scene.others(1)
            }
        }

        @Test("A subscriber that never reads its socket is let go once reconfigurations no longer fit into it")
        func neverReadsReconfigurations() async throws {
            try await FaultScene.run { scene in
                let deaf = try scene.folder.hostile("subscribe", "never-read", "0")
                try await deaf.line("attached")
                var rounds = 0
                while try await scene.publisher.report()["subscribers"] == 2 && rounds < 2000 {
                    try await scene.publisher.ask("reconfigure 96 160 120", "reconfigured")
                    rounds += 1
                    // The good one keeps up; the deaf one pins its budget.
                    try await scene.publisherSays("the old generation is read out") { try $0["retired"] <= 5 }
                }
                #expect(rounds < 2000)
            }
        }

        @Test("Peers that connect and say nothing are hung up on; others of the same user wait no longer than that")
        func silent() async throws {
            try await FaultScene.run { scene in
                let silent = try scene.folder.hostile("subscribe", "silent", "30")
                try await silent.line("connected")
                let other = try await scene.folder.subscriber("policy=latest")
                while try await other.report()["delivered"] < 5 {}
                let over = try await silent.line("all-hung-up")
                try #expect(over["refused"] == 30, "\(over)")
            }
        }

        @Test("As many silent connections as a user may have keep none of its programs out")
        func manySilent() async throws {
            try await FaultScene.run { scene in
                let silent = try scene.folder.hostile("subscribe", "silent", "200")
                try await silent.line("connected")
                for _ in 0..<3 {
                    let other = try await scene.folder.subscriber("policy=latest")
                    while try await other.report()["delivered"] < 3 {}
                }
                let over = try await silent.line("all-hung-up")
                try #expect(over["made-way"] >= 200 - 64 && over["refused"] + over["made-way"] == 200, "\(over)")
            }
        }
    }
}
