/// Where the pixels of a converted frame lie in its original: a step of scaling, cutting, turning and mirroring.
///
/// A point is `x` pixels from the left edge and `y` from the upper one; the centre of the first pixel is (0.5, 0.5).
public struct OriginalPlace: Sendable, Hashable {
    /// The original's x is `xx * x + xy * y + x0`, its y is `yx * x + yy * y + y0`.
    public var xx = 1.0, xy = 0.0, x0 = 0.0, yx = 0.0, yy = 1.0, y0 = 0.0

    /// Converted and original are the same.
    public init() {}

    public init(xx: Double, xy: Double, x0: Double, yx: Double, yy: Double, y0: Double) {
        (self.xx, self.xy, self.x0, self.yx, self.yy, self.y0) = (xx, xy, x0, yx, yy, y0)
    }

    /// A point of the converted frame, in the original.
    public func original(x: Double, y: Double) -> (x: Double, y: Double) {
        (xx * x + xy * y + x0, yx * x + yy * y + y0)
    }

    /// A rectangle of the converted frame, in the original.
    public func original(
        x: Double,
        y: Double,
        width: Double,
        height: Double
    ) -> (x: Double, y: Double, width: Double, height: Double) {
        let (a, b) = (original(x: x, y: y), original(x: x + width, y: y + height))
        return (min(a.x, b.x), min(a.y, b.y), (a.x - b.x).magnitude, (a.y - b.y).magnitude)
    }

    /// First this, then another that leads further back.
    public func followed(by next: OriginalPlace) -> OriginalPlace {
        let (origin, right, down) = (original(x: 0, y: 0), original(x: 1, y: 0), original(x: 0, y: 1))
        let o = next.original(x: origin.x, y: origin.y)
        let r = next.original(x: right.x, y: right.y)
        let d = next.original(x: down.x, y: down.y)
        return OriginalPlace(xx: r.x - o.x, xy: d.x - o.x, x0: o.x, yx: r.y - o.y, yy: d.y - o.y, y0: o.y)
    }

    /// The key of a frame's metadata, an array of six doubles: xx, xy, x0, yx, yy, y0.
    public static let key = "OriginalPlace"
}

extension OriginalPlace {
    /// As metadata has it.
    public init?(_ value: MetadataValue?) {
        guard case .doubles(let n)? = value, n.count == 6, n.allSatisfy(\.isFinite) else { return nil }
        self.init(xx: n[0], xy: n[1], x0: n[2], yx: n[3], yy: n[4], y0: n[5])
    }

    /// For metadata.
    public var value: MetadataValue { .doubles([xx, xy, x0, yx, yy, y0]) }
}

extension Frame {
    /// Where its pixels lie in the frame that the camera gave. They are the same where nothing has converted it.
    public var originalPlace: OriginalPlace { OriginalPlace(metadata[OriginalPlace.key]) ?? OriginalPlace() }
}
