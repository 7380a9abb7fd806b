import FrameShare
import Glibc
import PeerTesting
import Testing

extension FaultTests {
    /// What a reader of another user can do with the memory and the descriptors that it was given.
    @Suite("Users that can't be trusted with each other's sleep")
    struct SharedSleep {
        private static let isRoot = geteuid() == 0
        private static let whyNot: Comment = "only root can start processes of other users"
        private static let (honest, hostile) = ("uid=4711", "uid=4712")

        @Test(
            "A reader that wakes, moves and blocks every sleeper it can reach costs another user's readers no frame and no sleep",
            .enabled(if: isRoot, whyNot),
            arguments: ["move-sleepers", "block-sleepers"]
        )
        func sleep(behaviour: String) async throws {
            let folder = try PeerFolder()
            var options = Publisher.Options()
            options.directory = ChannelDirectory(path: folder.path)
            options.access.mode = 0o666
            let publisher = try Publisher(channel: "camera", streams: ["main": .small], slots: 24, options: options)
            // No sleep of theirs ends by its time: a wake-up that went astray would be waited for for ever.
            var readers: [PeerProcess] = []
            for user in ["uid=\(getuid())", Self.honest, Self.honest] {
                readers.append(
                    try await folder.subscriber("policy=queue:2", "behaviour=lines", "untimed", "name=honest", user)
                )
            }
            let attacker = try folder.hostile("subscribe", behaviour, "0", Self.hostile)
            try await attacker.line("attached")
            let frames = 300
            for number in 1...frames {
                for reader in readers { try await reader.becomes("S") }
                try publisher.send(UInt8(number & 0xff))
                // The next one comes once all have this one: no later wake-up stands in for one that was lost.
                for reader in readers { try await reader.line("frame") }
            }
            if behaviour == "move-sleepers" {
                attacker.kill(SIGUSR1)
                let report = try await attacker.line("sleepers")
                try #expect(report["rounds"] > 0 && report["reached"] == 0, "\(report)")
                // One of the same user does reach them: so it would every reader, had they a word in common.
                let fellow = try folder.hostile("subscribe", behaviour, "0", Self.honest)
                try await fellow.line("attached")
                repeat { fellow.kill(SIGUSR1) } while try await fellow.line("sleepers")["reached"] < 2
            }
        }

        @Test("Each user that subscribes has a wake page, as long as it subscribes", .enabled(if: isRoot, whyNot))
        func pages() async throws {
            let folder = try PeerFolder()
            let name = "camera-\(folder.path.suffix(6))"
            var options = Publisher.Options()
            options.directory = ChannelDirectory(path: folder.path)
            options.access.mode = 0o666
            let publisher = try Publisher(channel: name, streams: ["main": .small], slots: 100, options: options)
            let before = TestChannel.descriptors(of: name)
            func pages() -> Int { TestChannel.descriptors(of: name, ":wake") }
            #expect(pages() == 0)
            // Two subscribers of one user share its page; those that the kernel has no user for share with nobody.
            for (users, count) in [([4711, 4712, 4711, 4713], 3), ([65534, 65534], 2), ([4711], 1)] {
                for _ in 0..<2 {
                    var peers: [PeerProcess] = []
                    for user in users {
                        let peer = try folder.hostile("subscribe", "stage-buffers", "0", "uid=\(user)", channel: name)
                        try await peer.line("at-stage")
                        peers.append(peer)
                    }
                    #expect(pages() == count)
                    // The first one goes: what it shared stays.
                    peers.removeFirst()
                    try await eventually { publisher.statistics.subscribers.count == peers.count }
                    #expect(pages() == (users.first == 4711 && users.count > 1 ? count : count - 1))
                    peers = []
                    try await eventually { pages() == 0 }
                }
            }
            // Many users, one after the other and refused ones among them, leave nothing.
            for user in 5000..<5040 {
                let behaviour = ["stage-welcome", "stage-buffers", "joined-garbage", "whole-pool"][user % 4]
                let peer = try folder.hostile("subscribe", behaviour, "0", "uid=\(user)", channel: name)
                try await peer.line(user % 4 < 2 ? "at-stage" : "hung-up")
                #expect(pages() <= 1)
                if user % 8 < 4 { peer.kill(9) }
            }
            try await eventually { TestChannel.descriptors(of: name) == before }
        }

        @Test(
            "Every call that the kernel allows on a page or descriptor that a reader was given harms nobody else",
            .enabled(if: isRoot, whyNot)
        )
        func calls() async throws {
            try await FaultScene.run("mode=666") { scene in
                let other = try await scene.folder.subscriber(Self.honest, "policy=queue:8", "name=other")
                let peer = try scene.folder.hostile("subscribe", "every-call", "0", Self.hostile)
                try await peer.line("attached")
                var tried = 0
                var done: Report?
                while done == nil, let line = try await peer.nextLine() {
                    #expect(!line.hasPrefix("FORBIDDEN"), "\(line)")
                    if line.hasPrefix("tried ") { tried += 1 }
                    if line.hasPrefix("done ") { done = Report(line) }
                }
                let report = try #require(done)
                try #expect(report["tried"] == tried && tried > 1000 && report["forbidden"] == 0, "\(report)")
                // With all that it left behind (locks, flags, owners of signals): newcomers, and new memory.
                try await scene.publishMore(20)
                let late = try await scene.folder.subscriber(Self.honest, "policy=queue:8", "name=late")
                while try await late.report()["delivered"] < 5 { try await Task.sleep(for: .milliseconds(5)) }
                try await scene.publisher.ask("reconfigure 96 160 120", "reconfigured")
                try await scene.publishMore(20)
                for reader in [other, late] {
                    let report = try await reader.report()
                    try #expect(report["bad"] == 0 && report["delivered"] > 0, "\(report)")
                    reader.kill(9)
                }
                peer.kill(9)
                try await scene.others(0)
            }
        }
    }
}
