internal import LeaseProtocol
public import PixelFormats

/// What a subscriber wants of a stream: its size, format, rate, and which part of it, turned how.
///
/// What is nil stays as it is in the original. The rectangle is cut out first, in the original's pixels. What is left is turned,
/// mirrored, and brought to the size, which is that of the result.
public struct Wish: Sendable, Hashable {
    /// In pixels, of the result. One alone keeps the shape of the original.
    public var width: Int?
    public var height: Int?
    /// One of ``formats``.
    public var format: PixelFormat?
    /// At most so many frames a second: ``Subscriber/Options/atMost``.
    public var rate: Double?
    /// The part wanted, in the original's pixels.
    public var crop: Crop?
    public var rotation = Rotation.none
    /// Whether left and right change places, after the rotation.
    public var mirror = false
    public var filter = Filter.area

    /// Clockwise, in degrees.
    public enum Rotation: Int, Sendable, Hashable, CaseIterable {
        case none = 0
        case quarter = 90
        case half = 180
        case threeQuarters = 270

        /// Whether width and height change places.
        public var swapsSides: Bool { self == .quarter || self == .threeQuarters }
    }

    /// How pixels are made of others where the size changes.
    public enum Filter: String, Sendable, Hashable, CaseIterable {
        /// The nearest: for labels and masks.
        case nearest
        /// Of the four around.
        case bilinear
        /// The mean of all that it covers, where it becomes smaller; else bilinear.
        case area
    }

    public init(
        width: Int? = nil,
        height: Int? = nil,
        format: PixelFormat? = nil,
        rate: Double? = nil,
        crop: Crop? = nil,
        rotation: Rotation = .none,
        mirror: Bool = false,
        filter: Filter = .area
    ) {
        (self.width, self.height, self.format, self.rate) = (width, height, format, rate)
        (self.crop, self.rotation, self.mirror, self.filter) = (crop, rotation, mirror, filter)
    }

    /// Red, green, blue, a byte each in this order, of a size.
    public static func rgb(_ width: Int, _ height: Int) -> Wish {
        Wish(width: width, height: height, format: .rgbBytes)
    }
    /// Blue, green, red, a byte each in this order, of a size: what OpenCV has.
    public static func bgr(_ width: Int, _ height: Int) -> Wish {
        Wish(width: width, height: height, format: .bgrBytes)
    }
    /// Brightness alone, a byte a pixel, of a size.
    public static func grey(_ width: Int, _ height: Int) -> Wish { Wish(width: width, height: height, format: .r8) }

    /// The formats that can be wished for: 8 bits a sample, or RGB565.
    public static let formats: [PixelFormat] = [
        .rgb888, .bgr888, .xrgb8888, .xbgr8888, .rgbx8888, .bgrx8888, .argb8888, .abgr8888, .rgba8888, .bgra8888,
        .rgb565, .r8,
        .yuv420, .yvu420, .yuv422, .yvu422, .yuv444, .yvu444, .nv12, .nv21, .nv24, .nv42, .yuyv, .uyvy, .yvyu,
    ]

    /// The largest side that can be wished for, in pixels.
    public static let largestSide = 16_384
    /// The most pixels that can be wished for.
    public static let mostPixels = 1 << 27

    /// Whether it asks for nothing but what the original is, or fewer of its frames.
    public var asksForPixels: Bool {
        width != nil || height != nil || format != nil || crop != nil || rotation != .none || mirror
    }

    /// Whether a stream is this already.
    public func isFulfilled(by layout: ImageLayout) -> Bool {
        crop == nil && rotation == .none && !mirror && (width ?? layout.width) == layout.width
            && (height ?? layout.height) == layout.height && (format ?? layout.format) == layout.format
    }

    /// Refuses what no converter could make, whatever the original is.
    public func check() throws(WishError) {
        for side in [width, height] {
            if let side, !(1...Self.largestSide).contains(side) { throw .size(width: width, height: height) }
        }
        if let width, let height, width * height > Self.mostPixels { throw .size(width: width, height: height) }
        if let format, !Self.formats.contains(format) { throw .format(format.name) }
        if let rate, Thinning.interval(ofRate: rate) == nil { throw .rate(rate) }
        if let crop,
            crop.width < 1 || crop.height < 1 || crop.x < 0 || crop.y < 0 || crop.width > Self.largestSide
                || crop.height > Self.largestSide || crop.x > 1 << 16 || crop.y > 1 << 16
        {
            throw .crop(crop)
        }
    }
}

/// Why a wish can't be fulfilled.
public enum WishError: Error, Sendable, Equatable, CustomStringConvertible {
    case size(width: Int?, height: Int?)
    case format(String)
    case rate(Double)
    case rotation(Int)
    case crop(Crop)
    /// The channel has several streams: it must be said of which.
    case stream(offered: [String])
    /// So many others of this user are being fulfilled.
    case tooMany(channel: String, most: Int)
    /// There is no program to convert with.
    case noConverter(String)
    /// The converter has ended before it began, in its own words.
    case notStarted(String)
    case channel(ChannelError)

    public var description: String {
        switch self {
        case .size(let width, let height):
            "a size of \(width.map { "\($0)" } ?? "any")x\(height.map { "\($0)" } ?? "any") can't be wished for: each side is 1"
                + " to \(Wish.largestSide), and all pixels at most \(Wish.mostPixels)"
        case .format(let name):
            "pixels of the format '\(name)' can't be wished for; ask for one of "
                + Wish.formats.map(\.name).joined(separator: ", ")
        case .rate(let rate): "\(ChannelError.badRate(rate))"
        case .rotation(let degrees): "a rotation by \(degrees) degrees can't be wished for; ask for 90, 180 or 270"
        case .crop(let crop): "the rectangle \(crop) can't be cut out of an image"
        case .stream(let offered):
            "the channel has several streams: say which is wanted, of \(offered.joined(separator: ", "))"
        case .tooMany(let channel, let most):
            "this user has \(most) different wishes of '\(channel)' fulfilled now, which is the most: ask for one of those"
                + " ('frameshare list' shows them), or end a reader"
        case .noConverter(let reason): "there is no converter: \(reason)"
        case .notStarted(let reason): "the converter did not start: \(reason)"
        case .channel(let error): "\(error)"
        }
    }
}

// MARK: as text

extension Wish: CustomStringConvertible {
    /// The same wish in the same words: `640x360-RGB888-10fps-crop800x600+10+20-rot90-mirror-nearest`.
    public var description: String {
        var parts: [String] = []
        if width != nil || height != nil {
            parts.append((width.map { "\($0)" } ?? "") + "x" + (height.map { "\($0)" } ?? ""))
        }
        if let format { parts.append(format.name) }
        if let rate, let interval = Thinning.interval(ofRate: rate) { parts.append(Self.text(interval: interval)) }
        if let crop { parts.append("crop\(crop)") }
        if rotation != .none { parts.append("rot\(rotation.rawValue)") }
        if mirror { parts.append("mirror") }
        if filter != .area { parts.append(filter.rawValue) }
        return parts.isEmpty ? "as-it-is" : parts.joined(separator: "-")
    }

    /// Whole rates as such, others by their interval: rates that are the same to the publisher are the same here.
    private static func text(interval: Int64) -> String {
        for rate in 1...1000 as ClosedRange<Int64> where Thinning.interval(ofRate: Double(rate)) == interval {
            return "\(rate)fps"
        }
        return "\(interval)ns"
    }

    /// The name of the derived channel in which it is fulfilled for a user.
    func channelName(of source: String, stream: String, user: UInt32) -> String {
        // A name has room for 64 characters: what is long is told by a number of it.
        let words = "\(self)".replacing("+", with: ".") + (stream.isEmpty ? "" : "-\(stream)")
        let name = "\(Self.channelPrefix(of: source, user: user))\(words)"
        if name.utf8.count <= 64, !source.isEmpty { return name }
        return Self.channelPrefix(of: source, user: user) + Self.digits("\(source)\n\(words)")
    }

    /// What the names of all derived channels of a source and user begin with.
    static func channelPrefix(of source: String, user: UInt32) -> String {
        source.utf8.count <= 32 ? "\(source).u\(user)." : "\(source.prefix(15))\(digits(source)).u\(user)."
    }

    /// FNV-1a, in 16 digits.
    private static func digits(_ text: String) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
