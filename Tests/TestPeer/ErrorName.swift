internal import FrameShare

extension ChannelError {
    /// The case's name; for `memory` the inner one's too, as `memory.tooSmall`.
    var name: String {
        switch self {
        case .noDirectory: "noDirectory"
        case .noStreams: "noStreams"
        case .outOfDescriptors: "outOfDescriptors"
        case .timedOut: "timedOut"
        case .cancelled: "cancelled"
        case .closed: "closed"
        case .notPollable: "notPollable"
        case .memory(.notDMABuf): "memory.notDMABuf"
        case .memory(.notMemfd): "memory.notMemfd"
        case .memory(let error): "memory." + (Mirror(reflecting: error).children.first?.label ?? "unknown")
        default: Mirror(reflecting: self).children.first?.label ?? "unknown"
        }
    }
}
