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
