import PixelFormats

/// The arithmetic from 8-bit YUV to 8-bit RGB in 16.16 fixed point, for one colour space.
///
/// Only encoding and range are undone; primaries and transfer stay what they were.
struct YUVToRGB {
    private let offset: Int32
    private let luma: Int32
    private let redFromRed: Int32
    private let greenFromBlue: Int32
    private let greenFromRed: Int32
    private let blueFromBlue: Int32

    /// Where the space says nothing, BT.601 in limited range is taken.
    init(_ space: ColorSpace) {
        let (kr, kb) =
            switch space.encoding {
            case .rec709: (0.2126, 0.0722)
            case .rec2020: (0.2627, 0.0593)
            default: (0.299, 0.114)
            }
        let full = space.range == .full
        let scale = full ? 65536.0 : 65536.0 * 255 / 224
        offset = full ? 0 : 16
        luma = Int32((full ? 65536.0 : 65536.0 * 255 / 219).rounded())
        redFromRed = Int32((2 * (1 - kr) * scale).rounded())
        blueFromBlue = Int32((2 * (1 - kb) * scale).rounded())
        greenFromBlue = Int32((2 * (1 - kb) * kb / (1 - kr - kb) * scale).rounded())
        greenFromRed = Int32((2 * (1 - kr) * kr / (1 - kr - kb) * scale).rounded())
    }

    @inline(__always)
    func store(_ y: UInt8, _ cb: UInt8, _ cr: UInt8, to target: UnsafeMutablePointer<UInt8>) {
        let bright = (Int32(y) - offset) * luma + 32768
        let blue = Int32(cb) - 128
        let red = Int32(cr) - 128
        target[0] = clamped((bright + red * redFromRed) >> 16)
        target[1] = clamped((bright - blue * greenFromBlue - red * greenFromRed) >> 16)
        target[2] = clamped((bright + blue * blueFromBlue) >> 16)
    }

    @inline(__always)
    private func clamped(_ value: Int32) -> UInt8 {
        UInt8(truncatingIfNeeded: min(255, max(0, value)))
    }
}
