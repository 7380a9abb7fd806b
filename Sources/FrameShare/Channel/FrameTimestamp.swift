internal import CLinuxMedia
internal import Glibc

/// The clock that a timestamp was read from.
public enum FrameClock: UInt8, Sendable, Hashable, CustomStringConvertible {
    /// The source does not say.
    case unknown = 0
    /// `CLOCK_MONOTONIC`: V4L2's usual clock.
    case monotonic = 1
    /// `CLOCK_BOOTTIME`: libcamera's `SensorTimestamp`.
    case boottime = 2
    /// `CLOCK_REALTIME`.
    case realtime = 3

    public var description: String {
        switch self {
        case .unknown: "unknown"
        case .monotonic: "monotonic"
        case .boottime: "boottime"
        case .realtime: "realtime"
        }
    }

    /// As a record in shared memory says; anything unknown is unknown.
    @inline(__always)
    init(record: UInt32) {
        switch record {
        case 1: self = .monotonic
        case 2: self = .boottime
        case 3: self = .realtime
        default: self = .unknown
        }
    }

    var clockID: clockid_t {
        switch self {
        case .monotonic, .unknown: CLOCK_MONOTONIC
        case .boottime: CLOCK_BOOTTIME
        case .realtime: CLOCK_REALTIME
        }
    }
}

/// A moment on a named clock.
public struct FrameTimestamp: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Nanoseconds on `clock`.
    public var nanoseconds: Int64
    /// The clock.
    public var clock: FrameClock

    public init(nanoseconds: Int64, clock: FrameClock = .monotonic) {
        self.nanoseconds = nanoseconds
        self.clock = clock
    }

    /// The present moment. (`clock_gettime`: no system call on common machines.)
    public static func now(_ clock: FrameClock = .monotonic) -> FrameTimestamp {
        var time = timespec()
        clock_gettime(clock.clockID, &time)
        return FrameTimestamp(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec), clock: clock)
    }

    /// Compares nanoseconds. Only moments of the same clock can be compared in earnest.
    public static func < (a: FrameTimestamp, b: FrameTimestamp) -> Bool { a.nanoseconds < b.nanoseconds }

    public var description: String { "\(nanoseconds) ns \(clock)" }
}

/// Now on `CLOCK_MONOTONIC`, in ns.
@inline(__always)
func monotonicNow() -> Int64 { fs_monotonic_now() }

extension Duration {
    /// The whole of it in ns, clamped to what 64 bits hold.
    package var nanosecondsClamped: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, overflowed) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflowed ? (seconds < 0 ? .min : .max) : sum
    }
}

/// A moment on the monotonic clock at which waiting ends, or never.
struct Deadline {
    private let at: Int64?

    init(after timeout: Duration?) { at = timeout == nil ? nil : Self.moment(timeout, after: monotonicNow()) }

    /// The moment so long after another, both in ns; nil: never, also where it lies beyond what 64 bits hold. A time below
    /// zero counts as none.
    static func moment(_ timeout: Duration?, after start: Int64) -> Int64? {
        guard let timeout else { return nil }
        let (sum, overflow) = start.addingReportingOverflow(max(0, timeout.nanosecondsClamped))
        return overflow ? nil : sum
    }

    /// What is left in ns, at most `limit`; 0 when it has passed.
    func remaining(atMost limit: Int64) -> Int64 {
        guard let at else { return limit }
        return min(max(0, at - monotonicNow()), limit)
    }

    /// What is left in ns, 0 when it has passed; -1 where it never does.
    var remaining: Int64 { at == nil ? -1 : remaining(atMost: .max) }

    var isNever: Bool { at == nil }

    /// Also once a signal has come, in a thread whose waits end then.
    var hasPassed: Bool { fs_signal_came() != 0 || at.map { monotonicNow() >= $0 } ?? false }
}
