public import PixelFormats

/// A rectangle of an image, in pixels from its upper left corner.
public struct Crop: Sendable, Hashable, CustomStringConvertible {
    public var x: Int
    public var y: Int
    public var width: Int
    public var height: Int

    public init(x: Int = 0, y: Int = 0, width: Int, height: Int) {
        (self.x, self.y, self.width, self.height) = (x, y, width, height)
    }

    /// As X11 and ImageMagick have it: `640x480+320+0`.
    public var description: String { "\(width)x\(height)+\(x)+\(y)" }

    /// Reads ``description``. Without a place (`640x480`) it is the upper left corner.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "+", omittingEmptySubsequences: false)
        let size = parts[0].split(separator: "x", omittingEmptySubsequences: false)
        guard size.count == 2, let width = Int(size[0]), let height = Int(size[1]), parts.count == 1 || parts.count == 3
        else { return nil }
        self.init(width: width, height: height)
        guard parts.count == 3 else { return }
        guard let x = Int(parts[1]), let y = Int(parts[2]) else { return nil }
        (self.x, self.y) = (x, y)
    }
}

/// Why a rectangle can't be cut out of an image without changing a pixel.
public enum CropError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The image is compressed, or of an unknown format.
    case noPixels(PixelFormat)
    /// It is empty, or reaches beyond the image.
    case outside(Crop, width: Int, height: Int)
    /// It would cut through what belongs together: so many pixels across and down.
    case misaligned(Crop, PixelFormat, across: Int, down: Int, reason: String)

    public var description: String {
        switch self {
        case .noPixels(let format):
            "\(format) images are bytes without rows: nothing can be cut out of them; leave the crop out"
        case .outside(let crop, let width, let height):
            "the crop \(crop) does not lie inside the image of \(width)x\(height)"
        case .misaligned(let crop, let format, let across, let down, let reason):
            "the crop \(crop) can't be cut out of \(format): \(reason), so x and width have to be multiples of \(across), "
                + "y and height of \(down) (or reach to the image's edge)"
        }
    }
}

extension Crop {
    /// Throws unless the rectangle lies inside the image and cuts through nothing that belongs together.
    func check(against layout: ImageLayout) throws(CropError) {
        guard let info = layout.format.info, !info.isCompressed else { throw .noPixels(layout.format) }
        guard x >= 0, y >= 0, width > 0, height > 0, width <= layout.width, height <= layout.height,
            x <= layout.width - width, y <= layout.height - height
        else { throw .outside(self, width: layout.width, height: layout.height) }
        var (across, down, reason) = (1, 1, "")
        for plane in info.planes {
            let columns = plane.horizontalSubsampling * plane.pixelsPerGroup
            if columns > across || plane.verticalSubsampling > down {
                (across, down) = (max(across, columns), max(down, plane.verticalSubsampling))
                reason =
                    plane.pixelsPerGroup > 1
                    ? "its pixels lie in groups of \(plane.pixelsPerGroup)"
                    : "a sample of its chroma stands for \(across)x\(down) pixels"
            }
        }
        if case .bayer = info.colorModel {
            // Else the pattern would begin with another colour than the format says.
            (across, down) = (max(across, 2), 2)
            if reason.isEmpty { reason = "its colours repeat every 2x2 pixels" }
        }
        guard x % across == 0, y % down == 0,
            width % across == 0 || x + width == layout.width,
            height % down == 0 || y + height == layout.height
        else { throw .misaligned(self, layout.format, across: across, down: down, reason: reason) }
    }
}

extension ImageLayout {
    /// The layout of a part of such an image, in the same memory: the planes begin later, and rows are as far apart as before.
    /// - Throws: a ``CropError`` where the rectangle does not lie inside the image, or would cut through pixels that belong
    ///   together, such as those that share a sample of chroma.
    public func cropped(to crop: Crop) throws(CropError) -> ImageLayout {
        try crop.check(against: self)
        return part(crop)
    }

    /// As ``cropped(to:)``, of a rectangle that was checked.
    func part(_ crop: Crop) -> ImageLayout {
        var result = self
        (result.width, result.height) = (crop.width, crop.height)
        for (index, info) in (format.info?.planes ?? []).enumerated() where planes.indices.contains(index) {
            let plane = planes[index]
            let rows = result.rows(plane: index) ?? 0
            let rowBytes = result.rowBytes(plane: index) ?? 0
            result.planes[index] = PlaneLayout(
                offset: plane.offset + info.start(of: crop, stride: plane.stride),
                stride: plane.stride,
                size: max(0, rows - 1) * plane.stride + rowBytes,
                buffer: plane.buffer
            )
        }
        return result
    }
}

extension PlaneInfo {
    /// Where the first pixel of a rectangle lies, in bytes from the plane's first.
    func start(of crop: Crop, stride: Int) -> Int {
        crop.y / verticalSubsampling * stride + crop.x / (horizontalSubsampling * pixelsPerGroup) * bytesPerGroup
    }
}

/// The part of an image that an ``Image`` or a ``WritableImage`` shows, small enough to be carried with each of them.
struct ImagePart {
    // Of an image of at most 65536 pixels a side. A width of 0: all of it.
    private var x: UInt32 = 0
    private var y: UInt32 = 0
    private var width: UInt32 = 0
    private var height: UInt32 = 0

    static let whole = ImagePart()

    var isWhole: Bool { width == 0 }

    func layout(of whole: ImageLayout) -> ImageLayout {
        guard !isWhole else { return whole }
        return whole.part(Crop(x: Int(x), y: Int(y), width: Int(width), height: Int(height)))
    }

    /// A part of this part.
    func cropped(to crop: Crop, of whole: ImageLayout) throws(CropError) -> ImagePart {
        try crop.check(against: layout(of: whole))
        var part = self
        (part.x, part.y) = (x + UInt32(crop.x), y + UInt32(crop.y))
        (part.width, part.height) = (UInt32(crop.width), UInt32(crop.height))
        return part
    }
}
