/// How a source runs while it is wanted, and sleeps while it is not.
///
/// The channel is there all the time, with its formats and controls. The first subscriber starts the source. When the last
/// one has left, the source goes on for ``linger`` and then sleeps: a camera stops streaming, and its device is closed, so
/// that it can power down and other programs can use it.
public struct OnDemand: Sendable, Hashable {
    /// How long the source goes on after the last subscriber has left.
    public var linger: Duration
    /// Which frames of each start are flagged `FrameFlags.startup`, beside those that the source itself flags.
    public var warmUp: WarmUp
    /// Ends the run when the source has slept for so long; nil: never. Subscribers that connect meanwhile are served first.
    public var idleLimit: Duration?

    public init(linger: Duration = .seconds(5), warmUp: WarmUp = .none, idleLimit: Duration? = nil) {
        (self.linger, self.warmUp, self.idleLimit) = (linger, warmUp, idleLimit)
    }

    /// How long a source takes until exposure and white balance have settled.
    public enum WarmUp: Sendable, Hashable {
        case none
        /// So many frames from the start.
        case frames(Int)
        /// So long after the first frame.
        case time(Duration)
    }
}

/// Counts the frames of one start, and tells which of them belong to the start-up.
struct WarmUpCount {
    private let warmUp: OnDemand.WarmUp
    private var frames = 0
    private var end: ContinuousClock.Instant?
    /// Whether a frame of the start-up was followed by one that is settled.
    private var isOver = false

    init(_ warmUp: OnDemand.WarmUp) { self.warmUp = warmUp }

    /// Takes note of a frame.
    /// - Parameter isStartup: whether the source itself says so
    /// - Returns: whether it belongs to the start-up, and whether it is the first that does not
    mutating func note(isStartup: Bool, now: @autoclosure () -> ContinuousClock.Instant) -> (startup: Bool, first: Bool)
    {
        if isOver { return (isStartup, false) }
        var isUnsettled = isStartup
        switch warmUp {
        case .none: break
        case .frames(let count): isUnsettled = isUnsettled || frames < count
        case .time(let duration):
            let now = now()
            let end = end ?? now.advanced(by: min(max(duration, .zero), .seconds(31_536_000)))
            self.end = end
            isUnsettled = isUnsettled || now < end
        }
        frames &+= 1
        if isUnsettled { return (true, false) }
        isOver = true
        return (false, frames > 1)
    }
}
