import PeerTesting
import Testing

extension FaultTests {
    @Suite("Lanes filled with nonsense by their subscriber")
    struct BadLanes {
        @Test(
            "A subscriber whose lane holds what was never offered is disconnected, and nobody else notices",
            arguments: [
                "scribble", "forged-tickets", "tickets-beyond-pool", "release-everything", "release-untaken",
            ]
        )
        func violations(behaviour: String) async throws {
            try await FaultScene.run { scene in
                let peer = try scene.folder.hostile("subscribe", behaviour)
                try await peer.line("attached")
                let ended = try await peer.line("ended")
                #expect(ended.description.contains("it broke the protocol"), "\(ended)")
                try await peer.line("hung-up")
            }
        }

        @Test(
            "A subscriber that gives frames back twice, puts tickets back, or fakes its counters harms itself alone",
            arguments: ["stale-releases", "replayed-ticket", "scribble-counters"]
        )
        func harmsItself(behaviour: String) async throws {
            try await FaultScene.run { scene in
                let peer = try scene.folder.hostile("subscribe", behaviour, "60")
                try await peer.line("attached")
                while let line = try await peer.nextLine(), line != "done", !line.hasPrefix("ended") {}
                try await scene.publishMore(20)
                let report = try await scene.publisher.report()
                #expect(try report["free"] >= report["slots"] - 64 - 5 - 1, "\(report)")
            }
        }

        @Test(
            "A subscriber that scribbles on a lane of an old generation is disconnected, and the old pool goes with it"
        )
        func retiredLane() async throws {
            try await FaultScene.run { scene in
                let peer = try scene.folder.hostile("subscribe", "scribble-retired")
                try await peer.line("attached")
                // More is queued for it than its budget has room for, so some of it is to be withdrawn.
                for _ in 0..<4 {
                    try await scene.publishMore(8)
                    try await scene.publisher.ask("reconfigure 96 160 120", "reconfigured")
                }
                let ended = try await peer.line("ended")
                #expect(ended.description.contains("it broke the protocol"), "\(ended)")
                try await peer.line("hung-up")
                try await scene.publisherSays("no old pool left") { try $0["retired"] == 0 }
            }
        }

        @Test(
            "A subscriber that wakes everyone all the time, empties its lane's memory, or leaves and goes on, harms nobody",
            arguments: [("wake-all", 700), ("punch-lane", 200), ("leave-and-stay", 500)]
        )
        func harmsNobody(behaviour: String, count: Int) async throws {
            try await FaultScene.run { scene in
                let peer = try scene.folder.hostile("subscribe", behaviour, "\(count)")
                try await peer.line("done")
                try await scene.publishMore(20)
                let report = try await scene.publisher.report()
                #expect(try report["free"] >= report["slots"] - 64 - 5 - 1, "\(report)")
                peer.kill(9)
                try await scene.others(0)
            }
        }
    }
}
