/// The few colours of the pattern, in 8-bit RGB of the image's own colour space.
enum PatternColor: Int, CaseIterable, Sendable {
    case barWhite, barYellow, barCyan, barGreen, barMagenta, barRed, barBlue, barBlack
    /// The number's cells and the front half of the moving box.
    case white
    case black
    /// The band that the box moves in.
    case ground
    /// The rear half of the moving box.
    case tail

    static let bars: [PatternColor] = [
        .barWhite, .barYellow, .barCyan, .barGreen, .barMagenta, .barRed, .barBlue, .barBlack,
    ]

    /// Red, green and blue: bars of 75 per cent, as television's.
    var rgb: (red: Int, green: Int, blue: Int) {
        switch self {
        case .barWhite: (191, 191, 191)
        case .barYellow: (191, 191, 0)
        case .barCyan: (0, 191, 191)
        case .barGreen: (0, 191, 0)
        case .barMagenta: (191, 0, 191)
        case .barRed: (191, 0, 0)
        case .barBlue: (0, 0, 191)
        case .barBlack, .black: (0, 0, 0)
        case .white: (255, 255, 255)
        case .ground: (48, 48, 48)
        case .tail: (255, 128, 0)
        }
    }
}
