/// Which lines of an interlaced picture a frame holds, and in which order: `enum v4l2_field`.
public enum V4L2Field: UInt32, Sendable, Hashable {
    /// `V4L2_FIELD_ANY`: the driver doesn't say.
    case unknown = 0
    /// `V4L2_FIELD_NONE`: the picture isn't interlaced.
    case progressive = 1
    /// The odd lines alone, of half the height.
    case top = 2
    /// The even lines alone, of half the height.
    case bottom = 3
    /// Both fields, line by line, in the order of the video standard.
    case interlaced = 4
    /// Both fields, the top one's lines first, then the bottom one's.
    case sequentialTopBottom = 5
    /// Both fields, the bottom one's lines first, then the top one's.
    case sequentialBottomTop = 6
    /// Of a set-up: the frames are top and bottom fields by turns. A frame says ``top`` or ``bottom``.
    case alternate = 7
    /// Both fields, line by line; the top one is the earlier.
    case interlacedTopBottom = 8
    /// Both fields, line by line; the bottom one is the earlier.
    case interlacedBottomTop = 9

    /// V4L2's name, as `v4l2-ctl` writes it; nil where the picture isn't interlaced, or the driver doesn't say.
    public var name: String? {
        switch self {
        case .unknown, .progressive: nil
        case .top: "top"
        case .bottom: "bottom"
        case .interlaced: "interlaced"
        case .sequentialTopBottom: "seq-tb"
        case .sequentialBottomTop: "seq-bt"
        case .alternate: "alternate"
        case .interlacedTopBottom: "interlaced-tb"
        case .interlacedBottomTop: "interlaced-bt"
        }
    }

    /// What each frame is, in words.
    var explanation: String {
        switch self {
        case .unknown, .progressive: "a whole picture"
        case .top, .bottom: "one field, of half the height (\(name ?? ""))"
        case .alternate: "one field, of half the height, top and bottom by turns"
        case .sequentialTopBottom, .sequentialBottomTop: "two fields after each other (\(name ?? ""))"
        case .interlaced, .interlacedTopBottom, .interlacedBottomTop: "two fields, line by line (\(name ?? ""))"
        }
    }
}
