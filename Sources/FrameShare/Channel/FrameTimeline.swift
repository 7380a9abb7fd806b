/// Puts the times of frames on one line that never goes back.
///
/// This type alone decides what a discontinuity is. Recorders, streams, encoders, players and the page use it. A value
/// without a clock of its own: it knows only the time stamps that it is given, in order of decoding.
///
/// | from the latest stamp to this one | what it is | its place |
/// |---|---|---|
/// | at most ``shortestPause``, or ten usual steps | the next frame | as far on as the stamps say |
/// | less than half a usual step back | a stamp that trembles | that of the frame before |
/// | up to ``longestPause`` | ``Discontinuity/pause(nanoseconds:)`` | by ``Pauses`` |
/// | further ahead | ``Discontinuity/ahead(nanoseconds:)`` | one usual step on |
/// | further back | ``Discontinuity/back(nanoseconds:)`` | one usual step on |
///
/// Two pauses in a row of about one length are no pauses: the source is slow.
public struct FrameTimeline: Sendable {
    /// Why the stamps do not go on evenly.
    public enum Discontinuity: Sendable, Hashable, CustomStringConvertible {
        /// No frame for so long: a camera that was unplugged, a machine that slept.
        case pause(nanoseconds: Int64)
        /// The clock was set back, or the source began anew.
        case back(nanoseconds: Int64)
        /// Further ahead than a pause can last: the clock was set.
        case ahead(nanoseconds: Int64)

        /// How far the stamps have moved, in ns; always positive.
        public var nanoseconds: Int64 {
            switch self {
            case .pause(let time), .back(let time), .ahead(let time): time
            }
        }

        /// `pause`, `back` or `ahead`.
        public var kind: String {
            switch self {
            case .pause: "pause"
            case .back: "back"
            case .ahead: "ahead"
            }
        }

        public var description: String {
            let seconds = "\(nanoseconds / 1_000_000_000).\(nanoseconds / 100_000_000 % 10) s"
            return switch self {
            case .pause: "no frame came for \(seconds)"
            case .back: "the frames' clock went back by \(seconds)"
            case .ahead: "the frames' clock went ahead by \(seconds)"
            }
        }
    }

    /// What becomes of a pause.
    public enum Pauses: Sendable, Hashable {
        /// It is part of the time: recordings.
        case kept
        /// The next frame comes one usual step after the last: players, and streams of live pictures.
        case closed
    }

    /// Where a frame is on the line.
    public struct Place: Sendable, Hashable {
        /// In ns from the first frame. Never less than that of the frame before.
        public var time: Int64
        /// What lies between the frame before and this one.
        public var discontinuity: Discontinuity?
        /// How much of a pause, or of a step ahead, the line leaves out, in ns.
        public var leftOut: Int64

        public init(time: Int64, discontinuity: Discontinuity? = nil, leftOut: Int64 = 0) {
            (self.time, self.discontinuity, self.leftOut) = (time, discontinuity, leftOut)
        }
    }

    /// Nothing shorter is a pause, in ns.
    public static let shortestPause: Int64 = 10_000_000_000
    /// Nothing longer is a pause, in ns: seven days.
    public static let longestPause: Int64 = 7 * 86_400_000_000_000
    /// What is taken for the usual step before there were two frames, in ns: 30 frames a second.
    public static let unknownStep: Int64 = 33_333_333

    /// What becomes of a pause.
    public let pauses: Pauses
    /// A longer pause is closed even where pauses are kept, in ns: what an output can hold.
    public var longestKept: Int64
    /// The usual step from one frame to the next, in ns.
    public var step: Int64 { usual ?? Self.unknownStep }
    /// How many discontinuities there were.
    public private(set) var discontinuities = 0

    private var usual: Int64?
    /// The latest stamp since the last discontinuity, and its place.
    private var latest: (stamp: Int64, time: Int64)?
    /// The step before this one, if it was a pause.
    private var pauseBefore: Int64?
    /// Whether the next stamp is not measured from the one before.
    private var beginsAgain = false

    /// - Parameters:
    ///   - pauses: what becomes of a pause
    ///   - longestKept: a longer pause is closed all the same, in ns
    ///   - step: the usual step in ns, where it is known
    public init(pauses: Pauses, longestKept: Int64 = FrameTimeline.longestPause, step: Int64? = nil) {
        self.pauses = pauses
        self.longestKept = longestKept
        usual = step.flatMap { $0 > 0 ? min($0, Self.shortestPause) : nil }
    }

    /// Takes the next stamp.
    /// - Parameter stamp: in ns on any clock; any value may come
    public mutating func place(_ stamp: Int64) -> Place {
        guard let latest else {
            self.latest = (stamp, 0)
            return Place(time: 0)
        }
        if beginsAgain {
            (beginsAgain, pauseBefore) = (false, nil)
            self.latest = (stamp, Self.sum(latest.time, step))
            return Place(time: Self.sum(latest.time, step))
        }
        let (difference, overflow) = stamp.subtractingReportingOverflow(latest.stamp)
        let distance = overflow ? (stamp < latest.stamp ? -Int64.max : .max) : max(difference, -Int64.max)
        guard let found = discontinuity(distance) else {
            // A stamp that trembles is no reason to measure from it.
            guard distance > 0 else { return Place(time: latest.time) }
            learn(distance)
            self.latest = (stamp, Self.sum(latest.time, distance))
            return Place(time: Self.sum(latest.time, distance))
        }
        discontinuities += 1
        // Further back leaves out nothing, and its distance may be the lowest number.
        var (advance, leftOut) = (step, max(0, max(0, distance) - step))
        pauseBefore = nil
        if case .pause = found {
            pauseBefore = distance
            if pauses == .kept, distance <= longestKept { (advance, leftOut) = (distance, 0) }
        }
        let time = Self.sum(latest.time, advance)
        self.latest = (stamp, time)
        return Place(time: time, discontinuity: found, leftOut: leftOut)
    }

    /// The next frame comes one usual step on, whatever its stamp: a recording that is played again.
    public mutating func beginAgain() { beginsAgain = latest != nil }

    private static func sum(_ time: Int64, _ more: Int64) -> Int64 {
        let (sum, overflow) = time.addingReportingOverflow(more)
        return overflow ? .max : sum
    }

    private func discontinuity(_ distance: Int64) -> Discontinuity? {
        if distance < 0 { return -distance > step / 2 ? .back(nanoseconds: -distance) : nil }
        if distance > Self.longestPause { return .ahead(nanoseconds: distance) }
        // No usual step is longer than the longest pause, so this does not overflow.
        let isHeld = distance <= longestKept
        guard distance > max(Self.shortestPause, step * 10) || !isHeld else { return nil }
        if isHeld, let pauseBefore, distance / 2 <= pauseBefore { return nil }
        return .pause(nanoseconds: distance)
    }

    /// A single step that is longer, where frames were lost, or shorter is not the usual one.
    private mutating func learn(_ distance: Int64) {
        defer { pauseBefore = nil }
        guard let usual, pauseBefore == nil else {
            usual = distance
            return
        }
        self.usual = min(max(distance, usual / 2, 1), usual * 2)
    }
}
