/// H.264 and HEVC streams with start codes, as ITU-T H.264 annex B has them.
enum AnnexB {
    /// The parameter sets of a keyframe, each with its start code: what a decoder must be given first. Empty where there
    /// are none.
    static func parameterSets(_ bytes: UnsafeRawBufferPointer, _ codec: VideoCodec) -> [UInt8] {
        var result: [UInt8] = []
        var start = unit(in: bytes, from: 0)
        while let begin = start {
            let next = unit(in: bytes, from: begin)
            // The next start code's zeros, and zeros that may stand before it, belong to no unit.
            var end = next.map { $0 - 3 } ?? bytes.count
            while end > begin, bytes[end - 1] == 0 { end -= 1 }
            if begin < end, isParameterSet(bytes[begin], codec) {
                result += [0, 0, 0, 1]
                result += bytes[begin..<end]
            }
            start = next
        }
        return result
    }

    private static func isParameterSet(_ header: UInt8, _ codec: VideoCodec) -> Bool {
        switch codec {
        case .h264: [7, 8].contains(header & 0x1f)
        case .hevc: (32...34).contains(header >> 1 & 0x3f)
        case .mjpeg, .fwht, .raw: false
        }
    }

    /// Where the unit behind the next start code begins.
    private static func unit(in bytes: UnsafeRawBufferPointer, from: Int) -> Int? {
        var at = from
        while at + 3 <= bytes.count {
            if bytes[at + 2] > 1 {
                at += 3
            } else if bytes[at] == 0, bytes[at + 1] == 0, bytes[at + 2] == 1 {
                return at + 3
            } else {
                at += 1
            }
        }
        return nil
    }
}
