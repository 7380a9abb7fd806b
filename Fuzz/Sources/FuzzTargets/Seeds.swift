internal import Glibc
import LeaseProtocol

@testable import FrameShare

/// The inputs to begin with, from the product's own encoders where there are some: `Fuzz/run --seeds` writes them.
enum Seeds {
    static func write(to folder: String) {
        for (target, seeds) in all {
            let folder = "\(folder)/\(target.rawValue)"
            mkdir(folder, 0o755)
            for (name, bytes) in seeds {
                guard let file = fopen("\(folder)/\(name)", "w"), fwrite(bytes, 1, bytes.count, file) == bytes.count,
                    fclose(file) == 0
                else {
                    perror("\(folder)/\(name)")
                    exit(1)
                }
            }
        }
    }

    private static var all: [(FuzzTarget, [(name: String, bytes: [UInt8])])] {
        [
            (.messages, messages.map { ($0, $1.encoded) }),
            (.metadata, metadata.map { ($0, encoded($1)) }),
            (
                .names,
                ["front-door", "YUV420", "SRGGB10_CSI2P", "Rec709/sRGB/Rec601/Limited", "0x00000001", "Y16 -BE"]
                    .map { (String($0.prefix { $0 != "/" && $0 != " " }), Array($0.utf8)) }
            ),
            // As the targets read them: choice, format, sides and strides; pool, lane, and then one step after another.
            (
                .layouts,
                [
                    ("computed", [0, 3, 1, 0, 5, 1, 208, 2, 0, 64]), ("opaque", [1, 250, 0, 8, 0, 8, 1, 0, 16]),
                    ("v4l2", [2, 2, 0, 64, 0, 48, 8, 0, 0, 0, 1, 0, 64, 1, 0, 24, 0, 0]),
                    ("claimed", [3, 0, 0, 8, 0, 8, 1, 0, 0, 0, 16, 0, 128, 0, 0]),
                ]
            ),
            (
                .publisherLane,
                [
                    ("honest", [4, 1, 1, 0, 6, 2, 6, 2, 6, 3, 6, 6, 4, 2, 5, 0, 6]),
                    ("liar", [4, 2, 0, 1, 6, 6, 0, 0, 1, 2, 0, 6, 0, 1, 0, 255, 0, 0, 0, 0, 0, 0, 0, 6, 6]),
                ]
            ),
            (
                .subscriberLane,
                [
                    ("honest", [7, 1, 0, 0, 3, 0, 1, 2, 1, 0]), ("backwards", [7, 0, 2, 9, 0, 2, 1, 0, 0, 9, 3, 0, 0]),
                ]
            ),
        ]
    }

    private static var streams: [Stream] {
        [("main", PixelFormat.yuv420), ("raw", .mjpeg)].compactMap { name, format in
            let layout: ImageLayout? =
                (try? .computed(width: 64, height: 48, format: format, strideAlignment: 64))
                ?? (try? .opaque(width: 64, height: 48, format: format, capacity: 4096))
            return layout.map { Stream(name: name, layout: $0) }
        }
    }

    private static var messages: [(String, Message)] {
        let request = LeaseRequest(policy: .queue(2), budget: 3)
        return [
            (
                "hello",
                .hello(.init(role: .subscriber, name: "viewer", request: request, pollable: true, streams: ["main"]))
            ),
            ("welcome", .welcome(.init(subscriber: 1, publisherPID: 4711, channel: "front", sourceName: "pattern"))),
            ("refused", .refused("no slot is left to share")),
            (
                "generation",
                .generation(
                    .init(
                        generation: 1,
                        slots: 4,
                        depth: 2,
                        laneSize: LaneMemory.size(depth: 2),
                        recordStride: FrameTable.recordStride(metadataCapacity: 256),
                        metadataCapacity: 256,
                        streams: streams.enumerated().map { index, stream in
                            .init(
                                stream: stream,
                                index: index,
                                memory: .memfd,
                                protection: .sealed,
                                bufferSizes: [stream.layout.bufferSize(0)]
                            )
                        }
                    )
                )
            ),
            ("buffers", .buffers(generation: 1, first: 0, count: 8)),
            (
                "places",
                .places(
                    generation: 1,
                    BufferPlaces(
                        descriptorCount: 3,
                        runs: [
                            [[.init(slots: 8, descriptor: 0, descriptorStep: 0, offset: 0, stride: 8192)]],
                            [
                                [
                                    .init(slots: 6, descriptor: 1, descriptorStep: 0, offset: 4096, stride: 4096),
                                    .init(slots: 2, descriptor: 2, descriptorStep: 0, offset: 0, stride: 4096),
                                ]
                            ],
                        ]
                    )
                )
            ),
            ("ready", .ready(generation: 1)),
            ("wake", .wake),
            ("reply", .reply(.init(frame: 7, stage: .final, content: .bytes, bytes: [1, 2, 3], sharedSize: 0))),
            ("cancel", .cancel(frame: 7)),
            ("controls-query", .controlsQuery(number: 1, .list)),
            ("controls-set", .controlsQuery(number: 2, .set([ControlSetting("brightness", "7")]))),
            (
                "controls-list",
                .controlsAnswer(
                    number: 1,
                    .list([CameraControl(name: "p", kind: .menu, value: "1", items: [.init(value: "1", name: "x")])])
                )
            ),
            (
                "controls-outcomes",
                .controlsAnswer(number: 2, .outcomes([ControlOutcome(name: "p", result: .failure(.sourceGone))]))
            ),
            ("ended", .ended(.sourceFailed("unplugged"))),
            ("statistics", .statistics(statistics)),
        ]
    }

    private static var statistics: ChannelStatistics {
        ChannelStatistics(
            channel: "front",
            sourceName: "pattern",
            publisherPID: 4711,
            publisherUID: 1000,
            generation: 1,
            streams: streams.map { .init(stream: $0, memory: .memfd, protection: .sealed) },
            slots: 6,
            slotsFree: 2,
            slotsAtSource: 1,
            sourceNeed: 1,
            slotsReserved: 3,
            retiredSlotsHeld: 0,
            published: 99,
            lostBySource: 0,
            lostNoFreeSlot: 1,
            age: 1_000_000,
            sinceLastFrame: 1000,
            subscribers: [
                .init(
                    id: 1,
                    pid: 4712,
                    uid: 1000,
                    name: "viewer",
                    policy: .everyFrame,
                    budget: 3,
                    reserved: true,
                    streams: ["main"],
                    delivered: 98,
                    droppedByPolicy: 0,
                    droppedByBudget: 1,
                    droppedByShortage: 0,
                    queued: 1,
                    held: 2,
                    oldestLeaseAge: 500,
                    latencyP50: 10,
                    latencyP99: 20,
                    latencyMax: 30,
                    age: 900_000
                )
            ]
        )
    }

    private static let metadata: [(String, Metadata)] = [
        (
            "values",
            [
                "SensorTimestamp": .int64(123_456_789), "ExposureTime": 10000, "AeLocked": true, "Lux": .float(0.5),
                "Gain": 2.5, "Model": "imx219", "Statistics": .bytes([1, 2, 3]),
                "ScalerCrop": .rectangle(.init(x: 0, y: 0, width: 64, height: 48)),
                "Size": .size(.init(width: 64, height: 48)),
            ]
        ),
        (
            "arrays",
            [
                "ColourGains": .floats([1.5, .nan]), "Levels": .int32s([1, 2, 3, 4]), "Times": .int64s([1]),
                "Matrix": .doubles([1, 0]), "Names": .strings(["a", "", "bc"]), "Flags": .bools([true, false]),
                "Faces": .rectangles([.init(x: 1, y: 1, width: 2, height: 2)]), "Sizes": .sizes([]),
            ]
        ),
    ]
}
