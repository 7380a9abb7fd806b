#if Snapshot
internal import CTurboJPEG
internal import PixelFormats

/// Decodes MJPEG frames to planes, at a part of their size where that is enough.
final class JPEGReader {
    private let handle: tjhandle
    private var scratch: ScratchPicture?
    private var copied: [UInt8] = []
    /// What `scratch` was made for.
    private var made: (width: Int, height: Int, format: PixelFormat)?

    init() throws(ConversionError) {
        guard let handle = tjInitDecompress() else { throw .failed(String(cString: tjGetErrorStr2(nil))) }
        self.handle = handle
    }

    deinit { tjDestroy(handle) }

    /// - Parameters:
    ///   - layout: what the frame says of its size; an image of another is damaged
    ///   - divisor: 1, 2, 4 or 8
    func decode(
        _ jpeg: UnsafeRawBufferPointer,
        _ layout: ImageLayout,
        dividedBy divisor: Int,
        _ colors: ColorSpace
    ) throws(ConversionError) -> Picture {
        // Its publisher could still write to the frame: what the header says must not change after it was read.
        copied.removeAll(keepingCapacity: true)
        copied.append(contentsOf: jpeg)
        return try copied.withUnsafeBufferPointer { (own) throws(ConversionError) in
            try decode(own, layout, dividedBy: divisor, colors)
        }
    }

    private func decode(
        _ jpeg: UnsafeBufferPointer<UInt8>,
        _ layout: ImageLayout,
        dividedBy divisor: Int,
        _ colors: ColorSpace
    ) throws(ConversionError) -> Picture {
        var (width, height, subsampling, space): (Int32, Int32, Int32, Int32) = (0, 0, 0, 0)
        let start = jpeg.baseAddress
        let size = UInt(jpeg.count)
        guard tjDecompressHeader3(handle, start, size, &width, &height, &subsampling, &space) == 0 else {
            throw .damaged(String(cString: tjGetErrorStr2(handle)))
        }
        guard Int(width) == layout.width, Int(height) == layout.height else {
            throw .damaged("the JPEG image is \(width)x\(height), its frame \(layout.width)x\(layout.height)")
        }
        let format: PixelFormat =
            switch TJSAMP(UInt32(bitPattern: subsampling)) {
            case TJSAMP_444: .yuv444
            case TJSAMP_422: .yuv422
            case TJSAMP_420: .yuv420
            case TJSAMP_GRAY: .r8
            default: .bgr888
            }
        let (columns, rows) = ((Int(width) + divisor - 1) / divisor, (Int(height) + divisor - 1) / divisor)
        if scratch == nil || made.map({ $0 != (columns, rows, format) }) ?? true {
            let isYUV = format != .bgr888
            scratch = try ScratchPicture(columns, rows, format, isYUV ? colors : .srgb)
            made = (columns, rows, format)
        }
        guard let picture = scratch?.picture else { throw .failed("out of memory") }
        let result: Int32
        if format == .bgr888 {
            result = tjDecompress2(
                handle,
                start,
                size,
                picture.planes[0],
                Int32(columns),
                Int32(picture.layout.planes[0].stride),
                Int32(rows),
                Int32(TJPF_RGB.rawValue),
                0
            )
        } else {
            var planes = picture.layout.planes.indices.map { picture.planes[$0] }
            var strides = picture.layout.planes.map { Int32($0.stride) }
            result = tjDecompressToYUVPlanes(handle, start, size, &planes, Int32(columns), &strides, Int32(rows), 0)
        }
        // A warning (a byte too many, say) leaves an image that is worth having.
        guard result == 0 || tjGetErrorCode(handle) == Int32(TJERR_WARNING.rawValue) else {
            throw .damaged(String(cString: tjGetErrorStr2(handle)))
        }
        return picture
    }
}
#endif
