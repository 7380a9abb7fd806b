import Glibc
import PeerTesting
import Testing

extension FaultTests {
    @Suite("Bad messages")
    struct BadMessages {
        /// A message and a part of the reason that its sender is given.
        static let beforeJoining = [
            ("garbage", "does not speak FrameShare"),
            ("much-garbage", "does not speak FrameShare"),
            ("one-byte", "does not speak FrameShare"),
            ("cut-header", "does not speak FrameShare"),
            ("header-only", "malformed"),
            ("cut-hello", "malformed"),
            ("hello-and-more", "100 bytes too many"),
            ("too-long", "too long"),
            ("size-too-large", "malformed"), ("size-largest", "malformed"), ("size-0", "malformed"),
            (
                "version",
                "this publisher speaks protocol 3.2, the program 99.0: this publisher is older; update it"
            ),
            ("older-major", "this publisher speaks protocol 3.2, the program 2.0: the program is older; update it"),
            ("unknown-type", "unknown type 999"),
            ("newer-type-at-first", "the program 3.7: this publisher is older; update it"),
            ("newer-policy", "unknown policy 9; this publisher speaks protocol 3.2, the program 3.7"),
            ("out-of-turn", "out of turn"),
            ("publishers-message", "out of turn"),
            ("unknown-role", "unknown role"),
            ("unknown-policy", "unknown policy"),
            ("truth-value-2", "truth value 2"),
            ("depth-0", "queue of 0"),
            ("depth-above-budget", "does not fit a budget"),
            ("huge-depth", "is not in"),
            ("negative-depth", "is not in"),
            ("budget-0", "budget of 0"),
            ("negative-budget", "is not in"),
            ("whole-pool", "slots"),
            ("name-not-utf8", "UTF-8"),
            ("name-past-the-end", "too short"),
            ("streams-past-the-end", "too short"),
            ("255-streams", "255 streams"),
            ("stream-unknown", "no stream '../../etc/passwd'"),
            ("descriptors", "descriptors"),
            ("253-descriptors", "descriptors"),
            ("garbage-with-descriptors", "descriptors"),
        ]

        @Test(
            "Garbage, messages too short or too long, wrong versions, sizes and unasked descriptors are refused with the reason"
        )
        func beforeJoining() async throws {
            try await FaultScene.run { scene in
                for (behaviour, reason) in Self.beforeJoining {
                    let peer = try scene.folder.hostile("subscribe", behaviour)
                    let refused = try await peer.line("refused")
                    #expect(refused.description.contains(reason), "\(behaviour): \(refused)")
                    try await peer.line("hung-up")
                }
            }
        }

        @Test("An empty message ends its sender's connection")
        func empty() async throws {
            try await FaultScene.run { scene in
                try await scene.folder.hostile("subscribe", "empty").line("hung-up")
            }
        }

        @Test("A subscriber that breaks the protocol after it was let in is disconnected with the reason")
        func afterJoining() async throws {
            let cases = [
                ("hello-twice", "out of turn"), ("joined-garbage", "does not speak FrameShare"),
                ("joined-too-long", "too long"), ("joined-descriptors", "descriptors"),
                ("joined-statistics", "out of turn"), ("joined-unknown-type", "unknown type 999"),
                ("joined-newer-type-with-descriptors", "unknown type 999"),
            ]
            try await FaultScene.run { scene in
                for (behaviour, reason) in cases {
                    let peer = try scene.folder.hostile("subscribe", behaviour)
                    let ended = try await peer.line("ended")
                    #expect(ended.description.contains(reason), "\(behaviour): \(ended)")
                    try await peer.line("hung-up")
                }
            }
        }

        @Test("Floods of messages, of connections, and of questions whose answers nobody reads disturb nobody")
        func floods() async throws {
            try await FaultScene.run { scene in
                // In before the flood of connections: that may keep newcomers of its user out for a moment.
                let messages = try scene.folder.hostile("subscribe", "flood", "100000")
                try await messages.line("attached")
                let connections = try scene.folder.hostile("subscribe", "connect-and-go", "1000")
                let questions = try scene.folder.hostile("subscribe", "ask-and-never-read")
                try await messages.line("done")
                try await connections.line("done")
                try await questions.line("hung-up")
                // While the flood goes on there is room for a subscriber.
                let other = try await scene.folder.subscriber("policy=latest")
                while try await other.report()["delivered"] < 5 {}
            }
        }
    }
}
