import PixelFormats

/// How the samples of a plane lie in its groups of bytes.
enum SampleStorage: Hashable, Sendable {
    /// A byte each.
    case bytes
    /// A little-endian 16-bit word each, the value in the low bits.
    case words(bits: Int)
    /// MIPI CSI-2 packing: the high bytes of the group's samples, then their low bits, first sample lowest.
    case csi2(bits: Int)
    /// One word for red, green and blue: 5, 6 and 5 bits, red highest.
    case rgb565(bigEndian: Bool)

    /// `nil` where the bytes are no samples (compressed formats).
    init?(_ format: PixelFormat, _ info: PixelFormatInfo, _ plane: PlaneInfo) {
        switch (info.packing, plane.bytesPerGroup) {
        case (.pispComp1, _): return nil
        case (.csi2, _): self = .csi2(bits: info.bitDepth)
        case (.none, plane.components.count): self = .bytes
        case (.none, 2 * plane.components.count): self = .words(bits: info.bitDepth)
        case (.none, 2) where plane.components == [.b, .g, .r]:
            self = .rgb565(bigEndian: format == .rgb565BigEndian)
        default: return nil
        }
    }
}
