import Glibc
import PeerTesting
import Testing

extension FaultTests {
    @Suite("System calls in steady state")
    struct SteadyStateCalls {
        static let strace: String? = ["/usr/bin/strace", "/usr/local/bin/strace"].first { access($0, X_OK) == 0 }
        static let whyNot: Comment = "strace is not installed (Debian package strace)"

        /// How often each call was made between the two marks in a trace.
        private func calls(_ path: String) -> [String: Int] {
            var counts: [String: Int] = [:]
            var between = false
            for line in readFile(path).split(separator: "\n") {
                if line.contains("steady-begins") {
                    between = true
                } else if line.contains("steady-ends") {
                    between = false
                } else if between, !line.contains("<... "), let end = line.firstIndex(of: "(") {
                    // "1234 futex(0x7f…": a call that was begun; its resumption is not counted again.
                    let name = line[..<end].split(separator: " ").last.map(String.init) ?? ""
                    counts[name, default: 0] += 1
                }
            }
            return counts
        }

        /// Runs a publisher and a subscriber below strace and returns the calls of both for `frames` frames.
        private func trace(
            frames: Int,
            spinning: Bool
        ) async throws -> (publisher: [String: Int], subscriber: [String: Int]) {
            let strace = try #require(Self.strace)
            let folder = try PeerFolder()
            let (first, second) = (folder.path + "/publisher.trace", folder.path + "/subscriber.trace")
            let publisher = try folder.startPublisher("paused", below: [strace, "-f", "-o", first])
            try await publisher.line("publishing")
            let subscriber = try folder.startSubscriber(
                "policy=queue:64",
                "behaviour=steady",
                "count=\(frames)",
                "spin=\(spinning ? 1 : 0)",
                below: [strace, "-f", "-o", second]
            )
            try await subscriber.line("attached")
            // More than the subscriber counts, so that both are in the middle of it.
            publisher.send("steady \(frames + 60) \(spinning ? "spinning" : "sleeping")")
            try await subscriber.line("steady-ends")
            try await publisher.line("steady-ends")
            publisher.send("close")
            try await publisher.line("closed")
            return (calls(first), calls(second))
        }

        @Test(
            "A publisher and a sleeping subscriber make no call for a frame but the wake-up and the wait for it",
            .enabled(if: strace != nil, whyNot)
        )
        func sleeping() async throws {
            let frames = 300
            let (publisher, subscriber) = try await trace(frames: frames, spinning: false)
            // They do sleep; on a busy machine several frames are there when they wake.
            #expect(publisher["futex", default: 0] > frames / 10, "\(publisher)")
            #expect(publisher["futex", default: 0] <= frames + 60, "\(publisher)")
            #expect(subscriber["futex", default: 0] > frames / 10, "\(subscriber)")
            // A wait may be begun twice for a frame when one is offered as it falls asleep.
            #expect(subscriber["futex", default: 0] <= 2 * frames, "\(subscriber)")
            // The source's own clock; and now and then a look at the control socket.
            let others = publisher.merging(subscriber, uniquingKeysWith: +).filter {
                !["futex", "clock_nanosleep"].contains($0.key)
            }
            for (call, count) in others { #expect(count < frames / 10, "\(call): \(count) in \(frames) frames") }
        }

        @Test("While both sides are awake no calls are made at all", .enabled(if: strace != nil, whyNot))
        func awake() async throws {
            let frames = 300
            let (publisher, subscriber) = try await trace(frames: frames, spinning: true)
            for (call, count) in publisher.merging(subscriber, uniquingKeysWith: +) {
                #expect(count < frames / 10, "\(call): \(count) in \(frames) frames")
            }
        }
    }
}
