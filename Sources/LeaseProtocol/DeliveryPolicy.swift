/// How a subscriber that is slower than the camera is served.
public enum DeliveryPolicy: Sendable, Hashable {
    /// The newest frame only: an older one that was not taken yet is withdrawn.
    case latest
    /// Up to this many frames wait; then the oldest is withdrawn.
    case queue(Int)
    /// Nothing is ever withdrawn. A source that may wait does so while there is no room; one that may not, such as a
    /// camera, goes on, and a frame without room is lost. Always reserves its budget.
    case everyFrame

    /// The cells of its lane, given the budget.
    public func depth(budget: Int) -> Int {
        switch self {
        case .latest: 1
        case .queue(let depth): depth
        case .everyFrame: budget
        }
    }

    /// The budget where none is asked for: one frame being worked on beside what is queued. An impossible depth is
    /// refused at admission, not here.
    public var defaultBudget: Int {
        switch self {
        case .latest: 2
        case .queue(let depth): min(max(depth, 0), LaneMemory.maximumDepth) + 1
        case .everyFrame: 2
        }
    }
}
