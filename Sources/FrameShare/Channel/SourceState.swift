/// Whether a source runs. One that runs on demand sleeps while nobody wants its frames.
public enum SourceState: UInt8, Sendable, Hashable, CustomStringConvertible {
    /// It does not depend on subscribers.
    case alwaysOn = 0
    /// Nobody wants frames: the camera is off.
    case asleep = 1
    /// A subscriber wants frames, and the camera is being started.
    case starting = 2
    /// It gives frames.
    case running = 3
    /// The last subscriber has left. The source goes on for a while.
    case lingering = 4
    /// It could not be started, and is tried again soon.
    case waiting = 5

    public var description: String {
        switch self {
        case .alwaysOn: "always on"
        case .asleep: "asleep"
        case .starting: "starting"
        case .running: "running"
        case .lingering: "lingering"
        case .waiting: "waiting to start again"
        }
    }
}
