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
        guard let start = bytes.baseAddress else { return }
        let words = bytes.count / 8
        var (sum, index) = (value, 0)
        // Loops that are quick even where nothing is optimised: tests read every pixel of every frame.
        if Int(bitPattern: start) % 8 == 0 {
            let aligned = start.assumingMemoryBound(to: UInt64.self)
            while index < words {
                sum = (sum ^ aligned[index]) &* 0x0000_0100_0000_01B3
                sum ^= sum &>> 32
                index &+= 1
            }
        } else {
            while index < words {
                sum = (sum ^ start.loadUnaligned(fromByteOffset: index &* 8, as: UInt64.self)) &* 0x0000_0100_0000_01B3
                sum ^= sum &>> 32
                index &+= 1
            }
        }
        for byte in bytes[(words * 8)...] { sum = (sum ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        value = sum
    }
}
