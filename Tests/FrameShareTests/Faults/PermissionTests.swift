import Glibc
import PeerTesting
import Testing

extension FaultTests {
    @Suite("Permissions")
    struct Permissions {
        static let isRoot = geteuid() == 0
        static let whyNot: Comment = "only root can start a process of another user"
        /// Nobody.
        static let other = "uid=65534"

        @Test("Another user is kept out by the socket's mode", .enabled(if: isRoot, whyNot))
        func socketMode() async throws {
            try await FaultScene.run { scene in
                let stranger = try scene.folder.startSubscriber(Self.other)
                let failed = try await stranger.line("failed")
                #expect(failed.kind == "notAllowed", "\(failed)")
            }
        }

        @Test(
            "The list of allowed users keeps others out and lets those in who are on it",
            .enabled(if: isRoot, whyNot)
        )
        func allowedUsers() async throws {
            try await FaultScene.run("mode=666", "users=4711,4712") { scene in
                let stranger = try scene.folder.startSubscriber(Self.other)
                let failed = try await stranger.line("failed")
                #expect(failed.kind == "refused" && failed.description.contains("65534"), "\(failed)")
                let listed = try await scene.folder.subscriber("uid=4711")
                while try await listed.report()["delivered"] < 3 {}
            }
        }

        @Test("Another user can't publish under a name in a folder that is not its own", .enabled(if: isRoot, whyNot))
        func foreignFolder() async throws {
            try await FaultScene.run { scene in
                for channel in ["camera", "fresh"] {
                    let stranger = try scene.folder.startPublisher(Self.other, channel: channel)
                    let failed = try await stranger.line("failed")
                    #expect(["directory", "channelInUse"].contains(failed.kind), "\(failed)")
                }
            }
        }

        @Test(
            "Who may read can write neither pixels nor tables: the kernel refuses every way",
            arguments: [true, false]
        )
        func writeAttack(sameUser: Bool) async throws {
            guard sameUser || Self.isRoot else {
                print("skipped for another user: \(Self.whyNot)")
                return
            }
            try await FaultScene.run("mode=666") { scene in
                let attacker =
                    sameUser
                    ? try scene.folder.hostile("attack") : try scene.folder.hostile("attack", Self.other)
                let attached = try await attacker.line("attached")
                try #expect(attached["user"] == (sameUser ? Int(getuid()) : 65534))
                var attempts = 0
                while let line = try await attacker.nextLine(), line != "done" {
                    #expect(line.hasPrefix("attempt") && !line.contains("SUCCEEDED"), "\(line)")
                    attempts += 1
                }
                // Three buffers, the frame table and the channel page in ten ways or more each, and the lane's size.
                #expect(attempts >= 50)
                #expect(try await attacker.exit() == 0)
            }
        }
    }
}
