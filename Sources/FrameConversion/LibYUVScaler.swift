internal import CLibYUV
internal import FrameShare
internal import PixelFormats

/// libyuv from YUV to RGB of 24 bits, and from planes to planes.
final class LibYUVScaler {
    private typealias Matrix = (forward: OpaquePointer, swapped: OpaquePointer)

    private let yuv: UnsafePointer<fs_libyuv>
    private let filter: UInt32
    /// Planes of what has none, before scaling.
    private let planar: ScratchPicture?
    /// Planes of the target's size, before they become RGB.
    private let scaled: ScratchPicture?
    /// Nil: the target has planes.
    private let matrix: Matrix?

    private static let planarFormats: Set<PixelFormat> = [.yuv420, .yvu420, .yuv422, .yvu422, .yuv444, .yvu444]

    static func reads(_ format: PixelFormat) -> Bool {
        planarFormats.contains(format) || [.nv12, .nv21, .yuyv, .uyvy].contains(format)
    }

    /// Whether libyuv's numbers are large enough: it counts rows and columns in 16 bits, and its box filter adds up in 16 bits
    /// what it then divides by a whole number of 1/65536.
    private static func counts(_ source: ImageLayout, _ target: ImageLayout, _ how: Wish.Filter) -> Bool {
        let most = 32_767
        guard max(source.width, source.height, target.width, target.height) <= most else { return false }
        guard how == .area else { return true }
        return source.width * source.height <= 64 * target.width * target.height && source.height <= 64 * target.height
    }

    /// Nil where it can't, or is not installed.
    init?(from source: ImageLayout, to target: ImageLayout, _ how: Wish.Filter) throws(ConversionError) {
        guard let yuv = fs_libyuv(), Self.reads(source.format) else { return nil }
        let isRGB = target.format == .rgb888 || target.format == .bgr888
        let keepsNumbers =
            source.colorSpace.encoding == target.colorSpace.encoding
            && source.colorSpace.range == target.colorSpace.range
        guard isRGB || Self.planarFormats.contains(target.format) && keepsNumbers else { return nil }
        guard Self.counts(source, target, how) else { return nil }
        self.yuv = yuv
        filter =
            switch how {
            case .nearest: UInt32(FS_YUV_NEAREST)
            case .bilinear: UInt32(FS_YUV_BILINEAR)
            case .area: UInt32(FS_YUV_BOX)
            }
        let planarFormat: PixelFormat
        switch source.format {
        case .nv12, .nv21: planarFormat = .yuv420
        case .yuyv, .uyvy: planarFormat = .yuv422
        default: planarFormat = source.format
        }
        planar =
            planarFormat == source.format
            ? nil : try ScratchPicture(source.width, source.height, planarFormat, source.colorSpace)
        let isSameSize = (source.width, source.height) == (target.width, target.height)
        matrix = isRGB ? Self.matrix(source.colorSpace, yuv.pointee) : nil
        if isRGB, matrix == nil { return nil }
        scaled =
            isRGB && !isSameSize
            ? try ScratchPicture(target.width, target.height, planarFormat, source.colorSpace) : nil
    }

    /// Nil for limited range of Rec. 709 and 2020: libyuv's numbers have too few bits for these, and blue is 16 of 255 off.
    private static func matrix(_ colors: ColorSpace, _ yuv: fs_libyuv) -> Matrix? {
        let isFull = colors.range == .full
        return switch colors.encoding {
        case .rec601, .unknown, .none: isFull ? (yuv.kYuvJPEG, yuv.kYvuJPEG) : (yuv.kYuvI601, yuv.kYvuI601)
        case .rec709: isFull ? (yuv.kYuvF709, yuv.kYvuF709) : nil
        case .rec2020: nil
        }
    }

    func scale(_ from: Picture, to: Picture) {
        let source = planes(from)
        guard let matrix else { return scalePlanes(source, to: to) }
        if let scaled { scalePlanes(source, to: scaled.picture) }
        makeRGB(scaled?.picture ?? source, to, matrix)
    }

    /// A plane for each of Y, U and V.
    private func planes(_ from: Picture) -> Picture {
        guard let planar = planar?.picture, let first = from.planes[0], let y = planar.planes[0],
            let u = planar.planes[1], let v = planar.planes[2]
        else { return from }
        let (width, height) = (Int32(from.layout.width), Int32(from.layout.height))
        let strides = planar.layout.planes.map { Int32($0.stride) }
        let stride = Int32(from.layout.planes[0].stride)
        switch from.layout.format {
        case .yuyv:
            _ = yuv.pointee.YUY2ToI422(first, stride, y, strides[0], u, strides[1], v, strides[2], width, height)
        case .uyvy:
            _ = yuv.pointee.UYVYToI422(first, stride, y, strides[0], u, strides[1], v, strides[2], width, height)
        default:
            guard let pairs = from.planes[1] else { return from }
            let (a, b) = from.layout.format == .nv21 ? (v, u) : (u, v)
            yuv.pointee.SplitUVPlane(
                pairs,
                Int32(from.layout.planes[1].stride),
                a,
                strides[1],
                b,
                strides[2],
                (width + 1) / 2,
                (height + 1) / 2
            )
            // Luma stays where it is.
            var picture = planar
            picture.planes[0] = first
            picture.layout.planes[0].stride = from.layout.planes[0].stride
            return picture
        }
        return planar
    }

    /// The place of U and V among a format's planes.
    private static func chroma(_ format: PixelFormat) -> (u: Int, v: Int) {
        [.yvu420, .yvu422, .yvu444].contains(format) ? (2, 1) : (1, 2)
    }

    private func scalePlanes(_ from: Picture, to: Picture) {
        guard let source = from.layout.format.info, let target = to.layout.format.info else { return }
        let (a, b) = (Self.chroma(from.layout.format), Self.chroma(to.layout.format))
        for (i, j) in [(0, 0), (a.u, b.u), (a.v, b.v)] {
            guard let pixels = from.planes[i], let room = to.planes[j] else { continue }
            yuv.pointee.ScalePlane(
                pixels,
                Int32(from.layout.planes[i].stride),
                Self.columns(from.layout, source.planes[i]),
                Self.rows(from.layout, source.planes[i]),
                room,
                Int32(to.layout.planes[j].stride),
                Self.columns(to.layout, target.planes[j]),
                Self.rows(to.layout, target.planes[j]),
                filter
            )
        }
    }

    private static func columns(_ layout: ImageLayout, _ plane: PlaneInfo) -> Int32 {
        Int32((layout.width + plane.horizontalSubsampling - 1) / plane.horizontalSubsampling)
    }

    private static func rows(_ layout: ImageLayout, _ plane: PlaneInfo) -> Int32 {
        Int32((layout.height + plane.verticalSubsampling - 1) / plane.verticalSubsampling)
    }

    private func makeRGB(_ from: Picture, _ to: Picture, _ matrix: Matrix) {
        let chroma = Self.chroma(from.layout.format)
        // Red first: as if U and V had changed places.
        let isRedFirst = to.layout.format == .bgr888
        let (first, second) = isRedFirst ? (chroma.v, chroma.u) : (chroma.u, chroma.v)
        guard let y = from.planes[0], let u = from.planes[first], let v = from.planes[second], let out = to.planes[0],
            let info = from.layout.format.info
        else { return }
        let convert =
            switch (info.planes[1].horizontalSubsampling, info.planes[1].verticalSubsampling) {
            case (2, 2): yuv.pointee.I420ToRGB24Matrix
            case (2, 1): yuv.pointee.I422ToRGB24Matrix
            default: yuv.pointee.I444ToRGB24Matrix
            }
        let strides = from.layout.planes.map { Int32($0.stride) }
        _ = convert(
            y,
            strides[0],
            u,
            strides[first],
            v,
            strides[second],
            out,
            Int32(to.layout.planes[0].stride),
            isRedFirst ? matrix.swapped : matrix.forward,
            Int32(to.layout.width),
            Int32(to.layout.height)
        )
    }
}
