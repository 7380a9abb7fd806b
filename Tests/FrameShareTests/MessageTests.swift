import LeaseProtocol
import PeerTesting
import Testing

@testable import FrameShare

/// The control protocol's bytes. Both sides read what a hostile peer may have written.
@Suite("Control messages")
struct MessageTests {
    private static let stream = Stream(
        name: "main",
        layout: ImageLayout(
            width: 64,
            height: 48,
            format: .nv12,
            colorSpace: .unknown,
            planes: [
                PlaneLayout(offset: 0, stride: 64, size: 3072),
                PlaneLayout(offset: 0, stride: 64, size: 1536, buffer: 1),
            ]
        )
    )

    private static let statistics = ChannelStatistics(
        channel: "camera0",
        sourceName: "pattern",
        publisherPID: 77,
        publisherUID: 1000,
        generation: 3,
        streams: [.init(stream: stream, memory: .dmaHeap, protection: .none)],
        slots: 8,
        slotsFree: 3,
        slotsAtSource: 2,
        sourceNeed: 1,
        slotsReserved: 2,
        retiredSlotsHeld: 1,
        copies: .init(slots: 60, free: 59, floor: 4, copied: 1 << 33),
        published: 1 << 40,
        lostBySource: 5,
        lostNoFreeSlot: 6,
        age: 123_456_789,
        sinceLastFrame: -1,
        subscribers: [
            .init(
                id: 9,
                pid: 88,
                uid: 1001,
                name: "viewer",
                policy: .queue(4),
                budget: 5,
                reserved: true,
                streams: ["main"],
                delivered: 100,
                droppedByPolicy: 1,
                droppedByBudget: 2,
                droppedByShortage: 3,
                copies: 4,
                getsCopies: true,
                queued: 1,
                held: 2,
                oldestLeaseAge: 77,
                latencyP50: 10,
                latencyP99: 20,
                latencyMax: .max,
                age: 5
            ),
            .init(
                id: 10,
                pid: -1,
                uid: 0,
                name: "",
                policy: .everyFrame,
                budget: 2,
                reserved: true,
                streams: [],
                delivered: 0,
                droppedByPolicy: 0,
                droppedByBudget: 0,
                droppedByShortage: 0,
                queued: 0,
                held: 0,
                oldestLeaseAge: 0,
                latencyP50: 0,
                latencyP99: 0,
                latencyMax: 0,
                age: .max
            ),
        ]
    )

    /// At least one of each type.
    static let all: [Message] = [
        .hello(
            .init(
                role: .subscriber,
                name: "viewer",
                request: LeaseRequest(policy: .queue(3), budget: 4, reserved: true),
                pollable: true,
                group: "detectors",
                streams: ["main", "lores"]
            )
        ),
        .hello(
            .init(role: .monitor, name: "", request: LeaseRequest(policy: .latest), pollable: false, streams: [])
        ),
        .welcome(.init(subscriber: 7, publisherPID: 1234, channel: "camera0", sourceName: "grüne Kamera")),
        .refused("no"),
        .generation(
            .init(
                generation: 2,
                slots: 8,
                copySlots: 3,
                copyProtection: .sealed,
                depth: 4,
                laneSize: LaneMemory.size(depth: 4),
                recordStride: FrameTable.recordStride(metadataCapacity: 1000),
                metadataCapacity: 1000,
                streams: [
                    .init(stream: stream, index: 0, memory: .memfd, protection: .sealed, bufferSizes: [4096, 1536]),
                    .init(
                        stream: Stream(name: "lores", layout: .small),
                        index: 1,
                        memory: .dmaBuf,
                        protection: .readOnlyExport,
                        bufferSizes: [128]
                    ),
                ]
            )
        ),
        .buffers(generation: 2, first: 250, count: 14),
        .ready(generation: 2),
        .slotReleased,
        .wake,
        .statisticsRequest,
        .statistics(statistics),
        .ended(.closed),
        .ended(.sourceFailed("unplugged")),
        .ended(.disconnected("it was too slow")),
        .goodbye,
        .reply(.init(frame: 1 << 40, stage: .final, content: .metadata, bytes: Array(0..<200), sharedSize: 0)),
        .reply(.init(frame: 3, stage: .progress, content: .bytes, bytes: [], sharedSize: 1 << 20)),
        .reply(.init(frame: 0, stage: .failure, content: .bytes, bytes: Array("no".utf8), sharedSize: 0)),
        .cancel(frame: .max),
        .controlsQuery(number: 1, .list),
        .controlsQuery(number: .max, .set([ControlSetting("ExposureTime", "8000"), ControlSetting("ä", "")])),
        .controlsAnswer(number: 7, .list([])),
        .controlsAnswer(
            number: 7,
            .list([
                CameraControl(
                    name: "exposure_auto",
                    label: "Exposure, Auto",
                    kind: .menu,
                    minimum: "0",
                    maximum: "3",
                    standard: "3",
                    value: "1",
                    items: [.init(value: "1", name: "Manual Mode"), .init(value: "3", name: "Aperture Priority Mode")],
                    isReadOnly: true,
                    isInactive: true
                )
            ])
        ),
        .controlsAnswer(
            number: 8,
            .outcomes([
                ControlOutcome(name: "a", result: .success("1")),
                ControlOutcome(name: "b", result: .failure(.refused("no"))),
                ControlOutcome(name: "c", result: .failure(.sourceGone)),
            ])
        ),
        .controlsAnswer(number: 9, .refused("nobody may")),
        .madeWay,
        .places(
            generation: 2,
            BufferPlaces(
                descriptorCount: 3,
                runs: [
                    [
                        [.init(slots: 5, descriptor: 0, descriptorStep: 0, offset: 0, stride: 4096)],
                        [
                            .init(slots: 5, descriptor: 1, descriptorStep: 0, offset: 0, stride: 4096),
                            .init(slots: 3, descriptor: 2, descriptorStep: 0, offset: 8192, stride: 4096),
                        ],
                    ]
                ]
            )
        ),
        .takesStartup,
        .trouble("busy"),
        .keyframeWanted,
        .hello(
            .init(
                role: .subscriber,
                name: "slow",
                request: LeaseRequest(policy: .latest),
                pollable: false,
                streams: [],
                interval: 100_000_000
            )
        ),
    ]

    @Test("every message comes back as it was, and fits the receive buffer", arguments: all.indices)
    func roundTrip(index: Int) throws {
        let message = Self.all[index]
        let bytes = message.encoded
        #expect(bytes.count <= Message.maximumSize)
        #expect(try Message(bytes: bytes[...]) == message)
    }

    @Test("a message cut anywhere is an error, and so is one with a byte too many", arguments: all.indices)
    func truncation(index: Int) {
        let bytes = Self.all[index].encoded
        for length in 0..<bytes.count {
            #expect(throws: Message.ReadError.self, "\(length) of \(bytes.count) bytes") {
                try Message(bytes: bytes[..<length])
            }
        }
        #expect(throws: Message.ReadError.self) { try Message(bytes: (bytes + [0])[...]) }
    }

    @Test("any single flipped bit gives an error or another message, and never a crash", arguments: all.indices)
    func bitFlips(index: Int) throws {
        let bytes = Self.all[index].encoded
        for bit in 0..<bytes.count * 8 {
            var flipped = bytes
            flipped[bit / 8] ^= 1 << UInt8(bit % 8)
            guard let other = try? Message(bytes: flipped[...]) else { continue }
            // What was accepted must be sound enough to be written and read again.
            #expect(try Message(bytes: other.encoded[...]) == other)
            // Another minor version, or another type of message.
            if bit < 8 * Message.headerSize && !(40..<64).contains(bit) {
                Issue.record("bit \(bit) of the header changed nothing")
            }
        }
    }

    @Test("100000 spoilt messages never crash the reader")
    func fuzz() async {
        var random = SeededGenerator(seed: 11)
        let encoded = Self.all.map(\.encoded)
        var (accepted, refused) = (0, 0)
        for round in 0..<100_000 {
            if round % 512 == 0 { await Task.yield() }
            let spoilt = random.spoil(encoded[round % encoded.count])
            if (try? Message(bytes: spoilt[...])) != nil { accepted += 1 } else { refused += 1 }
        }
        #expect(accepted > 100 && refused > 1000)
    }

    @Test("noise is no message, another version is told by its number")
    func header() {
        #expect(throws: Message.ReadError.notAMessage) { try Message(bytes: []) }
        #expect(throws: Message.ReadError.notAMessage) { try Message(bytes: Array("GET / HTTP/1.1".utf8)[...]) }
        var bytes = Message.wake.encoded
        bytes[4] = 9
        #expect(throws: Message.ReadError.version(.init(major: 9, minor: 2))) { try Message(bytes: bytes[...]) }
        // Whatever follows the version: that is another major version's to say.
        #expect(throws: Message.ReadError.version(.init(major: 9, minor: 2))) { try Message(bytes: bytes[..<6]) }
    }

    @Test("a pool that could not be mapped safely is refused while it is read")
    func impossiblePools() throws {
        guard case .generation(let good) = Self.all[4] else {
            Issue.record("not a generation")
            return
        }
        func isRefused(_ change: (inout GenerationOffer) -> Void) -> Bool {
            var offer = good
            change(&offer)
            return (try? Message(bytes: Message.generation(offer).encoded[...])) == nil
        }
        #expect(!isRefused { _ in })
        #expect(isRefused { $0.slots = 0 })
        #expect(isRefused { $0.slots = 1025 })
        #expect(isRefused { $0.slots = -1 })
        #expect(isRefused { $0.depth = 0 })
        #expect(isRefused { $0.depth = 1025 })
        #expect(isRefused { $0.depth = 5 }, "the lane is for 4")
        #expect(isRefused { $0.laneSize -= 8 })
        #expect(isRefused { $0.laneSize = .max })
        #expect(isRefused { $0.tableHeaderSize -= 8 })
        #expect(isRefused { $0.tableHeaderSize += 4 })
        #expect(isRefused { $0.tableHeaderSize = .max })
        #expect(isRefused { $0.recordSize -= 8 })
        #expect(isRefused { $0.recordSize += 4 })
        #expect(isRefused { $0.recordSize = $0.recordStride })
        #expect(isRefused { $0.recordStride = FrameTable.recordSize + 999 })
        #expect(isRefused { $0.recordStride += 4 })
        #expect(isRefused { $0.metadataCapacity = .max })
        #expect(isRefused { $0.streams = [] })
        #expect(isRefused { $0.streams = Array(repeating: $0.streams[0], count: 9) })
        #expect(isRefused { $0.streams[0].bufferSizes[0] = 3071 })
        #expect(isRefused { $0.streams[0].bufferSizes = [1 << 30] })
        #expect(isRefused { $0.streams[0].index = 8 })
        #expect(isRefused { $0.streams[0].stream.name = "a/b" })
        #expect(isRefused { $0.streams[0].stream.layout.planes[0].offset = .max })
        #expect(isRefused { $0.streams[0].stream.layout.planes[1].buffer = 3 })
    }

    @Test("text that is too long is cut at a character, so that every message fits")
    func longText() throws {
        let long = String(repeating: "ü", count: 100_000)
        guard case .refused(let text) = try Message(bytes: Message.refused(long).encoded[...]) else {
            Issue.record("another message")
            return
        }
        #expect(text.allSatisfy { $0 == "ü" })
        #expect((4000...4096).contains(text.utf8.count))
    }

    @Test("the statistics of as many subscribers as a channel takes fit one message")
    func largestStatistics() throws {
        var statistics = Self.statistics
        let name = String(repeating: "x", count: 32)
        statistics.streams = Array(repeating: statistics.streams[0], count: Stream.maximumCount)
        var subscriber = statistics.subscribers[0]
        subscriber.name = String(repeating: "x", count: ChannelHost.maximumNameLength)
        subscriber.streams = Array(repeating: name, count: Stream.maximumCount)
        statistics.subscribers = Array(repeating: subscriber, count: ChannelLimits.subscribers)
        let bytes = Message.statistics(statistics).encoded
        #expect(bytes.count <= Message.maximumSize)
        #expect(try Message(bytes: bytes[...]) == .statistics(statistics))
    }
}
