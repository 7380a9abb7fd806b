public import FrameShare
public import PixelFormats

/// What a converter does with an image, step after step. A plain value: nothing is allocated for it.
public struct ConversionPlan: Sendable, Hashable {
    /// One step. Each begins with what the one before has left.
    public enum Step: Sendable, Hashable {
        /// Decodes MJPEG, at 1/1, 1/2, 1/4 or 1/8 of its size.
        case decodeJPEG(dividedBy: Int)
        /// Decodes H.264 or HEVC.
        case decodePackets(PixelFormat)
        /// Makes pixels of 8 bits of what scalers can't read: Bayer, packed samples, rarer orders of YUV.
        case unpack(to: PixelFormat)
        case crop(Crop)
        /// Brings pixels to another size, format, or both.
        case scale(width: Int, height: Int, format: PixelFormat, Wish.Filter)
        case turn(Wish.Rotation, mirror: Bool)
    }

    public let steps: [Step]
    /// What comes out.
    public let output: ImageLayout
    /// Where its pixels lie in the original.
    public let place: OriginalPlace

    /// What decoding gives is known from the data alone. This is planned with the pixels that most have.
    public init(of original: ImageLayout, _ wish: Wish) throws(ConversionError) {
        do throws(WishError) { try wish.check() } catch { throw .wish(error) }
        // What a publisher says of its images is not paid for without a limit.
        guard max(original.width, original.height) <= Wish.largestSide,
            original.width * original.height <= Wish.mostPixels
        else { throw .wish(.size(width: original.width, height: original.height)) }
        let crop = wish.crop ?? Crop(width: original.width, height: original.height)
        guard crop.width >= 1, crop.height >= 1, crop.x >= 0, crop.y >= 0, crop.width <= original.width,
            crop.height <= original.height, crop.x <= original.width - crop.width,
            crop.y <= original.height - crop.height
        else { throw .outside(crop, width: original.width, height: original.height) }
        let size = try Self.size(of: crop, wish)
        guard let format = wish.format ?? Self.format(for: original.format) else { throw .unknown(original.format) }
        output = try Self.layout(size.width, size.height, format, Self.colors(of: original, in: format))
        let unturned = wish.rotation.swapsSides ? (size.height, size.width) : (size.width, size.height)
        var steps: [Step] = []
        var now = (format: original.format, crop: crop)
        if original.format == .mjpeg {
            let divisor = Self.divisor(original, crop, unturned)
            steps.append(.decodeJPEG(dividedBy: divisor))
            now.format = .yuv422
            now.crop = Crop(
                x: crop.x / divisor,
                y: crop.y / divisor,
                width: (crop.width + divisor - 1) / divisor,
                height: (crop.height + divisor - 1) / divisor
            )
        } else if original.format == .h264 || original.format == .hevc {
            steps.append(.decodePackets(original.format))
            now.format = .yuv420
        } else if !PixelScaler.reads(original.format) {
            guard let unpacked = PixelUnpacker.format(of: original.format) else { throw .unknown(original.format) }
            steps.append(.unpack(to: unpacked))
            now.format = unpacked
        }
        let isCut = crop.width != original.width || crop.height != original.height
        if isCut { steps.append(.crop(now.crop)) }
        let turns = wish.rotation != .none || wish.mirror
        let middle = turns ? PixelTurner.format(for: format) : format
        if (now.crop.width, now.crop.height) != unturned || now.format != middle || steps.isEmpty && !turns
            || isCut && !turns
        {
            steps.append(.scale(width: unturned.0, height: unturned.1, format: middle, wish.filter))
        }
        if turns {
            steps.append(.turn(wish.rotation, mirror: wish.mirror))
            if middle != format {
                steps.append(.scale(width: size.width, height: size.height, format: format, wish.filter))
            }
        }
        self.steps = steps
        place = Self.place(crop, size, wish)
    }

    private static func size(of crop: Crop, _ wish: Wish) throws(ConversionError) -> (width: Int, height: Int) {
        let (across, down) = wish.rotation.swapsSides ? (crop.height, crop.width) : (crop.width, crop.height)
        let size: (width: Int, height: Int) =
            switch (wish.width, wish.height) {
            case (let width?, let height?): (width, height)
            case (let width?, nil): (width, max(1, (down * width + across / 2) / across))
            case (nil, let height?): (max(1, (across * height + down / 2) / down), height)
            case (nil, nil): (across, down)
            }
        guard size.width <= Wish.largestSide, size.height <= Wish.largestSide,
            size.width * size.height <= Wish.mostPixels
        else { throw .wish(.size(width: size.width, height: size.height)) }
        return size
    }

    /// The format where none is wished for: the original's own, or what it decodes to.
    private static func format(for original: PixelFormat) -> PixelFormat? {
        if Wish.formats.contains(original) { return original }
        if original == .mjpeg || original == .h264 || original == .hevc { return .yuv420 }
        return switch original.info?.colorModel {
        case .yuv: .yuv444
        case .rgb, .bayer: .rgbBytes
        case .grey: .r8
        case .compressed, nil: nil
        }
    }

    /// The smallest size that a JPEG image decodes to and that holds what is wanted of it.
    private static func divisor(_ original: ImageLayout, _ crop: Crop, _ wanted: (Int, Int)) -> Int {
        for divisor in [8, 4, 2] {
            let numbers = [crop.x, crop.y, crop.width, crop.height]
            let isWhole = crop.width == original.width && crop.height == original.height
            guard isWhole || numbers.allSatisfy({ $0 % divisor == 0 }) else { continue }
            if crop.width / divisor >= wanted.0, crop.height / divisor >= wanted.1 { return divisor }
        }
        return 1
    }

    /// What the numbers of the result mean.
    static func colors(of original: ImageLayout, in format: PixelFormat) -> ColorSpace {
        var colors = sourceColors(of: original)
        switch format.info?.colorModel {
        case .yuv:
            // Of red, green and blue, and of grey: as cameras have it.
            if original.format.info?.colorModel != .yuv, !original.format.isCompressed {
                (colors.encoding, colors.range) = (.rec601, .limited)
            }
        default: (colors.encoding, colors.range) = (.none, .full)
        }
        return colors
    }

    /// What the numbers of an original mean, where it does not say all of it: JPEG has Rec. 601 in full range; other YUV is
    /// taken for Rec. 601, limited; all else is in full range.
    static func sourceColors(of original: ImageLayout) -> ColorSpace {
        var colors = original.colorSpace
        let isYUV = original.format.info?.colorModel == .yuv || original.format == .h264 || original.format == .hevc
        if original.format == .mjpeg {
            if colors.encoding == .unknown || colors.encoding == .none { colors.encoding = .rec601 }
            colors.range = .full
        } else if isYUV {
            if colors.encoding == .unknown || colors.encoding == .none { colors.encoding = .rec601 }
            if colors.range == .unknown { colors.range = .limited }
        } else if colors.range == .unknown {
            colors.range = .full
        }
        return colors
    }

    /// A layout that a scaler may write to: some write beyond a plane's last pixel, into what is filled later or nobody's.
    static func layout(
        _ width: Int,
        _ height: Int,
        _ format: PixelFormat,
        _ colors: ColorSpace
    ) throws(ConversionError) -> ImageLayout {
        do throws(ImageLayoutError) {
            var layout = try ImageLayout.computed(width: width, height: height, format: format, colorSpace: colors)
            guard layout.planes.count > 1 else {
                let end = layout.planes[0].size % 4096
                if end == 0 || end > 4096 - slack { layout.planes[0].size += slack }
                return layout
            }
            var offset = 0
            for index in layout.planes.indices {
                layout.planes[index].offset = offset
                layout.planes[index].size += slack
                offset += (layout.planes[index].size + 63) / 64 * 64
            }
            return layout
        } catch {
            throw .layout(error)
        }
    }

    static let slack = 64

    private static func place(_ crop: Crop, _ size: (width: Int, height: Int), _ wish: Wish) -> OriginalPlace {
        // From the result's pixels to parts of its sides; from these, unturned, to the rectangle.
        let (width, height) = (Double(size.width), Double(size.height))
        let mirror = wish.mirror ? OriginalPlace(xx: -1, xy: 0, x0: width, yx: 0, yy: 1, y0: 0) : OriginalPlace()
        let unturned =
            switch wish.rotation {
            case .none: OriginalPlace(xx: 1 / width, xy: 0, x0: 0, yx: 0, yy: 1 / height, y0: 0)
            case .quarter: OriginalPlace(xx: 0, xy: 1 / height, x0: 0, yx: -1 / width, yy: 0, y0: 1)
            case .half: OriginalPlace(xx: -1 / width, xy: 0, x0: 1, yx: 0, yy: -1 / height, y0: 1)
            case .threeQuarters: OriginalPlace(xx: 0, xy: -1 / height, x0: 1, yx: 1 / width, yy: 0, y0: 0)
            }
        let back = OriginalPlace(
            xx: Double(crop.width),
            xy: 0,
            x0: Double(crop.x),
            yx: 0,
            yy: Double(crop.height),
            y0: Double(crop.y)
        )
        return mirror.followed(by: unturned).followed(by: back)
    }
}

/// Why an image can't be converted.
public enum ConversionError: Error, Sendable, Equatable, CustomStringConvertible {
    case wish(WishError)
    /// The rectangle does not lie inside the image.
    case outside(Crop, width: Int, height: Int)
    /// Nothing is known of the pixels of this format, or nothing decodes it.
    case unknown(PixelFormat)
    case layout(ImageLayoutError)
    /// The build, or the machine, lacks a library.
    case library(String)
    /// The library can't do it, or has failed.
    case failed(String)
    /// This one frame can't be converted: its data is damaged.
    case damaged(String)
    /// The CPU can't read the stream's memory.
    case notReadable(stream: String)
    case channel(ChannelError)

    public var description: String {
        switch self {
        case .wish(let error): "\(error)"
        case .outside(let crop, let width, let height):
            "the rectangle \(crop) does not lie inside the image of \(width)x\(height)"
        case .unknown(let format): "images of the format \(format) can't be converted: nothing here reads their pixels"
        case .layout(let error): "the image layout is not possible: \(error)"
        case .library(let reason): "a library is missing: \(reason)"
        case .failed(let reason): "the conversion failed: \(reason)"
        case .damaged(let reason): "the frame is damaged: \(reason)"
        case .notReadable(let stream): "the CPU can't read stream '\(stream)': its memory can't be mapped"
        case .channel(let error): "\(error)"
        }
    }
}
