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

    /// Reads ``description``, and the word as Swift and C have it: `everyFrame`, `FRAMESHARE_POLICY_EVERY_FRAME`. `queue` alone
    /// is a queue of 4 frames.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        var word = parts[0].lowercased().filter { $0 != "-" && $0 != "_" }
        if word.hasPrefix("framesharepolicy") { word.removeFirst("framesharepolicy".count) }
        switch (word, parts.count) {
        case ("latest", 1): self = .latest
        case ("everyframe", 1): self = .everyFrame
        case ("queue", 1): self = .queue(4)
        case ("queue", 2):
            // Digits alone: Swift's own reading takes "+4".
            guard parts[1].utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
                let depth = Int(parts[1]), (1...LaneMemory.maximumDepth).contains(depth)
            else { return nil }
            self = .queue(depth)
        default: return nil
        }
    }
}
