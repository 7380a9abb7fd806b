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
