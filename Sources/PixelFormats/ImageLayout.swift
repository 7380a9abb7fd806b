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

/// Where one plane of an image lies in its buffer.
public struct PlaneLayout: Hashable, Sendable {
    /// The bytes from the start of the buffer to the first pixel.
    public var offset: Int

    /// The bytes from one row to the next; 0 where there are no rows (compressed and unknown formats).
    public var stride: Int

    /// The bytes of the plane, padding included; of a compressed image the most it can have.
    public var size: Int

    /// Which of the image's buffers (descriptors) holds the plane; 0 unless it has several.
    public var buffer: Int

    /// Takes any numbers; ``ImageLayout/validate()`` judges them.
    public init(offset: Int, stride: Int, size: Int, buffer: Int = 0) {
        self.offset = offset
        self.stride = stride
        self.size = size
        self.buffer = buffer
    }

    /// The bytes from the start of the buffer to the plane's end, nil if they don't fit an `Int`.
    var end: Int? { offset.plus(size) }
}

extension ImageLayout {
    /// Checks that all numbers make sense together, so that every row of every plane lies inside its plane and every
    /// plane inside the ``bufferSize(_:)`` bytes of its buffer. It doesn't know how large the buffers really are.
    ///
    /// Any number may be given; none makes it trap. Planes may overlap.
    ///
    /// - A known uncompressed format has exactly its planes; each stride holds a row, each size all rows.
    /// - A compressed format has one plane, whose size is above 0 and whose stride means nothing.
    /// - An unknown format has 1 to 4 planes of bytes, with sizes above 0.
    public func validate() throws(ImageLayoutError) {
        guard (1...Self.largestSide).contains(width), (1...Self.largestSide).contains(height) else {
            throw .sizeOutOfRange(width: width, height: height)
        }
        let info = format.info
        try validatePlaneCount(info)
        for (index, plane) in planes.enumerated() {
            guard plane.offset >= 0, plane.stride >= 0, plane.size > 0, plane.end != nil else {
                throw .planeOutOfRange(plane: index, plane)
            }
        }
        try validateBufferIndices()
        if let info, !info.isCompressed { try validateRows(info) }
    }

    /// As ``validate()``, and that buffers of these sizes, in bytes, hold the planes.
    public func validate(bufferSizes: [Int]) throws(ImageLayoutError) {
        try validate()
        for buffer in 0..<bufferCount {
            let size = buffer < bufferSizes.count ? bufferSizes[buffer] : 0
            let needed = bufferSize(buffer)
            guard size >= needed else { throw .bufferTooSmall(buffer: buffer, size: size, needed: needed) }
        }
    }

    private func validatePlaneCount(_ info: PixelFormatInfo?) throws(ImageLayoutError) {
        if let info {
            let needed = max(1, info.planes.count)
            guard planes.count == needed else {
                throw .wrongPlaneCount(format, found: planes.count, needed: needed)
            }
        } else {
            guard (1...Self.mostPlanes).contains(planes.count) else {
                throw .wrongPlaneCount(format, found: planes.count, needed: nil)
            }
        }
    }

    private func validateBufferIndices() throws(ImageLayoutError) {
        let indices = planes.map(\.buffer)
        let used = Set(indices)
        // As many different indices as there are buffers up to the highest one: no gap, none below 0.
        guard used.min() == 0, used.max() == used.count - 1 else { throw .bufferIndices(indices) }
    }

    private func validateRows(_ info: PixelFormatInfo) throws(ImageLayoutError) {
        for (index, (plane, planeInfo)) in zip(planes, info.planes).enumerated() {
            guard let rowBytes = planeInfo.rowBytes(width: width), let rows = planeInfo.rows(height: height) else {
                throw .sizeOutOfRange(width: width, height: height)
            }
            guard plane.stride >= rowBytes else {
                throw .strideTooSmall(plane: index, stride: plane.stride, rowBytes: rowBytes)
            }
            guard let needed = plane.stride.times(rows) else { throw .planeOutOfRange(plane: index, plane) }
            guard plane.size >= needed else { throw .planeTooSmall(plane: index, size: plane.size, needed: needed) }
        }
    }
}

/// Why an image layout can't be used.
public enum ImageLayoutError: Error, Hashable, Sendable {
    /// Width and height, in pixels, must each be 1 to ``ImageLayout/largestSide``.
    case sizeOutOfRange(width: Int, height: Int)
    /// The format needs another number of planes; `needed` is nil where it isn't known, and 1 to 4 will do.
    case wrongPlaneCount(PixelFormat, found: Int, needed: Int?)
    /// A plane's offset, stride or size, in bytes, is below 0, or its end doesn't fit a number.
    case planeOutOfRange(plane: Int, PlaneLayout)
    /// A row of `rowBytes` bytes of pixels doesn't fit the stride.
    case strideTooSmall(plane: Int, stride: Int, rowBytes: Int)
    /// The rows of the plane, each of one stride, need more bytes than its size.
    case planeTooSmall(plane: Int, size: Int, needed: Int)
    /// The planes' buffer indices aren't 0, 1, … without a gap.
    case bufferIndices([Int])
    /// The buffer is smaller than the planes in it.
    case bufferTooSmall(buffer: Int, size: Int, needed: Int)
    /// A layout for this format can't be computed: it is compressed or unknown.
    case noGeometry(PixelFormat)
    /// A stride alignment must be 1 to ``ImageLayout/largestSide`` bytes.
    case alignmentOutOfRange(Int)
    /// The strides of the further planes don't follow from `bytesPerLine`, which isn't a multiple of `divisor`.
    case strideNotDivisible(bytesPerLine: Int, by: Int)
}

extension ImageLayoutError: CustomStringConvertible {
    /// What is wrong, with the numbers, for the one who made the layout.
    public var description: String {
        switch self {
        case .sizeOutOfRange(let width, let height):
            "image size \(width)x\(height) is out of range: each side must be 1 to \(ImageLayout.largestSide) pixels"
        case .wrongPlaneCount(let format, let found, let needed?):
            "\(format) needs \(needed) plane\(needed == 1 ? "" : "s"), the layout has \(found)"
        case .wrongPlaneCount(let format, let found, nil):
            "an image of unknown format (\(format)) has 1 to \(ImageLayout.mostPlanes) planes, the layout has \(found)"
        case .planeOutOfRange(let plane, let layout):
            "plane \(plane) is impossible: offset \(layout.offset), stride \(layout.stride), size \(layout.size) bytes"
        case .strideTooSmall(let plane, let stride, let rowBytes):
            "plane \(plane) has a stride of \(stride) bytes, a row of its pixels needs \(rowBytes)"
        case .planeTooSmall(let plane, let size, let needed):
            "plane \(plane) has \(size) bytes, its rows need \(needed)"
        case .bufferIndices(let indices):
            "the planes' buffer indices \(indices) must count up from 0 without a gap"
        case .bufferTooSmall(let buffer, let size, let needed):
            "buffer \(buffer) has \(size) bytes, its planes need \(needed)"
        case .noGeometry(let format):
            "\(format) is compressed or unknown, its layout can't be computed: give the most bytes a frame can have"
        case .alignmentOutOfRange(let alignment):
            "stride alignment \(alignment) is out of range: it must be 1 to \(ImageLayout.largestSide) bytes"
        case .strideNotDivisible(let bytesPerLine, let divisor):
            "\(bytesPerLine) bytes per line must be a multiple of \(divisor): other planes' strides are derived from it"
        }
    }
}

// Layouts come from peers and drivers: no number in them may trap, whatever it is.
extension Int {
    /// The product, nil if it overflows.
    func times(_ other: Int) -> Int? {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? nil : product
    }

    /// The sum, nil if it overflows.
    func plus(_ other: Int) -> Int? {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? nil : sum
    }

    /// The quotient rounded up, for a value of 0 or above and a divisor above 0.
    func dividedRoundingUp(by divisor: Int) -> Int {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder > 0 ? quotient + 1 : quotient
    }

    /// The next multiple, nil if it overflows; for a value of 0 or above and a divisor above 0.
    func roundedUp(toMultipleOf divisor: Int) -> Int? {
        dividedRoundingUp(by: divisor).times(divisor)
    }
}
