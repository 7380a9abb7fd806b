internal import LeaseProtocol

/// How large the pool of a copy stage is to be.
public enum CopyCapacity: Sendable, Hashable, CustomStringConvertible {
    /// So many frames, 2 to 1024.
    case slots(Int)
    /// As many frames as so many bytes hold, their metadata included.
    case bytes(Int)
    /// The frames of so long a time.
    case duration(Duration, framesPerSecond: Double)

    public var description: String {
        switch self {
        case .slots(let count): "\(count) slots"
        case .bytes(let count): "\(count) bytes"
        case .duration(let duration, let rate): "\(duration) at \(rate) frames a second"
        }
    }

    func slots(bytesPerFrame: Int) -> Int {
        switch self {
        case .slots(let count): return count
        case .bytes(let count): return min(count / bytesPerFrame, SlotSet.capacity)
        case .duration(let duration, let rate):
            let frames = duration / .seconds(1) * rate
            return Int(clamping: frames.rounded(.up))
        }
    }
}
