extension ImageLayout {
    /// A layout for memory of one's own: all planes in one buffer, back to back, rows as short as the alignment allows.
    ///
    /// Every stride is a multiple of `strideAlignment` bytes, and the further planes' strides follow from the first as
    /// V4L2 has it (YUV420: half of it), so the image can also be described by one number of bytes per line.
    ///
    /// - Parameter strideAlignment: bytes, 1 for none. Any number up to ``largestSide``, not just powers of two.
    /// - Throws: ``ImageLayoutError/noGeometry(_:)`` for a compressed or unknown format (see
    ///   ``opaque(width:height:format:capacity:colorSpace:)``); errors for an impossible size or alignment.
    public static func computed(
        width: Int,
        height: Int,
        format: PixelFormat,
        strideAlignment: Int = 1,
        colorSpace: ColorSpace = .unknown
    ) throws(ImageLayoutError) -> ImageLayout {
        guard (1...largestSide).contains(strideAlignment) else { throw .alignmentOutOfRange(strideAlignment) }
        guard (1...largestSide).contains(width), (1...largestSide).contains(height) else {
            throw .sizeOutOfRange(width: width, height: height)
        }
        guard let info = format.info, !info.isCompressed else { throw .noGeometry(format) }
        guard let stride = StrideRule(info).firstStride(width: width, alignment: strideAlignment) else {
            throw .sizeOutOfRange(width: width, height: height)
        }
        return try contiguous(width, height, format, info, bytesPerLine: stride, colorSpace)
    }

    /// An image that is plain bytes in one buffer: a compressed or unknown format.
    ///
    /// - Parameter capacity: the most bytes a frame can have, above 0.
    public static func opaque(
        width: Int,
        height: Int,
        format: PixelFormat,
        capacity: Int,
        colorSpace: ColorSpace = .unknown
    ) throws(ImageLayoutError) -> ImageLayout {
        let layout = ImageLayout(
            width: width,
            height: height,
            format: format,
            colorSpace: colorSpace,
            planes: [PlaneLayout(offset: 0, stride: 0, size: capacity)]
        )
        try layout.validate()
        return layout
    }

    /// A layout whose planes' places are told, and whose strides follow from the first one's as V4L2 has it: what
    /// libcamera says of a stream and its buffers.
    ///
    /// - Parameters:
    ///   - bytesPerLine: of the first plane
    ///   - places: of each plane, in bytes, and in which of the image's buffers it is
    /// - Throws: errors for planes that contradict the format. A compressed or unknown format is plain bytes, in one plane.
    public static func placed(
        width: Int,
        height: Int,
        format: PixelFormat,
        bytesPerLine: Int,
        places: [(offset: Int, size: Int, buffer: Int)],
        colorSpace: ColorSpace = .unknown
    ) throws(ImageLayoutError) -> ImageLayout {
        var planes: [PlaneLayout] = []
        let info = format.info.flatMap { $0.isCompressed ? nil : $0 }
        let rule = info.map(StrideRule.init)
        if let rule, bytesPerLine % rule.divisor != 0 {
            throw .strideNotDivisible(bytesPerLine: bytesPerLine, by: rule.divisor)
        }
        for (i, place) in places.enumerated() {
            let known = info.flatMap { $0.planes.indices.contains(i) ? $0.planes[i] : nil }
            let stride = known.flatMap { rule?.stride(of: $0, first: bytesPerLine) } ?? 0
            planes.append(PlaneLayout(offset: place.offset, stride: stride, size: place.size, buffer: place.buffer))
        }
        let layout = ImageLayout(width: width, height: height, format: format, colorSpace: colorSpace, planes: planes)
        try layout.validate()
        return layout
    }

    /// All planes of a known format in one buffer, back to back, their strides following from the first one's as V4L2 has it.
    public static func contiguous(
        width: Int,
        height: Int,
        format: PixelFormat,
        bytesPerLine: Int,
        colorSpace: ColorSpace = .unknown
    ) throws(ImageLayoutError) -> ImageLayout {
        guard let info = format.info, !info.isCompressed else { throw .noGeometry(format) }
        return try contiguous(width, height, format, info, bytesPerLine: bytesPerLine, colorSpace)
    }

    /// The planes of one buffer back to back, from the first one's stride.
    static func contiguous(
        _ width: Int,
        _ height: Int,
        _ format: PixelFormat,
        _ info: PixelFormatInfo,
        bytesPerLine: Int,
        _ colorSpace: ColorSpace
    ) throws(ImageLayoutError) -> ImageLayout {
        let rule = StrideRule(info)
        guard bytesPerLine % rule.divisor == 0 else {
            throw .strideNotDivisible(bytesPerLine: bytesPerLine, by: rule.divisor)
        }
        var planes: [PlaneLayout] = []
        var offset = 0
        for (index, plane) in info.planes.enumerated() {
            guard
                let stride = rule.stride(of: plane, first: bytesPerLine),
                let rows = plane.rows(height: height),
                let size = stride.times(rows),
                let end = offset.plus(size)
            else {
                throw .planeOutOfRange(plane: index, PlaneLayout(offset: offset, stride: bytesPerLine, size: 0))
            }
            planes.append(PlaneLayout(offset: offset, stride: stride, size: size))
            offset = end
        }
        let layout = ImageLayout(width: width, height: height, format: format, colorSpace: colorSpace, planes: planes)
        try layout.validate()
        return layout
    }
}

/// How the strides of all planes of a format follow from the first one's: by the same factor as their rows' bytes.
///
/// "Single-planar format structure" in the kernel's V4L2 documentation: `bytesperline` applies to the first plane and
/// is divided by the same factor as the width for the other planes; drivers must return a multiple of that factor.
struct StrideRule {
    let info: PixelFormatInfo

    init(_ info: PixelFormatInfo) { self.info = info }

    /// What the first stride must be a multiple of.
    var divisor: Int {
        info.planes.reduce(1) { max($0, $1.horizontalSubsampling / min($1.bytesPerGroup, $1.horizontalSubsampling)) }
    }

    /// The stride of a plane; planar formats have 8-bit samples, so a group of one pixel is `bytesPerGroup` samples.
    func stride(of plane: PlaneInfo, first: Int) -> Int? {
        if plane == info.planes.first { return first }
        return first.times(plane.bytesPerGroup).map { $0 / plane.horizontalSubsampling }
    }

    /// The smallest first stride at which each plane's stride holds its row and is a multiple of `alignment`.
    func firstStride(width: Int, alignment: Int) -> Int? {
        var needed = 1
        for plane in info.planes {
            guard let rowBytes = plane.rowBytes(width: width) else { return nil }
            if plane == info.planes.first {
                needed = max(needed, rowBytes)
            } else if let scaled = rowBytes.times(plane.horizontalSubsampling) {
                needed = max(needed, scaled.dividedRoundingUp(by: plane.bytesPerGroup))
            }
        }
        return alignment.times(divisor).flatMap { needed.roundedUp(toMultipleOf: $0) }
    }
}
