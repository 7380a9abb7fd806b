/// What the numbers of an image's samples mean as colours. Four properties, each of which may be unknown; the sets that
/// have a name have libcamera's.
///
/// The raw values of the four enumerations are fixed; they may be stored and sent.
public struct ColorSpace: Hashable, Sendable {
    /// The colours that red, green and blue stand for.
    public enum Primaries: UInt8, Hashable, Sendable, CaseIterable {
        /// Not known, or none of these.
        case unknown = 0
        /// The sensor's own, before any colour correction.
        case raw = 1
        /// SMPTE 170M.
        case smpte170m = 2
        /// Rec. 709, also those of sRGB.
        case rec709 = 3
        /// Rec. 2020.
        case rec2020 = 4
    }

    /// How sample values follow from light.
    public enum Transfer: UInt8, Hashable, Sendable, CaseIterable {
        /// Not known, or none of these.
        case unknown = 0
        /// In proportion to light.
        case linear = 1
        /// sRGB's curve.
        case srgb = 2
        /// Rec. 709's curve, also that of SMPTE 170M and Rec. 2020.
        case rec709 = 3
    }

    /// How luma and colour difference follow from red, green and blue.
    public enum Encoding: UInt8, Hashable, Sendable, CaseIterable {
        /// Not known, or none of these.
        case unknown = 0
        /// No such step: an RGB or raw image.
        case none = 1
        /// Rec. 601's matrix, also that of JPEG.
        case rec601 = 2
        /// Rec. 709's matrix.
        case rec709 = 3
        /// Rec. 2020's matrix, non-constant luminance.
        case rec2020 = 4
    }

    /// The range of the sample values.
    public enum Range: UInt8, Hashable, Sendable, CaseIterable {
        /// Not known.
        case unknown = 0
        /// All values: 0 to 255 in 8 bits.
        case full = 1
        /// In 8 bits 16 to 235 for luma and 16 to 240 for the colour differences.
        case limited = 2
    }

    /// The colours that red, green and blue stand for.
    public var primaries: Primaries
    /// How sample values follow from light.
    public var transfer: Transfer
    /// How luma and colour difference follow from red, green and blue.
    public var encoding: Encoding
    /// The range of the sample values.
    public var range: Range

    /// Any combination is taken.
    public init(primaries: Primaries, transfer: Transfer, encoding: Encoding, range: Range) {
        self.primaries = primaries
        self.transfer = transfer
        self.encoding = encoding
        self.range = range
    }

    /// Nothing is known.
    public static let unknown = ColorSpace(primaries: .unknown, transfer: .unknown, encoding: .unknown, range: .unknown)
    /// A sensor's raw samples.
    public static let raw = ColorSpace(primaries: .raw, transfer: .linear, encoding: .none, range: .full)
    /// sRGB, for RGB formats.
    public static let srgb = ColorSpace(primaries: .rec709, transfer: .srgb, encoding: .none, range: .full)
    /// sYCC: sRGB as full-range Y'CbCr, what JPEG files hold.
    public static let sycc = ColorSpace(primaries: .rec709, transfer: .srgb, encoding: .rec601, range: .full)
    /// SMPTE 170M: standard-definition video.
    public static let smpte170m = ColorSpace(
        primaries: .smpte170m,
        transfer: .rec709,
        encoding: .rec601,
        range: .limited
    )
    /// Rec. 709: high-definition video.
    public static let rec709 = ColorSpace(primaries: .rec709, transfer: .rec709, encoding: .rec709, range: .limited)
    /// Rec. 2020: ultra-high-definition video.
    public static let rec2020 = ColorSpace(primaries: .rec2020, transfer: .rec709, encoding: .rec2020, range: .limited)
}

extension ColorSpace: CustomStringConvertible {
    /// libcamera's text: "RAW", "sRGB", "sYCC", "SMPTE170M", "Rec709", "Rec2020", or the four properties
    /// ("Rec709/sRGB/Rec601/Limited"). "unknown" where nothing is known, and for each property that isn't.
    public var name: String {
        if let known = Self.names.first(where: { $0.space == self }) { return known.name }
        return "\(primaries.name)/\(transfer.name)/\(encoding.name)/\(range.name)"
    }

    /// The ``name``.
    public var description: String { name }

    /// Reads what ``name`` gives, upper or lower case; nil for anything else.
    public init?(name: String) {
        let text = name.lowercased()
        if let known = Self.names.first(where: { $0.name.lowercased() == text }) {
            self = known.space
            return
        }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard
            parts.count == 4,
            let primaries = Primaries.allCases.first(where: { $0.name.lowercased() == parts[0] }),
            let transfer = Transfer.allCases.first(where: { $0.name.lowercased() == parts[1] }),
            let encoding = Encoding.allCases.first(where: { $0.name.lowercased() == parts[2] }),
            let range = Range.allCases.first(where: { $0.name.lowercased() == parts[3] })
        else { return nil }
        self.init(primaries: primaries, transfer: transfer, encoding: encoding, range: range)
    }

    private static let names: [(name: String, space: ColorSpace)] = [
        ("unknown", .unknown), ("RAW", .raw), ("sRGB", .srgb), ("sYCC", .sycc), ("SMPTE170M", .smpte170m),
        ("Rec709", .rec709), ("Rec2020", .rec2020),
    ]
}

extension ColorSpace.Primaries {
    /// libcamera's name.
    public var name: String {
        switch self {
        case .unknown: "unknown"
        case .raw: "RAW"
        case .smpte170m: "SMPTE170M"
        case .rec709: "Rec709"
        case .rec2020: "Rec2020"
        }
    }
}

extension ColorSpace.Transfer {
    /// libcamera's name.
    public var name: String {
        switch self {
        case .unknown: "unknown"
        case .linear: "Linear"
        case .srgb: "sRGB"
        case .rec709: "Rec709"
        }
    }
}

extension ColorSpace.Encoding {
    /// libcamera's name.
    public var name: String {
        switch self {
        case .unknown: "unknown"
        case .none: "None"
        case .rec601: "Rec601"
        case .rec709: "Rec709"
        case .rec2020: "Rec2020"
        }
    }
}

extension ColorSpace.Range {
    /// libcamera's name.
    public var name: String {
        switch self {
        case .unknown: "unknown"
        case .full: "Full"
        case .limited: "Limited"
        }
    }
}
