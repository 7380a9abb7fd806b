internal import LeaseProtocol

/// How a subscriber that is slower than the camera is served: `latest`, `queue(n)` or `everyFrame`.
public typealias Policy = DeliveryPolicy

extension DeliveryPolicy: CustomStringConvertible {
    /// As the command line has it: `latest`, `queue:4`, `every-frame`.
    public var description: String {
        switch self {
        case .latest: "latest"
        case .queue(let depth): "queue:\(depth)"
        case .everyFrame: "every-frame"
        }
    }

    /// Reads ``description``; also `queue` (4 frames) and `everyFrame`.
    public init?(_ text: String) {
        switch text {
        case "latest": self = .latest
        case "every-frame", "everyFrame", "every_frame": self = .everyFrame
        case "queue": self = .queue(4)
        default:
            guard text.hasPrefix("queue:"), let depth = Int(text.dropFirst(6)),
                (1...LaneMemory.maximumDepth).contains(depth)
            else { return nil }
            self = .queue(depth)
        }
    }
}
