/// How the pixels of an image lie in memory: a DRM fourcc and modifier, with libcamera's codes and names for what DRM
/// hasn't got (raw Bayer, MJPEG, PiSP compressed raw).
///
/// DRM names a format by its little-endian word, so `RGB888` is blue, green, red in memory and `BGR888` is what most
/// image libraries call RGB. V4L2 names it by its bytes; ``v4l2`` and ``init(v4l2:)`` translate.
///
/// A format this module doesn't know is carried as it is; its ``info`` is nil and its image is plain bytes.
public struct PixelFormat: Hashable, Sendable {
    /// The DRM code, or libcamera's own.
    public let fourcc: FourCC

    /// The DRM modifier, ``FormatModifier/linear`` (0) for most.
    public let modifier: UInt64

    /// Any two numbers are taken, known or not.
    public init(fourcc: FourCC, modifier: UInt64 = FormatModifier.linear) {
        self.fourcc = fourcc
        self.modifier = modifier
    }

    /// The format of a V4L2 code (`v4l2_pix_format.pixelformat`), contiguous ("NV12") or with a buffer for each plane
    /// ("NM12"). Nil for a code this module doesn't know.
    ///
    /// `JPEG` counts as MJPEG; `RGB4`, `BGR4` and `YUV4` as the formats that ignore their fourth byte.
    public init?(v4l2: FourCC) {
        guard let format = FormatTable.byV4L2[v4l2] else { return nil }
        self = format
    }

    /// Reads the name of a known format, upper or lower case: libcamera's ("SRGGB10_CSI2P"), a V4L2 code ("pRAA",
    /// "BGR3"), a common alias ("RGB24", "yuyv422", "I420"), or a DRM code that means nothing else ("BG24").
    ///
    /// In that order: "RG16" is V4L2's 16-bit Bayer, not DRM's RGB565. Nil if the name isn't known, or if it has
    /// several meanings in a case that none of them is written in ("PGAA" for "pGAA" and "pgAA").
    public init?(name: String) {
        guard let format = FormatNames.format(named: name) else { return nil }
        self = format
    }

    /// Every format this module knows, in a fixed order.
    public static let all: [PixelFormat] = FormatTable.entries.map(\.format)

    /// What is known of the format; nil for an unknown one.
    public var info: PixelFormatInfo? { FormatTable.byFormat[self]?.info }

    /// Whether the data is a compressed stream (MJPEG, H.264): one plane of bytes, no stride, a length of its own in
    /// each frame. False for unknown formats.
    public var isCompressed: Bool { info?.isCompressed ?? false }

    /// libcamera's name ("YUV420", "SRGGB10_CSI2P", "BGGR_PISP_COMP1"; "H264" is ours). For an unknown format the code,
    /// and the modifier after a colon if there is one ("XY12:0x0b00000000000002").
    public var name: String {
        if let entry = FormatTable.byFormat[self] { return entry.name }
        guard modifier != FormatModifier.linear else { return fourcc.description }
        let digits = String(modifier, radix: 16)
        return "\(fourcc):0x" + String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// The V4L2 code for this format in one buffer. Nil where V4L2 has none (YUV444, unknown formats).
    public var v4l2: FourCC? { FormatTable.byFormat[self]?.v4l2 }

    /// The V4L2 code for this format with a buffer for each plane ("NM12", "YM12"). Nil where V4L2 has none.
    public var v4l2MultiPlanar: FourCC? { FormatTable.byFormat[self]?.v4l2MultiPlanar }
}

extension PixelFormat: CustomStringConvertible {
    /// The ``name``.
    public var description: String { name }
}

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

/// The DRM format modifiers this module knows: how the samples a fourcc names are packed or compressed in memory.
///
/// The numbers are those of `drm_fourcc.h`; the Raspberry Pi's are in libcamera's copy of it.
public enum FormatModifier {
    /// `DRM_FORMAT_MOD_LINEAR`: rows one after the other, nothing packed.
    public static let linear: UInt64 = 0

    /// `MIPI_FORMAT_MOD_CSI2_PACKED`: 10, 12 and 14-bit samples packed without gaps, as MIPI CSI-2 sends them.
    public static let csi2Packed: UInt64 = 0x0b00_0000_0000_0001

    /// `PISP_FORMAT_MOD_COMPRESS_MODE1`: 16-bit samples coded in 8 bits by a Raspberry Pi 5's camera front end.
    public static let pispCompressMode1: UInt64 = 0x0c00_0000_0000_0001
}

/// The names by which a user may ask for a format.
enum FormatNames {
    static func format(named name: String) -> PixelFormat? {
        exact[name] ?? anyCase[name.lowercased()] ?? nil
    }

    /// Names as they are written; of two meanings the first in the order libcamera, V4L2, alias, DRM.
    private static let exact: [String: PixelFormat] = {
        var formats: [String: PixelFormat] = [:]
        for names in layers {
            for (name, format) in names where formats[name] == nil { formats[name] = format }
        }
        return formats
    }()

    /// Names in lower case; nil where one layer has two meanings for it.
    private static let anyCase: [String: PixelFormat?] = {
        var formats: [String: PixelFormat?] = [:]
        for names in layers {
            var layer: [String: PixelFormat?] = [:]
            for (name, format) in names {
                let key = name.lowercased()
                if let other = layer[key], other != format {
                    layer[key] = .some(nil)
                } else {
                    layer[key] = format
                }
            }
            formats.merge(layer) { first, _ in first }
        }
        return formats
    }()

    private static let layers: [[(name: String, format: PixelFormat)]] = [
        FormatTable.entries.map { ($0.name, $0.format) },
        FormatTable.byV4L2.map { ($0.key.description, $0.value) },
        aliases,
        PixelFormat.all.filter { $0.modifier == FormatModifier.linear }.map { ($0.fourcc.description, $0) },
    ]

    /// What FFmpeg, GStreamer and V4L2's headers call the formats; the RGB names among them give the order in memory.
    private static let aliases: [(name: String, format: PixelFormat)] = [
        ("yuv420p", .yuv420), ("I420", .yuv420), ("IYUV", .yuv420),
        ("yuv422p", .yuv422), ("Y42B", .yuv422),
        ("yuv444p", .yuv444),
        ("v308", .vuy888),
        ("yuyv422", .yuyv), ("YUY2", .yuyv),
        ("uyvy422", .uyvy), ("yvyu422", .yvyu),
        ("RGB24", .bgr888), ("RGB", .bgr888), ("rgbBytes", .bgr888),
        ("BGR24", .rgb888), ("BGR", .rgb888), ("bgrBytes", .rgb888),
        ("RGBA", .abgr8888), ("BGRA", .argb8888), ("ARGB", .bgra8888), ("ABGR", .rgba8888),
        ("RGB0", .xbgr8888), ("RGBX", .xbgr8888), ("BGR0", .xrgb8888), ("BGRX", .xrgb8888),
        ("0RGB", .bgrx8888), ("XRGB", .bgrx8888), ("0BGR", .rgbx8888), ("XBGR", .rgbx8888),
        ("rgb565le", .rgb565), ("RGB16", .rgb565), ("rgb565be", .rgb565BigEndian), ("RGB565X", .rgb565BigEndian),
        ("RGB48", .bgr161616), ("rgb48le", .bgr161616),
        ("BGR48", .rgb161616), ("bgr48le", .rgb161616),
        ("GRAY", .r8), ("GRAY8", .r8), ("Y8", .r8), ("Y800", .r8),
        ("gray10le", .r10), ("gray12le", .r12), ("gray16le", .r16), ("GRAY16_LE", .r16),
        ("JPEG", .mjpeg), ("JPG", .mjpeg), ("AVC", .h264), ("H265", .hevc),
    ]
}
