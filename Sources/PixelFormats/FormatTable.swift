/// The known formats, and the ways to find one.
enum FormatTable {
    struct Entry: Sendable {
        let format: PixelFormat
        let name: String
        /// V4L2's code for one buffer.
        var v4l2: FourCC?
        /// V4L2's code for a buffer for each plane.
        var v4l2MultiPlanar: FourCC?
        /// More V4L2 codes that mean this format.
        var v4l2Others: [FourCC] = []
        let info: PixelFormatInfo
    }

    static let entries: [Entry] = planarYUV + packedYUV + rgb + grey + bayer + compressed

    static let byFormat: [PixelFormat: Entry] =
        Dictionary(entries.map { ($0.format, $0) }, uniquingKeysWith: { first, _ in first })

    static let byV4L2: [FourCC: PixelFormat] = {
        var formats: [FourCC: PixelFormat] = [:]
        for entry in entries {
            for code in [entry.v4l2, entry.v4l2MultiPlanar].compactMap(\.self) + entry.v4l2Others {
                formats[code] = entry.format
            }
        }
        return formats
    }()

    // MARK: YUV

    private static let planarYUV: [Entry] = [
        planes(.yuv420, "YUV420", "YU12", "YM12", [[.u], [.v]], 2, 2),
        planes(.yvu420, "YVU420", "YV12", "YM21", [[.v], [.u]], 2, 2),
        planes(.yuv422, "YUV422", "422P", "YM16", [[.u], [.v]], 2, 1),
        planes(.yvu422, "YVU422", nil, "YM61", [[.v], [.u]], 2, 1),
        planes(.yuv444, "YUV444", nil, "YM24", [[.u], [.v]], 1, 1),
        planes(.yvu444, "YVU444", nil, "YM42", [[.v], [.u]], 1, 1),
        planes(.nv12, "NV12", "NV12", "NM12", [[.u, .v]], 2, 2),
        planes(.nv21, "NV21", "NV21", "NM21", [[.v, .u]], 2, 2),
        planes(.nv16, "NV16", "NV16", "NM16", [[.u, .v]], 2, 1),
        planes(.nv61, "NV61", "NV61", "NM61", [[.v, .u]], 2, 1),
        planes(.nv24, "NV24", "NV24", nil, [[.u, .v]], 1, 1),
        planes(.nv42, "NV42", "NV42", nil, [[.v, .u]], 1, 1),
    ]

    /// A luma plane and the chroma planes given, an 8-bit sample each, subsampled by `columns` and `rows`.
    private static func planes(
        _ format: PixelFormat,
        _ name: String,
        _ v4l2: StaticString?,
        _ multiPlanar: StaticString?,
        _ chroma: [[Component]],
        _ columns: Int,
        _ rows: Int
    ) -> Entry {
        let chromaPlanes = chroma.map { components in
            PlaneInfo(
                horizontalSubsampling: columns,
                verticalSubsampling: rows,
                bytesPerGroup: components.count,
                components: components
            )
        }
        return Entry(
            format: format,
            name: name,
            v4l2: v4l2.map(FourCC.init(code:)),
            v4l2MultiPlanar: multiPlanar.map(FourCC.init(code:)),
            info: PixelFormatInfo(
                colorModel: .yuv,
                bitDepth: 8,
                planes: [PlaneInfo(bytesPerGroup: 1, components: [.y])] + chromaPlanes
            )
        )
    }

    private static let packedYUV: [Entry] = [
        packed(.yuyv, "YUYV", "YUYV", .yuv, [.y, .u, .y, .v], pixels: 2),
        packed(.yvyu, "YVYU", "YVYU", .yuv, [.y, .v, .y, .u], pixels: 2),
        packed(.uyvy, "UYVY", "UYVY", .yuv, [.u, .y, .v, .y], pixels: 2),
        packed(.vyuy, "VYUY", "VYUY", .yuv, [.v, .y, .u, .y], pixels: 2),
        packed(.vuy888, "VUY888", "YUV3", .yuv, [.y, .u, .v]),
        packed(.ayuv8888, "AYUV8888", "VUYA", .yuv, [.v, .u, .y, .a]),
        packed(.xyuv8888, "XYUV8888", "VUYX", .yuv, [.v, .u, .y, .x]),
        packed(.ayuv8888BigEndian, "AYUV8888_BE", "AYUV", .yuv, [.a, .y, .u, .v]),
        packed(.xyuv8888BigEndian, "XYUV8888_BE", "XYUV", .yuv, [.x, .y, .u, .v], others: ["YUV4"]),
        packed(.avuy8888, "AVUY8888", "YUVA", .yuv, [.y, .u, .v, .a]),
        packed(.xvuy8888, "XVUY8888", "YUVX", .yuv, [.y, .u, .v, .x]),
    ]

    // MARK: RGB

    private static let rgb: [Entry] = [
        packed(.rgb888, "RGB888", "BGR3", .rgb, [.b, .g, .r]),
        packed(.bgr888, "BGR888", "RGB3", .rgb, [.r, .g, .b]),
        packed(.xrgb8888, "XRGB8888", "XR24", .rgb, [.b, .g, .r, .x], others: ["BGR4"]),
        packed(.xbgr8888, "XBGR8888", "XB24", .rgb, [.r, .g, .b, .x]),
        packed(.rgbx8888, "RGBX8888", "RX24", .rgb, [.x, .b, .g, .r]),
        packed(.bgrx8888, "BGRX8888", "BX24", .rgb, [.x, .r, .g, .b], others: ["RGB4"]),
        packed(.argb8888, "ARGB8888", "AR24", .rgb, [.b, .g, .r, .a]),
        packed(.abgr8888, "ABGR8888", "AB24", .rgb, [.r, .g, .b, .a]),
        packed(.rgba8888, "RGBA8888", "RA24", .rgb, [.a, .b, .g, .r]),
        packed(.bgra8888, "BGRA8888", "BA24", .rgb, [.a, .r, .g, .b]),
        packed(.rgb565, "RGB565", "RGBP", .rgb, [.b, .g, .r], bytes: 2, depth: 6),
        packed(.rgb565BigEndian, "RGB565_BE", "RGBR", .rgb, [.b, .g, .r], bytes: 2, depth: 6),
        packed(.rgb161616, "RGB161616", "BGR6", .rgb, [.b, .g, .r], bytes: 6, depth: 16),
        packed(.bgr161616, "BGR161616", "RGB6", .rgb, [.r, .g, .b], bytes: 6, depth: 16),
    ]

    // MARK: Grey, raw and compressed

    private static let grey: [Entry] = [
        packed(.r8, "R8", "GREY", .grey, [.y]),
        packed(.r10, "R10", "Y10", .grey, [.y], bytes: 2, depth: 10),
        packed(.r12, "R12", "Y12", .grey, [.y], bytes: 2, depth: 12),
        packed(.r16, "R16", "Y16", .grey, [.y], bytes: 2, depth: 16),
        raw(.r10csi2p, "R10_CSI2P", FourCC(code: "Y10P"), .grey, bits: 10, .csi2),
        raw(.r12csi2p, "R12_CSI2P", FourCC(code: "Y12P"), .grey, bits: 12, .csi2),
        raw(.monoPispComp1, "MONO_PISP_COMP1", FourCC(code: "PC1M"), .grey, bits: 16, .pispComp1),
    ]

    private static let bayer: [Entry] = BayerOrder.allCases.flatMap { order in
        var entries: [Entry] = []
        for bits in [8, 10, 12, 14, 16] {
            for packing in RawPacking.allCases {
                guard let format = PixelFormat.bayer(order, bits: bits, packing: packing) else { continue }
                let (name, v4l2) =
                    switch packing {
                    case .none: ("S\(order)\(bits)", BayerCodes.v4l2(order, bits: bits))
                    case .csi2: ("S\(order)\(bits)_CSI2P", BayerCodes.v4l2Packed(order, bits: bits))
                    case .pispComp1: ("\(order)_PISP_COMP1", BayerCodes.v4l2PispComp1(order))
                    }
                entries.append(raw(format, name, v4l2, .bayer(order), bits: bits, packing))
            }
        }
        return entries
    }

    private static let compressed: [Entry] = [
        Entry(
            format: .mjpeg,
            name: "MJPEG",
            v4l2: FourCC(code: "MJPG"),
            v4l2Others: [FourCC(code: "JPEG")],
            info: PixelFormatInfo(colorModel: .compressed, bitDepth: 0, planes: [])
        ),
        Entry(
            format: .h264,
            name: "H264",
            v4l2: FourCC(code: "H264"),
            info: PixelFormatInfo(colorModel: .compressed, bitDepth: 0, planes: [])
        ),
        Entry(
            format: .hevc,
            name: "HEVC",
            v4l2: FourCC(code: "HEVC"),
            info: PixelFormatInfo(colorModel: .compressed, bitDepth: 0, planes: [])
        ),
        Entry(
            format: .fwht,
            name: "FWHT",
            v4l2: FourCC(code: "FWHT"),
            info: PixelFormatInfo(colorModel: .compressed, bitDepth: 0, planes: [])
        ),
    ]

    /// One plane; a byte for each component unless said otherwise.
    private static func packed(
        _ format: PixelFormat,
        _ name: String,
        _ v4l2: StaticString,
        _ model: ColorModel,
        _ components: [Component],
        bytes: Int? = nil,
        pixels: Int = 1,
        depth: Int = 8,
        others: [StaticString] = []
    ) -> Entry {
        let plane = PlaneInfo(
            bytesPerGroup: bytes ?? components.count,
            pixelsPerGroup: pixels,
            components: components
        )
        return Entry(
            format: format,
            name: name,
            v4l2: FourCC(code: v4l2),
            v4l2Others: others.map(FourCC.init(code:)),
            info: PixelFormatInfo(colorModel: model, bitDepth: depth, planes: [plane])
        )
    }

    /// A sensor's samples, of which a whole number of bytes holds as many as `packing` says.
    private static func raw(
        _ format: PixelFormat,
        _ name: String,
        _ v4l2: FourCC,
        _ model: ColorModel,
        bits: Int,
        _ packing: RawPacking
    ) -> Entry {
        let (bytes, pixels) =
            switch (packing, bits) {
            case (.none, 8): (1, 1)
            case (.none, _): (2, 1)
            case (.csi2, 12): (3, 2)
            case (.csi2, _): (bits / 2, 4)
            case (.pispComp1, _): (8, 8)
            }
        let sample: Component = model == .grey ? .y : .raw
        let plane = PlaneInfo(
            bytesPerGroup: bytes,
            pixelsPerGroup: pixels,
            components: Array(repeating: sample, count: pixels)
        )
        return Entry(
            format: format,
            name: name,
            v4l2: v4l2,
            info: PixelFormatInfo(colorModel: model, bitDepth: bits, packing: packing, planes: [plane])
        )
    }
}
