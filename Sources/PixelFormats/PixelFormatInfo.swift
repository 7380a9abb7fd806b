/// What the pixels of a known format are and how they lie in memory, from the fourcc's definition. It holds no stride:
/// strides are the producer's to give, in ``ImageLayout``.
public struct PixelFormatInfo: Hashable, Sendable {
    /// What the samples mean.
    public let colorModel: ColorModel

    /// The bits of a sample that carry the image: 10 for `SRGGB10`, packed or not; 6 (green's) for RGB565; 16 for PiSP
    /// compressed raw, which decodes to 16 bits. 0 for MJPEG and H.264, whose stream says.
    public let bitDepth: Int

    /// How raw samples are packed; `none` for everything that isn't a sensor's raw or grey format.
    public let packing: RawPacking

    /// The planes in the order of the format, none for a compressed format (which needs one plane of bytes).
    public let planes: [PlaneInfo]

    /// The bits a pixel takes in memory, padding bits included and averaged over all planes (12 for YUV420, 32 for
    /// XRGB8888). 0 for compressed formats.
    public var bitsPerPixel: Int {
        planes.reduce(0) { sum, plane in
            sum + plane.bytesPerGroup * 8
                / (plane.pixelsPerGroup * plane.horizontalSubsampling * plane.verticalSubsampling)
        }
    }

    /// Whether the data is a compressed stream whose length differs from frame to frame (MJPEG, H.264). Not so for
    /// PiSP compressed raw, which has rows of fixed length.
    public var isCompressed: Bool { colorModel == .compressed }

    /// Which of red and blue comes first in memory, for an RGB format whose samples are whole bytes: names of formats don't tell.
    /// Nil for all others.
    public var firstColor: Component? {
        guard colorModel == .rgb, planes.count == 1, planes[0].bytesPerGroup >= planes[0].components.count else {
            return nil
        }
        return planes[0].components.first { $0 == .r || $0 == .b }
    }

    init(colorModel: ColorModel, bitDepth: Int, packing: RawPacking = .none, planes: [PlaneInfo]) {
        self.colorModel = colorModel
        self.bitDepth = bitDepth
        self.packing = packing
        self.planes = planes
    }
}

/// What a format's samples mean.
public enum ColorModel: Hashable, Sendable {
    /// Luma and two colour differences (Y'CbCr).
    case yuv
    /// Red, green and blue.
    case rgb
    /// Brightness alone; also a monochrome sensor's raw samples.
    case grey
    /// A colour sensor's raw samples, one colour a pixel.
    case bayer(BayerOrder)
    /// A compressed stream.
    case compressed
}

/// One sample of a group, or padding.
public enum Component: UInt8, Hashable, Sendable {
    /// Luma, or grey.
    case y = 0
    /// Blue difference, Cb.
    case u = 1
    /// Red difference, Cr.
    case v = 2
    /// Red.
    case r = 3
    /// Green.
    case g = 4
    /// Blue.
    case b = 5
    /// Opacity.
    case a = 6
    /// Padding of any value.
    case x = 7
    /// A raw sample; its colour follows from its place and the ``BayerOrder``.
    case raw = 8
}

/// One plane of a format. Pixels come in groups of a whole number of bytes: one pixel of RGB888 in 3 bytes, two of YUYV
/// in 4, four of packed 10-bit raw in 5.
public struct PlaneInfo: Hashable, Sendable {
    /// How many image columns one column of this plane stands for (2 for the chroma of YUV420 and YUV422).
    public let horizontalSubsampling: Int

    /// How many image rows one row of this plane stands for (2 for the chroma of YUV420).
    public let verticalSubsampling: Int

    /// The bytes of a group.
    public let bytesPerGroup: Int

    /// The pixels of a group, counted in this plane's columns.
    public let pixelsPerGroup: Int

    /// What a group holds in memory order, lowest address first; lowest bits first where samples share a byte or a word
    /// (RGB565, read as a word). Packed raw formats name each sample once, in pixel order.
    public let components: [Component]

    init(
        horizontalSubsampling: Int = 1,
        verticalSubsampling: Int = 1,
        bytesPerGroup: Int,
        pixelsPerGroup: Int = 1,
        components: [Component]
    ) {
        self.horizontalSubsampling = horizontalSubsampling
        self.verticalSubsampling = verticalSubsampling
        self.bytesPerGroup = bytesPerGroup
        self.pixelsPerGroup = pixelsPerGroup
        self.components = components
    }

    /// The bytes that a row's pixels take, without padding, in an image `width` pixels wide.
    ///
    /// Nil if `width` isn't above 0 or the number doesn't fit an `Int`.
    public func rowBytes(width: Int) -> Int? {
        guard width > 0 else { return nil }
        let groups = width.dividedRoundingUp(by: horizontalSubsampling).dividedRoundingUp(by: pixelsPerGroup)
        return groups.times(bytesPerGroup)
    }

    /// The rows of this plane in an image `height` rows high, nil if `height` isn't above 0.
    public func rows(height: Int) -> Int? {
        guard height > 0 else { return nil }
        return height.dividedRoundingUp(by: verticalSubsampling)
    }
}
