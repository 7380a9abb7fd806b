public import PixelFormats

/// A format that a device offers.
public struct V4L2Format: Sendable, Hashable, CustomStringConvertible {
    /// V4L2's code.
    public let code: FourCC
    /// The driver's name for it: "YUYV 4:2:2".
    public let text: String
    /// The format; nil if V4L2's code is the DRM code of another format, with which it would be confused. A code that
    /// is unknown altogether, or that means the same in DRM, is carried as it is, and the image is plain bytes.
    public let format: PixelFormat?
    /// Whether the data is a compressed stream, to the driver's knowledge (`V4L2_FMT_FLAG_COMPRESSED`).
    public let isCompressed: Bool
    /// Whether each plane has a buffer of its own ("NM12").
    public let hasSeparatePlanes: Bool
    /// Whether a library or the driver makes it from another format (`V4L2_FMT_FLAG_EMULATED`).
    public let isEmulated: Bool

    init(code: FourCC, text: String, isEmulated: Bool, isCompressed: Bool = false) {
        self.code = code
        self.text = text
        self.isEmulated = isEmulated
        self.isCompressed = isCompressed
        format = Self.format(of: code)
        hasSeparatePlanes = format.map { $0.v4l2 != code && $0.v4l2MultiPlanar == code } ?? false
    }

    /// What V4L2's code means.
    static func format(of code: FourCC) -> PixelFormat? {
        if let known = PixelFormat(v4l2: code) { return known }
        let unknown = PixelFormat(fourcc: code)
        return unknown.info == nil && !otherInDRM.contains(code) ? unknown : nil
    }

    /// V4L2's codes that are known neither here nor by their meaning in DRM, which has given them to another format: BGR666
    /// is `BGR161616F` there.
    private static let otherInDRM: Set<FourCC> = Set(["BGRH"].compactMap { FourCC($0) })

    /// Why the device's images can't be published in this format; nil if they can.
    public func refusal(path: String) -> V4L2Error? {
        format == nil ? .ambiguousFormat(path: path, code: code) : nil
    }

    /// For people: "YUYV (YUYV 4:2:2)".
    public var description: String { "\(code) (\(text))" }
}

/// The sizes in which a device gives a format: `VIDIOC_ENUM_FRAMESIZES`.
public enum V4L2FrameSizes: Sendable, Hashable, CustomStringConvertible {
    /// Just these, in the driver's order.
    case discrete([V4L2Size])
    /// Any size from `least` to `most` in steps of pixels.
    case stepwise(least: V4L2Size, most: V4L2Size, step: V4L2Size)
    /// The driver doesn't say; ask for one and see what it makes of it.
    case unknown

    /// Whether the size is one of them. True where the driver doesn't say.
    public func contains(_ size: V4L2Size) -> Bool {
        switch self {
        case .unknown: true
        case .discrete(let sizes): sizes.contains(size)
        case .stepwise(let least, let most, let step):
            Self.isStep(size.width, least.width, most.width, step.width)
                && Self.isStep(size.height, least.height, most.height, step.height)
        }
    }

    private static func isStep(_ value: Int, _ least: Int, _ most: Int, _ step: Int) -> Bool {
        value >= least && value <= most && (value - least) % max(1, step) == 0
    }

    public var description: String {
        switch self {
        case .unknown: "unknown"
        case .discrete(let sizes): sizes.map(\.description).joined(separator: ", ")
        case .stepwise(let least, let most, let step): "\(least) to \(most) in steps of \(step)"
        }
    }
}

/// A width and a height in pixels.
public struct V4L2Size: Sendable, Hashable, CustomStringConvertible {
    public var width: Int
    public var height: Int

    public init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }

    /// "640x480".
    public var description: String { "\(width)x\(height)" }
}

/// The time from one frame to the next, as V4L2 has it: a fraction of a second.
public struct V4L2Interval: Sendable, Hashable, Comparable, CustomStringConvertible {
    public var numerator: UInt32
    public var denominator: UInt32

    /// `numerator` / `denominator` seconds; nil if either is 0.
    public init?(numerator: UInt32, denominator: UInt32) {
        guard numerator > 0, denominator > 0 else { return nil }
        self.numerator = numerator
        self.denominator = denominator
    }

    /// The interval of a rate in frames a second: 1/30, 1001/30000 for 29.97. Nil if it isn't above 0 and at most 1000000.
    public init?(framesPerSecond rate: Double) {
        guard rate > 0, rate <= 1_000_000 else { return nil }
        if (rate - rate.rounded()).magnitude < 0.000_1, rate >= 1 {
            self.init(numerator: 1, denominator: UInt32(rate.rounded()))
        } else if (rate * 1.001 - (rate * 1.001).rounded()).magnitude < 0.001, rate > 20 {
            self.init(numerator: 1001, denominator: UInt32((rate * 1.001).rounded()) * 1000)
        } else {
            self.init(numerator: 1000, denominator: UInt32(max(1, (rate * 1000).rounded())))
        }
    }

    /// Frames a second.
    public var framesPerSecond: Double { Double(denominator) / Double(numerator) }

    /// Compares durations: the shorter interval is the higher rate.
    public static func < (a: V4L2Interval, b: V4L2Interval) -> Bool {
        UInt64(a.numerator) * UInt64(b.denominator) < UInt64(b.numerator) * UInt64(a.denominator)
    }

    /// Whether both mean the same time: 1/30 and 1000/30000.
    public func isSame(as other: V4L2Interval) -> Bool { !(self < other) && !(other < self) }

    /// "30 fps", "29.97 fps".
    public var description: String {
        let hundredths = Int((framesPerSecond * 100).rounded())
        let whole = hundredths / 100
        let rest = hundredths % 100
        if rest == 0 { return "\(whole) fps" }
        return "\(whole).\(rest < 10 ? "0" : "")\(rest % 10 == 0 ? rest / 10 : rest) fps"
    }
}

/// The intervals a device offers for a format and size: `VIDIOC_ENUM_FRAMEINTERVALS`.
public enum V4L2FrameIntervals: Sendable, Hashable, CustomStringConvertible {
    /// Just these, in the driver's order.
    case discrete([V4L2Interval])
    /// Any from the shortest to the longest.
    case range(shortest: V4L2Interval, longest: V4L2Interval)
    /// The driver doesn't say.
    case unknown

    public var description: String {
        switch self {
        case .unknown: "unknown"
        case .discrete(let intervals): intervals.map(\.description).joined(separator: ", ")
        case .range(let shortest, let longest): "\(longest) to \(shortest)"
        }
    }
}
