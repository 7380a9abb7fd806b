/// Pixels that tell the frame they belong to: every 64-bit word follows from the sequence number and its place.
enum PixelPattern {
    private static let step: UInt64 = 0x9e37_79b9_7f4a_7c15

    private static func first(_ sequence: UInt64) -> UInt64 { (sequence &+ 1) &* 0xd1b5_4a32_d192_ed03 }

    static func fill(_ bytes: UnsafeMutableRawBufferPointer, sequence: UInt64) {
        var word = first(sequence)
        var offset = 0
        while offset + 8 <= bytes.count {
            bytes.storeBytes(of: word, toByteOffset: offset, as: UInt64.self)
            word &+= step
            offset += 8
        }
    }

    /// Whether all bytes are those of this frame.
    static func holds(_ bytes: RawSpan, sequence: UInt64) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var word = first(sequence)
            var offset = 0
            while offset + 8 <= bytes.count {
                guard bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) == word else { return false }
                word &+= step
                offset += 8
            }
            return bytes.count >= 8
        }
    }

    /// A sum over all bytes, for what a test compares by itself.
    static func checksum(_ bytes: RawSpan) -> UInt64 {
        bytes.withUnsafeBytes { bytes in
            var sum: UInt64 = 0xcbf2_9ce4_8422_2325
            var offset = 0
            while offset + 8 <= bytes.count {
                sum = (sum ^ bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) &* 0x100_0000_01b3
                offset += 8
            }
            return sum
        }
    }
}
