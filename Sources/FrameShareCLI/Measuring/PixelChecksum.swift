import FrameShare

/// A checksum over the pixels of one image, to tell whether a reader saw what the publisher had.
///
/// 64 bits, eight bytes at a time, in the manner of FNV-1a: quick, and any changed byte changes it. It is not meant to
/// withstand an adversary. Bytes between planes, which nobody wrote, are left out.
struct PixelChecksum {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    /// The metadata key under which a publisher may tell the checksum of a stream, as an int64.
    static func key(stream: String) -> String { "frameshare.checksum.\(stream)" }

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        let words = bytes.count / 8
        var sum = value
        for index in 0..<words {
            let word = bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)
            sum = (sum ^ word) &* 0x0000_0100_0000_01B3
            sum ^= sum >> 32
        }
        for byte in bytes[(words * 8)...] { sum = (sum ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        value = sum
    }
}
