import PixelFormats

/// Unpacks rows of grey or Bayer samples of any depth and packing to 16 bits, the brightest value always 65535.
struct RawRow {
    private enum Storage {
        case bytes
        case words
        case csi2
    }

    private let storage: Storage
    private let bits: Int
    private let groupWidth: Int
    private let groupBytes: Int
    private let width: Int

    /// `nil` for formats that are neither grey nor Bayer samples.
    init?(_ layout: ImageLayout) {
        guard let info = layout.format.info, let plane = info.planes.first, info.planes.count == 1 else {
            return nil
        }
        switch info.colorModel {
        case .grey, .bayer: break
        default: return nil
        }
        switch info.packing {
        case .none: storage = plane.bytesPerGroup == 1 ? .bytes : .words
        case .csi2: storage = .csi2
        case .pispComp1: return nil
        }
        bits = info.bitDepth
        groupWidth = plane.pixelsPerGroup
        groupBytes = plane.bytesPerGroup
        width = layout.width
    }

    func unpack(_ row: UnsafeRawPointer, to target: UnsafeMutablePointer<UInt16>) {
        switch storage {
        case .bytes:
            for x in 0..<width {
                target[x] = UInt16(row.load(fromByteOffset: x, as: UInt8.self)) * 257
            }
        case .words:
            for x in 0..<width {
                let word = UInt16(littleEndian: row.loadUnaligned(fromByteOffset: 2 * x, as: UInt16.self))
                target[x] = scaled(Int(word))
            }
        case .csi2:
            let lowBits = bits - 8
            for x in 0..<width {
                let group = row + x / groupWidth * groupBytes
                let place = x % groupWidth
                let high = Int(group.load(fromByteOffset: place, as: UInt8.self))
                let bit = place * lowBits
                let byte = groupWidth + bit / 8
                var low = Int(group.load(fromByteOffset: byte, as: UInt8.self)) >> (bit & 7)
                // 14-bit samples: the low bits lie across two bytes.
                if (bit & 7) + lowBits > 8 {
                    low |= Int(group.load(fromByteOffset: byte + 1, as: UInt8.self)) << (8 - (bit & 7))
                }
                target[x] = scaled(high << lowBits | low & (1 << lowBits - 1))
            }
        }
    }

    /// Values above the format's depth, which only a broken producer gives, count as its brightest.
    private func scaled(_ value: Int) -> UInt16 {
        let brightest = 1 << bits - 1
        return UInt16(min(value, brightest) * 65535 / brightest)
    }
}
