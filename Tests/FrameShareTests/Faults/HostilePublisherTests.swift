import PeerTesting
import Testing

extension FaultTests {
    @Suite("Publishers that can't be trusted")
    struct HostilePublishers {
        /// Connects to a publisher of one behaviour and touches all that it gives. Whatever that is, the subscriber must
        /// end with an error of its own, and with its descriptors and mappings where they were.
        private func probe(_ behaviour: String, timeout: Int = 10_000) async throws -> Report {
            let folder = try PeerFolder()
            let publisher = try folder.hostile("publish", behaviour)
            try await publisher.line("listening")
            let subscriber = try folder.startSubscriber("behaviour=probe", "timeout=\(timeout)")
            let outcome = try await subscriber.line("probed")
            let before = try await subscriber.line("before")
            let after = try await subscriber.line("after")
            try #expect(after["fds"] == before["fds"], "\(behaviour): descriptors leak: \(before) \(after)")
            try #expect(after["maps"] == before["maps"], "\(behaviour): mappings leak: \(before) \(after)")
            #expect(try await subscriber.exit() == 0)
            return outcome
        }

        @Test(
            "A publisher by hand that keeps all rules is read: the others here are refused for their faults alone",
            arguments: ["frames-good", "frames-good-after-making-way"]
        )
        func good(behaviour: String) async throws {
            let folder = try PeerFolder()
            let publisher = try folder.hostile("publish", behaviour)
            try await publisher.line("listening")
            let subscriber = try folder.startSubscriber("behaviour=probe", "policy=queue:4")
            try await subscriber.line("first-frame")
            #expect(try await subscriber.line("probed").kind == "publisherLost")
        }

        @Test(
            "Memory that is unsealed, too small, sparse, a plain file or a pipe is refused before it is mapped",
            arguments: [
                ("page-unsealed", "memory.notSealed"), ("page-small", "memory.tooSmall"),
                ("page-file", "memory.not"), ("page-pipe", "memory.notMemfd"),
                ("wake-unsealed", "memory.notSealed"), ("wake-small", "memory.tooSmall"),
                ("wake-file", "memory.not"), ("wake-pipe", "memory.notMemfd"),
                ("table-unsealed", "memory.notSealed"), ("table-small", "memory.tooSmall"),
                ("table-file", "memory.not"), ("table-pipe", "memory.notMemfd"),
                ("lane-unsealed", "memory.notSealed"), ("lane-small", "memory.tooSmall"),
                ("lane-file", "memory.not"), ("lane-pipe", "memory.notMemfd"),
                ("buffer-unsealed", "memory.notSealed"), ("buffer-small", "memory.tooSmall"),
                ("buffer-file", "memory.not"), ("buffer-pipe", "memory.notMemfd"),
                ("buffer-size-lie", "memory.tooSmall"), ("buffer-called-dma-buf", "memory.notDMABuf"),
                ("lane-size-lie", "memory.tooSmall"), ("table-header-lie", "memory.tooSmall"),
                ("table-sparse", "memory.sparse"), ("lane-sparse", "memory.sparse"),
                ("buffer-sparse", "memory.sparse"),
                ("places-unsealed", "memory.notSealed"), ("places-small", "memory.tooSmall"),
                ("places-file", "memory.not"), ("places-pipe", "memory.notMemfd"), ("places-sparse", "memory.sparse"),
                ("places-offset-beyond", "memory.tooSmall"), ("places-offset-huge", "memory.tooSmall"),
                ("places-stride-beyond", "memory.tooSmall"), ("places-stride-huge", "memory.tooSmall"),
            ]
        )
        func badMemory(behaviour: String, error: String) async throws {
            let outcome = try await probe(behaviour)
            #expect(outcome.kind.hasPrefix(error), "\(behaviour): \(outcome)")
        }

        @Test(
            "Too few or too many descriptors, and buffers that belong nowhere, are refused and all closed",
            arguments: [
                "page-none", "wake-none", "generation-no-descriptors", "generation-one-descriptor", "buffers-too-few",
                "buffers-too-many", "buffers-none", "buffers-count-lie", "buffers-first", "buffers-first-negative",
                "buffers-of-another-generation", "buffers-early", "welcome-twice",
                "places-none", "places-too-many", "places-twice", "places-after-buffers",
                "places-of-another-generation",
                "places-descriptors-0", "places-descriptors-2", "places-descriptors-huge",
            ]
        )
        func badDescriptors(behaviour: String) async throws {
            let outcome = try await probe(behaviour)
            #expect(outcome.kind == "protocolViolation", "\(behaviour): \(outcome)")
        }

        @Test(
            "Messages and layouts that can't be are refused",
            arguments: [
                "type", "welcome-short", "welcome-long", "welcome-garbage", "welcome-size", "welcome-size-largest",
                "page-magic", "wake-magic", "table-magic", "page-says-small", "wake-says-small", "table-says-small",
                "newer-type-at-first", "generation-short", "depth-max", "stream-size-0", "stream-size-largest",
                "streams-65535", "lane-size-small", "lane-size-huge", "table-header-small", "table-header-huge",
                "table-header-unaligned", "record-small", "record-huge", "record-unaligned", "record-of-its-stride",
                "generation-long", "slots-0", "slots-million", "slots-negative", "depth-0", "depth-million",
                "copies-all", "copies-million", "copies-negative", "copies-protection-unknown",
                "records-overlap", "records-unaligned", "records-huge", "metadata-huge", "streams-0", "streams-9",
                "stream-bad-name", "stream-index", "width-0", "width-huge", "height-taller", "colour-unknown",
                "planes-0", "planes-5", "plane-offset", "plane-offset-huge", "plane-offset-negative", "stride-small",
                "plane-size", "plane-size-huge", "plane-buffer", "memory-unknown", "buffers-0", "buffers-2",
                "buffer-size-0", "places-short",
                "places-streams-0", "places-streams-2", "places-buffers-0", "places-buffers-2", "places-runs-0",
                "places-runs-2", "places-runs-1025", "places-slots-0", "places-slots-3", "places-slots-huge",
                "places-descriptor-1", "places-descriptor-negative", "places-step-1", "places-step-huge",
                "places-offset-largest", "places-offset-negative", "places-offset-unaligned",
                "places-stride-largest", "places-stride-negative", "places-stride-unaligned",
            ]
        )
        func badMessages(behaviour: String) async throws {
            let outcome = try await probe(behaviour)
            #expect(outcome.kind == "protocolViolation", "\(behaviour): \(outcome)")
        }

        @Test(
            "A publisher that says nothing, nothing of use, stops half-way or hangs up ends the attempt to connect",
            arguments: [
                ("silent", "handshakeTimeout"), ("buffers-never", "handshakeTimeout"),
                ("wakes-for-ever", "handshakeTimeout"), ("make-way-for-ever", "handshakeTimeout"),
                ("hang-up", "publisherLost"),
                ("hang-up-after-hello", "publisherLost"), ("hang-up-before-buffers", "publisherLost"),
                ("refuse-at-length", "refused"),
            ]
        )
        func unfinished(behaviour: String, error: String) async throws {
            let outcome = try await probe(behaviour, timeout: error == "handshakeTimeout" ? 200 : 10_000)
            #expect(outcome.kind == error, "\(behaviour): \(outcome)")
        }

        @Test(
            "Whatever a publisher writes into frame table, lane, channel page and wake page, its reader ends with an error, not a crash",
            arguments: [
                "record-random", "record-times-smallest", "record-times-largest", "tickets-out-of-range",
                "tickets-random", "offered-backward", "offered-largest", "offered-random", "page-random",
                "wake-random",
            ]
        )
        func lyingMemory(behaviour: String) async throws {
            let outcome = try await probe(behaviour)
            #expect(
                ["publisherLost", "sourceFailed", "closed", "fine"].contains(outcome.kind),
                "\(behaviour): \(outcome)"
            )
        }

        @Test(
            "Floods of messages and of generations neither hold a reader up nor grow in it, nor do holes in its frames",
            arguments: [
                ("storm-generations", ["protocolViolation", "publisherLost"]),
                ("frames-and-generations", ["publisherLost"]),
                ("frames-and-wakes", ["publisherLost"]), ("frames-in-holes", ["publisherLost"]),
            ]
        )
        func floods(behaviour: String, errors: [String]) async throws {
            let outcome = try await probe(behaviour)
            #expect(errors.contains(outcome.kind), "\(behaviour): \(outcome)")
        }

        @Test(
            "More of what is right, or descriptors beyond those wanted, are borne: all are closed",
            arguments: ["welcome-250-descriptors", "generation-twice"]
        )
        func tooMuch(behaviour: String) async throws {
            let folder = try PeerFolder()
            let publisher = try folder.hostile("publish", behaviour)
            try await publisher.line("listening")
            let subscriber = try await folder.subscriber("behaviour=verify")
            // 3 standard ones, the socket, and 4 buffers; once it has slept, what the watching thread has.
            let most = try await subscriber.report()["fds"]
            #expect(most == 8 || most == 10)
            publisher.kill(9)
            #expect(try await subscriber.line("over").kind == "publisherLost")
        }
    }
}
