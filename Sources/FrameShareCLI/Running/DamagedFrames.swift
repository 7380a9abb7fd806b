import FrameShare

/// Leaves out frames that may be damaged, and counts them. For one thread.
final class DamagedFrames {
    private let areTaken: Bool
    /// How many were left out.
    private(set) var count: UInt64 = 0

    init(_ option: DamageOption) { areTaken = option.damaged }

    /// Whether the frame is to be left out.
    /// - Parameter encoding: whether its pixels are read where they are: what is missing would be an earlier frame's
    func leaveOut(_ frame: borrowing Frame, encoding: Bool = false) -> Bool {
        guard frame.isDamaged, !areTaken || encoding && frame.isShort else { return false }
        count += 1
        return true
    }

    /// For people; empty where there were none.
    var text: String { count > 0 ? "; damaged and left out \(count)" : "" }
}
