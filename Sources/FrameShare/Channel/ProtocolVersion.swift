/// The version of what publishers and subscribers say to each other. Versions of one major number work together; the minor
/// number counts what was added since.
public struct ProtocolVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    public var major: UInt8
    public var minor: UInt8

    public init(major: UInt8, minor: UInt8) { (self.major, self.minor) = (major, minor) }

    /// The version that this program speaks.
    public static let current = ProtocolVersion(major: 3, minor: 2)

    /// From this on a publisher offers a subscriber as many frames a second as it asks for.
    static let thinning = ProtocolVersion(major: 3, minor: 2)

    /// Such as "3.2".
    public var description: String { "\(major).\(minor)" }

    public static func < (a: ProtocolVersion, b: ProtocolVersion) -> Bool {
        (a.major, a.minor) < (b.major, b.minor)
    }

    /// Says which of two programs is older; empty where neither is.
    static func comparison(
        of us: String,
        _ ours: ProtocolVersion = .current,
        with them: String,
        _ theirs: ProtocolVersion
    ) -> String {
        guard ours != theirs else { return "" }
        return "\(us) speaks protocol \(ours), \(them) \(theirs): \(ours < theirs ? us : them) is older; update it"
    }
}
