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
        ("RGB24", .bgr888), ("RGB", .bgr888),
        ("BGR24", .rgb888), ("BGR", .rgb888),
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
