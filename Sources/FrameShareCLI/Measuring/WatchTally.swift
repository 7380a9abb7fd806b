import FrameCommand
import FrameJSON
import FrameShare

/// What one subscriber saw over a while.
struct WatchTally {
    private(set) var frames: UInt64 = 0
    private(set) var bytes: UInt64 = 0
    private(set) var loss = FrameLoss()
    private(set) var damaged: UInt64 = 0
    /// From publication to here: the price of sharing.
    private(set) var publishToHere = LatencyHistogram()
    /// From capture to here: what a reader cares about. Empty where the source does not say which clock it used.
    private(set) var captureToHere = LatencyHistogram()
    private var began = FrameTimestamp.now()

    mutating func add(_ frame: borrowing Frame, streams: [String]) {
        publishToHere.record(
            nanoseconds: FrameTimestamp.now().nanoseconds.subtractingClamped(frame.publishTimestamp.nanoseconds)
        )
        let capture = frame.timestamp
        if capture.clock != .unknown {
            captureToHere.record(
                nanoseconds: FrameTimestamp.now(capture.clock).nanoseconds.subtractingClamped(capture.nanoseconds)
            )
        }
        frames += 1
        for stream in streams {
            if let image = frame.image(stream) { bytes += UInt64(image.usedByteCount) }
        }
        loss.source &+= frame.lost.source
        loss.noFreeSlot &+= frame.lost.noFreeSlot
        loss.policy &+= frame.lost.policy
        if frame.flags.contains(.error) { damaged += 1 }
    }

    mutating func reset() {
        (frames, bytes, loss, damaged) = (0, 0, FrameLoss(), 0)
        publishToHere.reset()
        captureToHere.reset()
        began = .now()
    }

    var nanoseconds: Int64 { FrameTimestamp.now().nanoseconds - began.nanoseconds }

    var framesPerSecond: Double { nanoseconds > 0 ? Double(frames) * 1e9 / Double(nanoseconds) : 0 }

    var bytesPerSecond: Double { nanoseconds > 0 ? Double(bytes) * 1e9 / Double(nanoseconds) : 0 }

    var lossText: String {
        "lost: camera \(loss.source), no free slot \(loss.noFreeSlot), own policy \(loss.policy)"
    }

    /// One line for people.
    var line: String {
        "\(Quantities.rate(framesPerSecond)) frames/s, \(Quantities.bytes(UInt64(bytesPerSecond)))/s; \(lossText)"
            + (damaged > 0 ? ", damaged \(damaged)" : "")
            + "; publish to here \(publishToHere.text)"
            + (captureToHere.count > 0 ? "; capture to here \(captureToHere.text)" : "")
    }

    var members: [JSONValue.Member] {
        guard
            case .object(let members) = JSONValue.object([
                "frames": .number(frames),
                "bytes": .number(bytes),
                "seconds": .number(Double(nanoseconds) / 1e9, digits: 3),
                "frames_per_second": .number(framesPerSecond, digits: 2),
                "lost": loss.json,
                "damaged": .number(damaged),
                "publish_to_here_ns": publishToHere.json ?? .null,
                "capture_to_here_ns": captureToHere.json ?? .null,
            ])
        else { return [] }
        return members
    }
}
