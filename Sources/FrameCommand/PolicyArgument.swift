internal import ArgumentParser
package import FrameShare
internal import LeaseProtocol

/// `latest`, `queue:N`, `every-frame`.
package enum PolicyArgument {
    package static func parse(_ text: String) throws -> Policy {
        guard let policy = Policy(text) else {
            throw ValidationError("give latest, queue:N (N from 1 to \(LaneMemory.maximumDepth)), or every-frame")
        }
        return policy
    }
}
