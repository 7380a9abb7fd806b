extension ImageLayout {
    /// The layout of a V4L2 buffer that holds the whole image: `v4l2_pix_format`, or `_mplane` with one plane.
    ///
    /// The planes follow each other without a gap. Further planes' strides are derived from the first one's, as the
    /// kernel's documents say. Compressed and unknown formats get one plane of `sizeImage` bytes.
    ///
    /// - Parameters:
    ///   - bytesPerLine: the field `bytesperline`; 0, which drivers shouldn't return for such a format, means rows
    ///     without padding.
    ///   - sizeImage: the field `sizeimage`, bytes. It may be more than the planes need.
    public static func v4l2(
        width: Int,
        height: Int,
        format: PixelFormat,
        bytesPerLine: Int,
        sizeImage: Int,
        colorSpace: ColorSpace = .unknown
    ) throws(ImageLayoutError) -> ImageLayout {
        try v4l2(
            width: width,
            height: height,
            format: format,
            planes: [V4L2Plane(bytesPerLine: bytesPerLine, sizeImage: sizeImage)],
            colorSpace: colorSpace
        )
    }

    /// The layout of a V4L2 buffer as `v4l2_pix_format_mplane` describes it: one entry if all planes of the format
    /// share the memory ("NV12"), else one for each plane, which then has a buffer of its own ("NM12").
    public static func v4l2(
        width: Int,
        height: Int,
        format: PixelFormat,
        planes: [V4L2Plane],
        colorSpace: ColorSpace = .unknown
    ) throws(ImageLayoutError) -> ImageLayout {
        guard (1...largestSide).contains(width), (1...largestSide).contains(height) else {
            throw .sizeOutOfRange(width: width, height: height)
        }
        if let info = format.info, !info.isCompressed, planes.count == 1, info.planes.count > 0 {
            return try v4l2Contiguous(width, height, format, info, planes[0], colorSpace)
        }
        let layout = ImageLayout(
            width: width,
            height: height,
            format: format,
            colorSpace: colorSpace,
            planes: planes.enumerated().map { index, plane in
                plane.layout(index: index, of: format.info, width: width)
            }
        )
        try layout.validate()
        return layout
    }

    private static func v4l2Contiguous(
        _ width: Int,
        _ height: Int,
        _ format: PixelFormat,
        _ info: PixelFormatInfo,
        _ plane: V4L2Plane,
        _ colorSpace: ColorSpace
    ) throws(ImageLayoutError) -> ImageLayout {
        // A stride that can't hold a row is refused by validate().
        let stride = plane.bytesPerLine == 0 ? StrideRule(info).firstStride(width: width, alignment: 1) : nil
        var layout = try contiguous(
            width,
            height,
            format,
            info,
            bytesPerLine: stride ?? plane.bytesPerLine,
            colorSpace
        )
        for index in layout.planes.indices {
            guard plane.dataOffset >= 0, let offset = layout.planes[index].offset.plus(plane.dataOffset) else {
                throw .planeOutOfRange(plane: index, layout.planes[index])
            }
            layout.planes[index].offset = offset
        }
        try layout.validate(bufferSizes: [plane.sizeImage])
        return layout
    }
}

/// One entry of `v4l2_pix_format_mplane.plane_fmt`.
public struct V4L2Plane: Hashable, Sendable {
    /// The field `bytesperline`: bytes from one row to the next.
    public var bytesPerLine: Int

    /// The field `sizeimage`: the bytes the buffer must have.
    public var sizeImage: Int

    /// The bytes before the pixels: `v4l2_plane.data_offset`. Most drivers have none; it is known when a buffer is
    /// filled, and counts as part of `sizeImage`.
    public var dataOffset: Int

    /// Takes any numbers; the layout made of them is validated.
    public init(bytesPerLine: Int, sizeImage: Int, dataOffset: Int = 0) {
        self.bytesPerLine = bytesPerLine
        self.sizeImage = sizeImage
        self.dataOffset = dataOffset
    }

    /// The plane in a buffer of its own.
    func layout(index: Int, of info: PixelFormatInfo?, width: Int) -> PlaneLayout {
        // Where the difference wraps round, offset or end is out of range too: validate() finds it.
        let size = sizeImage &- dataOffset
        var layout = PlaneLayout(offset: dataOffset, stride: bytesPerLine, size: size, buffer: index)
        if let info {
            if info.isCompressed {
                layout.stride = 0
            } else if bytesPerLine == 0, info.planes.indices.contains(index) {
                layout.stride = info.planes[index].rowBytes(width: width) ?? 0
            }
        }
        return layout
    }
}
