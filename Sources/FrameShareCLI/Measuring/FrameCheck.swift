import FrameJSON
import FrameShare
import FrameSources

/// Whether the frames that came are the frames that were published: `watch --verify`.
///
/// A publisher may tell a checksum of each image in the frame's metadata, which is made again here. The test pattern draws
/// each frame's number into its pixels: it is read back, compared with the frame's sequence number, and the whole image
/// compared with the pattern painted anew.
struct FrameCheck {
    private(set) var checked: UInt64 = 0
    private(set) var wrong: UInt64 = 0
    /// Images with neither a checksum nor a readable number.
    private(set) var unknown: UInt64 = 0
    /// The first difference found, in words.
    private(set) var firstFault: String?
    private var lastPublished: FrameTimestamp?
    private var patterns: [String: PatternCheck] = [:]

    mutating func check(_ frame: borrowing Frame, streams: [String]) {
        // Not by number: a publisher that comes back counts from 1 again.
        if let last = lastPublished, frame.publishTimestamp < last {
            fault("frame \(frame.number) came after one that was published later")
        }
        lastPublished = frame.publishTimestamp
        for stream in streams {
            guard let image = frame.image(stream) else { continue }
            if case .int64(let told)? = frame.metadata[PixelChecksum.key(stream: stream)] {
                let found = image.checksum
                if found == UInt64(bitPattern: told) {
                    checked += 1
                } else {
                    fault("frame \(frame.sequence), stream \(stream): the pixels' checksum is not the publisher's")
                }
            } else if let number = image.patternNumber {
                check(image, number: number, sequence: frame.sequence)
            } else {
                unknown += 1
            }
        }
    }

    private mutating func check(_ image: Image, number: UInt64, sequence: UInt64) {
        guard number == sequence % (1 << 48) else {
            return fault("frame \(sequence), stream \(image.name): its pixels say \(number)")
        }
        if patterns[image.name]?.layout != image.layout { patterns[image.name] = PatternCheck(image.layout) }
        if let pattern = patterns[image.name], !pattern.matches(image, number: number) {
            return fault("frame \(sequence), stream \(image.name): some pixels are not the pattern's")
        }
        checked += 1
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
