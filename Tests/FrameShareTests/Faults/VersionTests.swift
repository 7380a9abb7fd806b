import PeerTesting
import Testing

extension FaultTests {
    @Suite("Peers of other versions")
    struct Versions {
        @Test("A publisher of a newer minor version, with longer messages and pages, is read, pixels and metadata")
        func newerPublisher() async throws {
            let folder = try PeerFolder()
            let publisher = try folder.hostile("publish", "newer")
            try await publisher.line("listening")
            let subscriber = try await folder.subscriber("policy=queue:4")
            // It waits for each slot to be given back before it fills it again.
            try await publisher.line("published")
            while try await subscriber.report()["delivered"] < 100 {}
            let report = try await subscriber.report()
            try #expect(report["bad"] == 0 && report["gaps"] == 0 && report["last"] == 99, "\(report)")
            publisher.kill(9)
            #expect(try await subscriber.line("over").kind == "publisherLost")
        }

        @Test("A subscriber of a newer minor version, which says more than the publisher knows, gets its frames")
        func newerSubscriber() async throws {
            try await FaultScene.run { scene in
                let peer = try scene.folder.hostile("subscribe", "newer", "50")
                try await peer.line("attached")
                try await peer.line("took")
            }
        }

        @Test("A subscriber of 3.0, which can't take slots that share a descriptor, is told so, and who is older")
        func olderSubscriber() async throws {
            try await FaultScene.run { scene in
                let peer = try scene.folder.hostile("subscribe", "older-minor")
                let refused = try await peer.line("refused")
                let words =
                    "takes protocol 3.1; the publisher speaks protocol 3.2, the program 3.0: the program is older; update it"
                #expect(refused.description.contains(words), "\(refused)")
                try await peer.line("hung-up")
            }
        }

        @Test(
            "A publisher of another major version, or its pages, are refused, and the reader says who is older",
            arguments: [
                ("version", "this program speaks protocol 3.2, the publisher 1.0: the publisher is older; update it"),
                ("newer-major", "program speaks protocol 3.2, the publisher 4.0: this program is older; update it"),
                ("page-major", "the publisher 4.0: this program is older"),
                ("wake-major", "the publisher 4.0: this program is older"),
                ("table-major", "the publisher 4.0: this program is older"),
            ]
        )
        func otherMajor(behaviour: String, words: String) async throws {
            let folder = try PeerFolder()
            let publisher = try folder.hostile("publish", behaviour)
            try await publisher.line("listening")
            let outcome = try await folder.startSubscriber("behaviour=probe", "timeout=10000").line("probed")
            #expect(outcome.kind == "versionMismatch" && outcome.description.contains(words), "\(outcome)")
        }
    }
}
