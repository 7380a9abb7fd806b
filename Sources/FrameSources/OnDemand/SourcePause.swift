internal import FrameShare

/// Pauses a source that makes its frames itself, such as a file or a pattern, while nobody wants them.
struct SourcePause {
    private var gate: DemandGate
    private var warmUp: WarmUpCount
    private let publisher: Publisher
    private let attention: StopSignal
    private var isRunning = false
    private var isFirst = true

    enum Outcome {
        case goOn
        /// The source slept for so long, in ns.
        case after(Int64)
        /// It was stopped, or nobody has wanted it for too long and the channel is closed.
        case ended
    }

    /// Nil where the source does not run on demand.
    init?(_ onDemand: OnDemand?, publisher: Publisher, attention: StopSignal?) {
        guard let onDemand, let attention else { return nil }
        gate = DemandGate(onDemand, publisher: publisher)
        warmUp = WarmUpCount(onDemand.warmUp)
        (self.publisher, self.attention) = (publisher, attention)
    }

    /// Called before each frame.
    mutating func waitIfUnwanted() -> Outcome {
        if isRunning, !gate.isToStop() { return .goOn }
        let began = FrameTimestamp.now().nanoseconds
        isRunning = false
        while true {
            switch gate.waitUntilWanted(others: [attention.descriptor]) {
            case .interrupted: return .ended
            case .idle: if publisher.closeIfUnused() { return .ended }
            case .start:
                gate.started()
                isRunning = true
                isFirst = true
                warmUp = WarmUpCount(gate.options.warmUp)
                return .after(FrameTimestamp.now().nanoseconds - began)
            }
        }
    }

    /// What the next frame's flags are, for its place in the start.
    mutating func flagsOfNextFrame() -> FrameFlags {
        let place = warmUp.note(isStartup: false, now: .now)
        var flags: FrameFlags = place.startup ? .startup : []
        if isFirst || place.first { flags.insert(.discontinuity) }
        isFirst = false
        return flags
    }
}
