import CHandOver
import FrameShare

/// A way to hand frames to other processes.
enum HandOver: Hashable {
    case frameShare(Policy)
    case pipe
    case socket
    case sharedCopy
    case pidfd
    case descriptor

    static let all: [HandOver] = [
        .frameShare(.latest), .frameShare(.queue(4)), .frameShare(.everyFrame), .descriptor, .pidfd, .sharedCopy,
        .socket,
        .pipe,
    ]

    /// What it is called in tables and options.
    var name: String {
        switch self {
        case .frameShare(let policy): "frameshare \(policy)"
        case .pipe: "pipe"
        case .socket: "socket"
        case .sharedCopy: "shared memory, copied in"
        case .pidfd: "pidfd_getfd and mmap a frame"
        case .descriptor: "SCM_RIGHTS and mmap a frame"
        }
    }

    /// As `CHandOver` numbers it; nil for FrameShare.
    var way: hand_over_way? {
        switch self {
        case .frameShare: nil
        case .pipe: HAND_OVER_PIPE
        case .socket: HAND_OVER_SOCKET
        case .sharedCopy: HAND_OVER_SHARED_COPY
        case .pidfd: HAND_OVER_PIDFD
        case .descriptor: HAND_OVER_DESCRIPTOR
        }
    }

    /// How often each byte of a frame is copied for `readers` readers.
    func copies(readers: Int) -> Int {
        switch self {
        case .frameShare, .pidfd, .descriptor: 0
        case .sharedCopy: 1
        case .pipe, .socket: 2 * readers
        }
    }

    var mapsEachFrame: Bool { self == .pidfd || self == .descriptor }

    /// Whether a reader that is too slow loses frames, so that an un-paced run would say nothing.
    var mayLose: Bool {
        if case .frameShare(let policy) = self { policy != .everyFrame } else { false }
    }
}
