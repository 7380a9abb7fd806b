import ArgumentParser

/// How much of each frame a side of a benchmark works on.
enum BenchTouch: String, CaseIterable, ExpressibleByArgument {
    /// The first bytes: number and stamp. What handing over costs by itself.
    case header
    /// Every byte, as a camera, an encoder or a detector does.
    case all
}

/// What a benchmark's publisher writes at the start of each frame.
enum BenchHeader {
    static let size = 16

    static func write(number: Int64, stamp: Int64, to bytes: UnsafeMutableRawBufferPointer) {
        bytes.storeBytes(of: number, as: Int64.self)
        bytes.storeBytes(of: stamp, toByteOffset: 8, as: Int64.self)
    }

    /// The stamp and the number, from the start of a frame.
    static func read(_ bytes: RawSpan) -> (number: Int64, stamp: Int64) {
        guard bytes.byteCount >= size else { return (-1, 0) }
        return (
            bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: Int64.self),
            bytes.unsafeLoadUnaligned(fromByteOffset: 8, as: Int64.self)
        )
    }

    /// Reads every byte. The sum is only there to be kept.
    static func sum(_ bytes: RawSpan) -> UInt64 {
        var sum: UInt64 = 0
        bytes.withUnsafeBytes { raw in
            for i in 0..<raw.count / 8 { sum &+= raw.loadUnaligned(fromByteOffset: i * 8, as: UInt64.self) }
        }
        return sum
    }
}
