import Glibc
import PeerTesting
import Testing

extension FaultTests {
    @Suite("Names")
    struct Names {
        @Test(
            "A name with a slash, an empty, hidden or too long one, is refused on both sides and leaves no file",
            arguments: [
                "a/b", "../camera", "/tmp/camera", "", ".hidden", "white space", String(repeating: "x", count: 65),
            ]
        )
        func badName(name: String) async throws {
            let folder = try PeerFolder()
            let publisher = try folder.startPublisher(channel: name)
            #expect(try await publisher.line("failed").kind == "badChannelName")
            #expect(try await publisher.exit() == 3)
            let subscriber = try folder.startSubscriber(channel: name)
            #expect(try await subscriber.line("failed").kind == "badChannelName")
            #expect(folder.files == [])
        }

        @Test("A name that makes the socket's path longer than the kernel's limit is refused with the path")
        func longPath() async throws {
            let folder = try PeerFolder()
            let deep = folder.path + "/" + String(repeating: "d", count: 40)
            let name = String(repeating: "x", count: 60)
            let command = PeerProcess.besideTests("frameshare-test-peer")
            for role in ["publish", "subscribe"] {
                let peer = try PeerProcess([command, role, deep, name])
                let failed = try await peer.line("failed")
                #expect(failed.kind == "pathTooLong" && failed.description.contains(deep), "\(failed)")
            }
            #expect(folder.files == [])
        }

        @Test("A name in use is refused to a second publisher, and the first notices nothing")
        func inUse() async throws {
            try await FaultScene.run { scene in
                for _ in 0..<3 {
                    let second = try scene.folder.startPublisher()
                    let failed = try await second.line("failed")
                    #expect(failed.kind == "channelInUse" && failed.description.contains("camera"), "\(failed)")
                }
                let other = try await scene.folder.subscriber()
                while try await other.report()["delivered"] < 3 {}
            }
        }

        @Test("Of publishers that start at once under one name exactly one gets it")
        func race() async throws {
            let folder = try PeerFolder()
            let all = try (0..<6).map { _ in try folder.startPublisher() }
            var winners = 0
            for publisher in all {
                let line = try await publisher.nextLine() ?? ""
                if line.hasPrefix("publishing") { winners += 1 }
                #expect(line.hasPrefix("publishing") || line.hasPrefix("failed channelInUse"), "\(line)")
            }
            #expect(winners == 1)
            let subscriber = try await folder.subscriber()
            while try await subscriber.report()["delivered"] < 3 {}
        }

        @Test("A socket file that a dead publisher left is replaced, with or without its lock file")
        func staleSocket() async throws {
            let folder = try PeerFolder()
            for keepLock in [true, false] {
                let dead = try await folder.publisher("paused")
                dead.kill(SIGKILL)
                try await dead.exit()
                #expect(folder.files == ["camera.sock", "camera.sock.lock"])
                if !keepLock { unlink(folder.socket() + ".lock") }
                let publisher = try await folder.publisher()
                let subscriber = try await folder.subscriber()
                while try await subscriber.report()["delivered"] < 3 {}
                try await publisher.ask("close", "closed")
                #expect(try await subscriber.line("over").kind == "closed")
                #expect(folder.files == [])
            }
        }

        @Test("A channel that is not there is told from a folder that is not there, and neither is waited for")
        func nobody() async throws {
            let folder = try PeerFolder()
            let subscriber = try folder.startSubscriber()
            let failed = try await subscriber.line("failed")
            #expect(failed.kind == "noSuchChannel" && failed.description.contains(folder.socket()), "\(failed)")
            let peer = try PeerProcess(
                [PeerProcess.besideTests("frameshare-test-peer"), "subscribe", folder.path + "/none", "camera"])
            #expect(try await peer.line("failed").kind == "noSuchChannel")
        }
    }
}
