/// A four-character code: four ASCII characters in a 32-bit number, the first in the lowest byte.
///
/// DRM and V4L2 both name formats so, but the same code can mean different formats in the two: `RG16` is RGB565 in DRM
/// and 16-bit Bayer in V4L2. A `FourCC` doesn't say which it is; the property or parameter that holds it does.
public struct FourCC: RawRepresentable, Hashable, Sendable {
    /// The number, as in `drm_fourcc.h` and `videodev2.h`.
    public let rawValue: UInt32

    /// Any number is taken, whether or not it spells something.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Reads one to four printable ASCII characters ("YUYV", "Y16"; spaces fill up a shorter code), or what
    /// ``description`` gives: a code with the suffix `-BE` ("Y16 -BE"), or a number ("0x00000001").
    ///
    /// Nil for everything else.
    public init?(_ text: String) {
        var letters = Substring(text)
        var bigEndian: UInt32 = 0
        if letters.utf8.count > 4 {
            if letters.hasPrefix("0x"), letters.utf8.count == 10, let number = UInt32(letters.dropFirst(2), radix: 16) {
                self.init(rawValue: number)
                return
            }
            guard letters.hasSuffix("-BE") else { return nil }
            letters = letters.dropLast(3)
            bigEndian = Self.bigEndianBit
        }
        let bytes = Array(letters.utf8)
        guard (1...4).contains(bytes.count), bytes.allSatisfy(Self.isPrintable) else { return nil }
        self.init(rawValue: Self.number(bytes) | bigEndian)
    }

    /// A code written in this module; bytes after the fourth don't count.
    init(code: StaticString) {
        self.init(rawValue: code.withUTF8Buffer { Self.number($0.prefix(4)) })
    }

    /// The same code with the big-endian bit set: `DRM_FORMAT_BIG_ENDIAN`, `v4l2_fourcc_be`.
    public var bigEndian: FourCC { FourCC(rawValue: rawValue | Self.bigEndianBit) }

    /// Whether the big-endian bit is set: samples wider than a byte have their high byte first.
    public var isBigEndian: Bool { rawValue & Self.bigEndianBit != 0 }

    private static let bigEndianBit: UInt32 = 1 << 31

    private static func isPrintable(_ byte: UInt8) -> Bool { (0x20...0x7e).contains(byte) }

    private static func number(_ bytes: some Collection<UInt8>) -> UInt32 {
        var number: UInt32 = 0x2020_2020
        for (position, byte) in bytes.enumerated() {
            let shift = UInt32(8 * position)
            number = number & ~(0xff << shift) | UInt32(byte) << shift
        }
        return number
    }
}

extension FourCC: CustomStringConvertible {
    /// The characters without filling spaces ("Y16"); with `-BE` after all four where the big-endian bit is set
    /// ("Y16 -BE"); the number in hexadecimal where they aren't printable. ``init(_:)`` reads each of them back.
    public var description: String {
        let number = rawValue & ~Self.bigEndianBit
        let bytes = (0..<4).map { UInt8(truncatingIfNeeded: number >> UInt32(8 * $0)) }
        let end = bytes.lastIndex { $0 != 0x20 }
        guard let end, bytes.allSatisfy(Self.isPrintable) else {
            let digits = String(rawValue, radix: 16)
            return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
        }
        if isBigEndian { return String(decoding: bytes, as: UTF8.self) + "-BE" }
        return String(decoding: bytes[...end], as: UTF8.self)
    }
}
