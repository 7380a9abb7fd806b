import FrameSources
import FrameShare

/// Whether the frames that came are the frames that were published: `watch --verify`.
///
/// A publisher that was started with `--checksum` tells a checksum of each image, which is made again here. Without one,
/// the number that the test pattern draws into its pixels is read back and compared with the frame's sequence number.
struct FrameCheck {
    private(set) var checked: UInt64 = 0
    private(set) var wrong: UInt64 = 0
    /// Images with neither a checksum nor a readable number.
    private(set) var unknown: UInt64 = 0
    /// The first difference found, in words.
    private(set) var firstFault: String?
    private var lastSequence: UInt64?

    mutating func check(_ frame: borrowing Frame, streams: [String]) {
        if let last = lastSequence, frame.sequence <= last {
            fault("frame \(frame.sequence) came after frame \(last)")
        }
        lastSequence = frame.sequence
        for stream in streams {
            let told: UInt64? =
                if case .int64(let value)? = frame.metadata[PixelChecksum.key(stream: stream)] {
                    UInt64(bitPattern: value)
                } else { nil }
            let sequence = frame.sequence
            guard let image = frame.image(stream) else { continue }
            if let told {
                let found = image.checksum
                if found == told { checked += 1 } else {
                    fault("frame \(sequence), stream \(stream): checksum \(found), published \(told)")
                }
            } else if let number = image.patternNumber {
                if number == sequence % (1 << 48) { checked += 1 } else {
                    fault("frame \(sequence), stream \(stream): its pixels say \(number)")
                }
            } else {
                unknown += 1
            }
        }
    }

    private mutating func fault(_ text: String) {
        wrong += 1
        if firstFault == nil { firstFault = text }
    }

    var json: JSONValue {
        .object([
            "checked": .number(checked), "wrong": .number(wrong), "unknown": .number(unknown),
            "first_fault": firstFault.map(JSONValue.string),
        ])
    }

    var text: String {
        var text = "\(checked) images right, \(wrong) wrong"
        if unknown > 0 { text += ", \(unknown) with nothing to check by" }
        return text
    }
}
