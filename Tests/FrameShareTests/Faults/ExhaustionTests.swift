import Glibc
import PeerTesting
import Testing

extension FaultTests {
    @Suite("Out of descriptors and memory")
    struct Exhaustion {
        @Test("A publisher that can't open descriptors says so, and leaves no file", arguments: 0...9)
        func publisherStarts(left: Int) async throws {
            let folder = try PeerFolder()
            let publisher = try folder.startPublisher("limit-descriptors=\(left)", "slots=4")
            let failed = try await publisher.line("failed")
            #expect(failed.description.contains("descriptors"), "\(left) left: \(failed)")
            #expect(try await publisher.exit() == 3)
            #expect(folder.files == [], "\(left) left")
        }

        @Test("A publisher out of descriptors refuses newcomers with the reason, serves the others, and recovers")
        func publisherRunsOut() async throws {
            try await FaultScene.run { scene in
                for left in 0...1 {
                    try await scene.publisher.ask("limit-descriptors \(left)", "limited")
                    for _ in 0..<3 {
                        let newcomer = try scene.folder.startSubscriber()
                        let failed = try await newcomer.line("failed")
                        #expect(failed.kind == "refused" && failed.description.contains("descriptors"), "\(failed)")
                    }
                    let failed = try await scene.publisher.ask("reconfigure 96 160 120", "failed")
                    #expect(failed.description.contains("descriptors"), "\(failed)")
                    try await scene.publishMore(20)
                }
                try await scene.publisher.ask("limit-descriptors", "limited")
                let newcomer = try await scene.folder.subscriber()
                while try await newcomer.report()["delivered"] < 3 {}
            }
        }

        @Test(
            "A subscriber that runs out of descriptors while it connects says so, closes all, and can try again",
            arguments: 0...3
        )
        func subscriber(left: Int) async throws {
            try await FaultScene.run { scene in
                let starved = try scene.folder.startSubscriber("starve=\(left)", "policy=queue:2")
                let outcome = try await starved.line("starved")
                #expect(outcome.kind == "outOfDescriptors", "\(outcome)")
                let before = try await starved.line("before")
                let after = try await starved.line("after")
                try #expect(after["fds"] == before["fds"] && after["maps"] == before["maps"], "\(before) \(after)")
                try await starved.line("attached")
                while try await starved.report()["delivered"] < 3 {}
            }
        }

        @Test("A pool that can't fit is refused before anything is allocated, and the old one goes on")
        func poolTooLarge() async throws {
            let folder = try PeerFolder()
            let publisher = try folder.startPublisher("slots=1024", "width=65536", "height=65536")
            let failed = try await publisher.line("failed")
            #expect(failed.kind == "memory.doesNotFit", "\(failed)")
            #expect(folder.files == [])
            try await FaultScene.run { scene in
                let failed = try await scene.publisher.ask("reconfigure 1024 65536 65536", "failed")
                #expect(failed.kind == "memory.doesNotFit", "\(failed)")
                try await scene.publishMore(20)
            }
        }

        /// The sanitizers' shadow memory leaves no room for a limit.
        static let sanitized = dlsym(nil, "__asan_init") != nil || dlsym(nil, "__tsan_init") != nil

        @Test(
            "Memory that runs out in the middle of an allocation is given back, and the old pool goes on",
            .enabled(if: !sanitized, "a sanitizer maps terabytes")
        )
        func poolRunsOut() async throws {
            try await FaultScene.run { scene in
                try await scene.publisher.ask("limit-memory 33554432", "limited")
                let failed = try await scene.publisher.ask("reconfigure 96 1024 1024", "failed")
                #expect(failed.kind == "memory.call" && failed.description.contains("mmap"), "\(failed)")
                try await scene.publisherSays("nothing kept") { try $0["maps"] == scene.before["maps"] }
                try await scene.publishMore(20)
                try await scene.publisher.ask("limit-memory", "limited")
                try await scene.publisher.ask("reconfigure 96 320 240", "reconfigured")
                try await scene.publishMore(20)
                try await scene.publisher.ask("reconfigure 96 160 120", "reconfigured")
            }
        }
    }
}
