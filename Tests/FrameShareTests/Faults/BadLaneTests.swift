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
    }
}
