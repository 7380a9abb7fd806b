import Glibc
import PeerTesting
import Testing

extension FaultTests {
    @Suite("Many subscribers")
    struct ManySubscribers {
        @Test("64 subscriber processes at once all get frames, and all can be killed at once")
        func sixtyFour() async throws {
            try await FaultScene.run("rate=60", "slots=200") { scene in
                let crowd = try (0..<64).map { number in
                    try scene.folder.startSubscriber(number % 2 == 0 ? "policy=latest" : "policy=queue:2")
                }
                for peer in crowd { try await peer.line("attached") }
                try await scene.others(64)
                for peer in crowd {
                    while try await peer.report()["delivered"] < 10 {}
                    #expect(try await peer.report()["bad"] == 0)
                }
                for peer in crowd { peer.kill(SIGKILL) }
                try await scene.others(0)
            }
        }

        @Test("Reservations beyond the pool are refused with the arithmetic")
        func reservations() async throws {
            try await FaultScene.run { scene in
                // 96 slots: 65 are reserved for the good one, one is the source's.
                let first = try await scene.folder.subscriber("policy=every-frame", "budget=29")
                let second = try scene.folder.startSubscriber("policy=queue:2", "reserve")
                let failed = try await second.line("failed")
                #expect(failed.kind == "refused" && failed.description.contains("so 1 are left"), "\(failed)")
                let third = try await scene.folder.subscriber("policy=latest", "budget=1", "reserve")
                let fourth = try scene.folder.startSubscriber("policy=latest")
                #expect(try await fourth.line("failed").description.contains("no slot is left to share"))
                while try await first.report()["delivered"] < 5 {}
                while try await third.report()["delivered"] < 5 {}
            }
        }
    }
}
