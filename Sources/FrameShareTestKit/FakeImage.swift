public import FrameShare

/// What a fake camera's frame shows.
public enum FakeImage: Sendable {
    /// Bytes made of the frame's sequence number, another value in each place: ``firstDifference(in:sequence:stream:)`` finds any that
    /// is wrong, and so any frame that was mixed with another.
    case pattern
    /// Every byte of every stream is this.
    case filled(UInt8)
    /// The bytes of some streams, from the start of their (first) buffer; what is beyond, and other streams, are zero.
    /// For a compressed stream their count becomes the bytes used.
    case bytes([String: [UInt8]])

    /// The byte of the pattern at a place.
    /// - Parameters:
    ///   - offset: from the start of the buffer
    ///   - buffer: the buffer's place in the image, 0 where it has one only
    ///   - stream: the stream's place in the channel, from 0
    public static func patternByte(sequence: UInt64, stream: Int, buffer: Int = 0, offset: Int) -> UInt8 {
        // A cheap mix: neighbours in any of the four differ.
        var word = sequence &* 0x9e37_79b9_7f4a_7c15
        word &+= UInt64(truncatingIfNeeded: offset &+ stream &* 7919 &+ buffer &* 104_729)
        word = (word ^ (word >> 29)) &* 0xbf58_476d_1ce4_e5b9
        return UInt8(truncatingIfNeeded: word >> 56)
    }

    /// Where an image that should show ``pattern`` first differs from it; nil when it is right everywhere.
    /// - Parameters:
    ///   - sequence: the frame's `sequence`
    ///   - stream: the stream's place in the channel, from 0
    public static func firstDifference(
        in image: borrowing Image,
        sequence: UInt64,
        stream: Int = 0
    ) -> (buffer: Int, offset: Int)? {
        for buffer in 0..<image.layout.bufferCount {
            let bytes = image.bytes(buffer: buffer)
            guard bytes.byteCount > 0 else { return (buffer, 0) }
            for offset in 0..<bytes.byteCount {
                let expected = patternByte(sequence: sequence, stream: stream, buffer: buffer, offset: offset)
                if bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self) != expected { return (buffer, offset) }
            }
        }
        return nil
    }

    func write(into slot: borrowing WritableSlot, sequence: UInt64, _ description: inout FrameDescription) {
        for index in slot.streams.indices {
            guard let image = slot.image(at: index) else { continue }
            let stream = slot.streams[index]
            for buffer in 0..<stream.layout.bufferCount {
                image.withUnsafeMutableBytes(buffer: buffer) { bytes in
                    switch self {
                    case .pattern:
                        for i in bytes.indices {
                            bytes[i] = Self.patternByte(sequence: sequence, stream: index, buffer: buffer, offset: i)
                        }
                    case .filled(let value):
                        for i in bytes.indices { bytes[i] = value }
                    case .bytes(let given):
                        let source = buffer == 0 ? given[stream.name] ?? [] : []
                        for i in bytes.indices { bytes[i] = i < source.count ? source[i] : 0 }
                    }
                }
            }
            if case .bytes(let given) = self, let source = given[stream.name], stream.layout.format.isCompressed {
                description.setBytesUsed(source.count, stream: index, plane: 0)
            }
        }
    }
}
