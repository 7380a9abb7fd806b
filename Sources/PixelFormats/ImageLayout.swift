/// The size, format and place in memory of an image: what a reader needs to find its pixels.
///
/// Readers take it from the producer and never compute it, for strides are the producer's choice: a Raspberry Pi 5 puts
/// a 704 pixels wide YUV420 row 768 bytes from the next, a Raspberry Pi 4 704.
///
/// A layout is just numbers and may be wrong until ``validate()`` has passed. No member traps, whatever the numbers.
public struct ImageLayout: Hashable, Sendable {
    /// The width in pixels.
    public var width: Int

    /// The height in pixels.
    public var height: Int

    /// How the pixels are stored.
    public var format: PixelFormat

    /// What the pixels' values mean.
    public var colorSpace: ColorSpace

    /// The planes, in the format's order.
    public var planes: [PlaneLayout]

    /// The most pixels in a row, and the most rows.
    public static let largestSide = 65536

    /// The most planes an image can have.
    public static let mostPlanes = 4

    /// What a producer says; call ``validate()`` before use.
    public init(
        width: Int,
        height: Int,
        format: PixelFormat,
        colorSpace: ColorSpace = .unknown,
        planes: [PlaneLayout]
    ) {
        self.width = width
        self.height = height
        self.format = format
        self.colorSpace = colorSpace
        self.planes = planes
    }

    /// How many buffers (descriptors) hold the image, 1 to ``mostPlanes``.
    public var bufferCount: Int {
        let highest = planes.reduce(0) { max($0, $1.buffer) }
        return min(highest, Self.mostPlanes - 1) + 1
    }

    /// The bytes that buffer `index` must have to hold its planes, 0 if there are none in it.
    ///
    /// Numbers that don't fit give `Int.max`, which no buffer has.
    public func bufferSize(_ index: Int) -> Int {
        planes.reduce(0) { size, plane in
            plane.buffer == index ? max(size, plane.end ?? .max) : size
        }
    }

    /// The bytes of real pixels in a row of the plane, without padding: the part of the stride that means something.
    ///
    /// Nil for a compressed or unknown format, a plane that the format hasn't got, or a width below 1.
    public func rowBytes(plane: Int) -> Int? {
        planeInfo(plane)?.rowBytes(width: width)
    }

    /// The rows of the plane.
    ///
    /// Nil for a compressed or unknown format, a plane that the format hasn't got, or a height below 1.
    public func rows(plane: Int) -> Int? {
        planeInfo(plane)?.rows(height: height)
    }

    private func planeInfo(_ plane: Int) -> PlaneInfo? {
        guard let info = format.info, info.planes.indices.contains(plane) else { return nil }
        return info.planes[plane]
    }
}

extension ImageLayout: CustomStringConvertible {
    /// For people: "1920x1080 YUV420 Rec709".
    public var description: String {
        colorSpace == .unknown ? "\(width)x\(height) \(format)" : "\(width)x\(height) \(format) \(colorSpace)"
    }
}
