import CommandTesting
import Foundation
import FrameShare
import Glibc
import PixelFormats
import Testing

/// Encoding by a V4L2 device whose driver has a quirk: Tests/CameraQuirks.
@Suite("Encoders with quirks", .timeLimit(.minutes(10)))
struct EncoderQuirkTests {
    private struct Packet {
        let sequence: UInt64
        let number: Int64
        let width: Int
    }

    /// Sends frames to `frameshare encode`, and returns how it ended.
    /// - Parameter change: the frame from which on they have another size
    private func encode(
        _ frames: Int,
        _ quirks: [String],
        change: Int? = nil
    ) throws -> (outcome: CommandRun.Outcome, packets: [Packet]) {
        let folder = try ChannelFolder()
        let directory = ChannelDirectory(path: folder.path)
        var options = Publisher.Options()
        options.directory = directory
        // It waits for the encoder, so that nothing is lost on a slow machine.
        options.stallLimit = nil
        let layout = try ImageLayout.computed(width: 64, height: 48, format: .r8)
        let publisher = try Publisher(channel: "cam", streams: ["main": layout], slots: 8, options: options)
        let run = try CommandRun(
            [
                "encode", "cam", "--codec", "v4l2:fwht:\(QuirkyEncoder.device)", "--as", "coded", "--policy",
                "every-frame", "--low-latency", "--json",
            ],
            in: folder,
            environment: QuirkyEncoder.environment(quirks)
        )
        func isThere() throws -> Bool {
            try ChannelMonitor(channel: "cam", directory: directory).snapshot().subscribers.count == 1
        }
        eventually { !run.isRunning || run.outputSoFar.contains("\"start\"") }
        try #require(run.isRunning, "\(run.errorsSoFar)")
        var subscribing = Subscriber.Options()
        subscribing.directory = directory
        let reader = try Subscriber(channel: "coded", policy: .queue(63), options: subscribing)
        for number in 0..<frames {
            guard try isThere() else { break }
            if number == change {
                let larger = try ImageLayout.computed(width: 96, height: 64, format: .r8)
                try publisher.reconfigure(streams: [FrameShare.Stream(name: "main", layout: larger)], slots: 8)
            }
            let slot = try publisher.nextSlotBlocking(timeout: .seconds(60))
            slot["main"].withUnsafeMutableBytes {
                $0.initializeMemory(as: UInt8.self, repeating: UInt8(truncatingIfNeeded: number))
            }
            try publisher.publish(slot, FrameDescription(sequence: UInt64(number)))
        }
        publisher.close()
        let outcome = run.wait()
        var packets: [Packet] = []
        while let frame = try? reader.nextBlocking(timeout: .seconds(60)) {
            #expect(frame.flags.contains(.error) == false)
            let number = try #require(frame.metadata["VideoNumber"]?.integer)
            packets.append(Packet(sequence: frame.sequence, number: number, width: frame["main"].layout.width))
            // The last byte is the frame's: no packet has another's number.
            let last = frame["main"].plane(0).extracting(first: frame["main"].bytesUsed(plane: 0)).withUnsafeBytes(
                \.last
            )
            #expect(last == UInt8(truncatingIfNeeded: frame.sequence))
        }
        return (outcome, packets)
    }

    /// A quirk, how often a call of the driver fails, and how many of 30 frames may be lost.
    struct Quirk: CustomTestStringConvertible, Sendable {
        var name: String
        var failures: Int
        var mostLost: Int
        var testDescription: String { name }
    }

    @Test(
        "a call of the driver that fails once costs a frame at most, is counted, and leaves a gap that readers see",
        arguments: [
            Quirk(name: "none=0", failures: 0, mostLost: 0),
            Quirk(name: "frame-dqbuf=7", failures: 1, mostLost: 0),
            Quirk(name: "packet-dqbuf=7", failures: 1, mostLost: 1),
            Quirk(name: "packet-dqbuf=7:\(EAGAIN)", failures: 0, mostLost: 0),
            Quirk(name: "frame-qbuf=7", failures: 1, mostLost: 1),
            Quirk(name: "frame-qbuf=7:\(ENOMEM)", failures: 1, mostLost: 1),
            Quirk(name: "frame-qbuf=7:\(EAGAIN)", failures: 1, mostLost: 1),
            // The first six come before the first frame.
            Quirk(name: "packet-qbuf=9", failures: 1, mostLost: 0),
            Quirk(name: "packet-qbuf=9:\(EBUSY)", failures: 1, mostLost: 0),
            // Both queues are restarted.
            Quirk(name: "packet-dqbuf-dead=7", failures: 2, mostLost: 4),
        ]
    )
    func goesOn(quirk: Quirk) throws {
        let (outcome, packets) = try encode(30, [quirk.name])
        #expect(outcome.code == 0, "\(outcome.errors)")
        let end = try #require(try Document.lines(outcome.output).last)
        #expect(try end["failures"].int == quirk.failures, "\(outcome.output)")
        #expect(packets.count >= 30 - quirk.mostLost, "\(packets)")
        #expect(try end["damaged"].int == 30 - packets.count, "\(outcome.output)")
        let sequences = packets.map(\.sequence)
        #expect(sequences == sequences.sorted() && sequences.last == 29)
        // Frames that never came in are no gap between packets.
        let hasGap = zip(packets, packets.dropFirst()).contains { $1.number != $0.number + 1 }
        #expect(hasGap == (quirk.mostLost > 0 && quirk.name.hasPrefix("packet")), "\(packets)")
    }

    @Test("a device that can be opened once goes on with frames of another size")
    func change() throws {
        let (outcome, packets) = try encode(30, [], change: 15)
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(packets.map(\.width) == Array(repeating: 64, count: 15) + Array(repeating: 96, count: 15))
        #expect(zip(packets, packets.dropFirst()).allSatisfy { $1.number == $0.number + 1 })
        #expect(try Document.lines(outcome.output).last?["copied"].int == 30)
    }

    @Test(
        "a driver that fails for ever, or is gone, ends the encoder with its call's name",
        arguments: [
            (["packet-broken=7"], "VIDIOC_DQBUF"), (["gone=7"], "is gone"),
            // The restart itself fails.
            (["packet-dqbuf-dead=7", "streamoff=1"], "VIDIOC_STREAMOFF"),
            (["packet-dqbuf-dead=7", "streamoff=2"], "VIDIOC_STREAMOFF"),
        ]
    )
    func ends(quirks: [String], reason: String) throws {
        let (outcome, packets) = try encode(60, quirks)
        #expect(outcome.code == 1)
        #expect(outcome.errors.contains(reason), "\(outcome.errors)")
        #expect(packets.count < 30)
    }
}
