public import FrameShare

/// The shape of a pixel as it is shown: its width to its height. Square pixels have none.
public struct PixelAspect: Sendable, Hashable, CustomStringConvertible {
    public let width: Int32
    public let height: Int32

    /// As a source tells it in `SampleAspectRatio`; nil where that is not there, contradicts itself or says square.
    public init?(_ metadata: borrowing MetadataView) {
        guard case .int32s(let sides)? = metadata["SampleAspectRatio"], sides.count == 2, sides[0] > 0, sides[1] > 0,
            sides[0] != sides[1]
        else { return nil }
        (width, height) = (sides[0], sides[1])
    }

    /// "4:3"
    public var description: String { "\(width):\(height)" }
}
