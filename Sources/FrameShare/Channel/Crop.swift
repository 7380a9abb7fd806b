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
