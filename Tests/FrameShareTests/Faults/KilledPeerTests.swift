import Glibc
import PeerTesting
import Testing

extension FaultTests {
    @Suite("Killed peers")
    struct KilledPeers {
        @Test("A subscriber killed while it holds frames gives them all back")
        func holding() async throws {
            try await FaultScene.run { scene in
                for policy in ["latest", "queue:4"] {
                    let victim = try await scene.folder.subscriber(
                        "policy=\(policy)",
                        "budget=5",
                        "behaviour=hold",
                        "count=2"
                    )
                    try await victim.line("holding")
                    try await scene.publisherSays("frames held") { try $0["free"] < $0["slots"] - 1 }
                    victim.kill(SIGKILL)
                    try await scene.others(0)
                }
            }
        }

        @Test("An everyFrame subscriber killed while it stalls the source lets it go on, with no frame lost")
        func holdingEveryFrame() async throws {
            try await FaultScene.run("blocking", "stall=1000000") { scene in
                let victim = try await scene.folder.subscriber(
                    "policy=every-frame",
                    "budget=5",
                    "behaviour=hold",
                    "count=2"
                )
                try await victim.line("holding")
                try await scene.publisher.becomes("S")
                victim.kill(SIGKILL)
                try await scene.others(0)
                try await scene.publishMore(20)
            }
        }

        @Test("A subscriber killed while it waits for a frame is forgotten, and the next frame wakes the others")
        func waiting() async throws {
            try await FaultScene.run { scene in
                try await scene.publisher.ask("pause", "paused")
                let victim = try await scene.folder.subscriber("policy=latest", "behaviour=wait")
                try await victim.line("waiting")
                try await victim.becomes("S")
                victim.kill(SIGKILL)
                try await scene.publisher.ask("resume", "resumed")
                try await scene.others(0)
            }
        }

        @Test(
            "A subscriber killed half-way through the handshake leaves nothing behind",
            arguments: ["connect", "hello", "welcome", "generation", "buffers"]
        )
        func handshake(stage: String) async throws {
            try await FaultScene.run { scene in
                let victim = try scene.folder.hostile("subscribe", "stage-\(stage)")
                try await victim.line("at-stage")
                if stage != "connect" { try await scene.others(1) }
                victim.kill(SIGKILL)
                try await scene.others(0)
            }
        }

        @Test("Subscribers killed at any moment cost the camera and the others no frame")
        func anyMoment() async throws {
            try await FaultScene.run("slots=96") { scene in
                var moments = SystemRandomNumberGenerator()
                for round in 0..<24 {
                    let policy = ["latest", "queue:3", "queue:8"][round % 3]
                    let victim = try scene.folder.startSubscriber("policy=\(policy)", "spin=\(round % 5 == 0 ? 1 : 0)")
                    // From before it has connected to the middle of its work.
                    try await Task.sleep(for: .milliseconds(Int.random(in: 5...90, using: &moments)))
                    victim.kill(SIGKILL)
                }
                try await scene.others(0)
            }
        }

        @Test("A killed publisher is noticed by sleeping, spinning and holding subscribers; frames stay whole")
        func publisherKilled() async throws {
            let folder = try PeerFolder()
            let publisher = try await folder.publisher()
            let sleeping = try await folder.subscriber("policy=queue:8")
            let spinning = try await folder.subscriber("policy=latest", "spin")
            let waiting = try await folder.subscriber("policy=latest", "behaviour=wait")
            let holding = try await folder.subscriber("policy=queue:4", "behaviour=hold", "count=3")
            try await holding.line("holding")
            publisher.kill(SIGKILL)
            for subscriber in [sleeping, spinning, waiting] {
                let over = try await subscriber.line("over")
                #expect(over.kind == "publisherLost", "\(over)")
                let seen = try await subscriber.report()
                #expect(try seen["bad"] == 0)
            }
            let checked = try await holding.ask("check", "checked")
            #expect(try checked["intact"] == 3 && checked["changed"] == 0)
            holding.send("go-on")
            #expect(try await holding.line("over").kind == "publisherLost")
            #expect(try await holding.ask("check", "checked")["intact"] == 3)
        }

        @Test("A killed publisher can be started again, and subscribers find it by themselves")
        func publisherStartedAgain() async throws {
            let folder = try PeerFolder()
            let first = try await folder.publisher()
            let faithful = try await folder.subscriber("policy=queue:8", "reconnect")
            while try await faithful.report()["delivered"] == 0 {}
            first.kill(SIGKILL)
            #expect(try await first.exit() == -SIGKILL)
            // The socket file of the dead one is still there: nobody listens behind it.
            #expect(folder.files.contains("camera.sock"))
            let lost = try folder.startSubscriber()
            #expect(try await lost.line("failed").kind == "noSuchChannel")
            let second = try await folder.publisher()
            while try await faithful.report()["connections"] < 2 { try await Task.sleep(for: .milliseconds(5)) }
            let delivered = try await faithful.report()["delivered"]
            while try await faithful.report()["delivered"] < delivered + 20 {}
            let seen = try await faithful.report()
            #expect(try seen["bad"] == 0)
            try await second.ask("close", "closed")
            #expect(folder.files == [])
        }
    }
}
