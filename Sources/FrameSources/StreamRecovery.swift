/// Decides how a capture goes on after an error that may pass: how long it waits before it restarts the stream, and when it
/// gives up.
struct StreamRecovery {
    /// The longest time without a frame; nil: for ever.
    private let frameTimeout: Duration?
    /// How many restarts in succession may follow errors; nil: any number.
    private let restartLimit: Int?
    /// Restarts since the stream was last steady.
    private(set) var restarts = 0
    private var failures = 0
    private var framesSinceTrouble = 0
    private var hasStreamed = false
    /// Whether an error came and no frame has followed yet.
    private(set) var isTroubled = false

    /// So many frames after the last trouble, the stream counts as steady.
    private static let steadyFrames = 10
    /// A camera that has never given a frame is more likely set up wrongly than in trouble.
    private static let firstRestarts = 2
    private static let longestPause: Duration = .seconds(10)
    private static let longestSilence: Duration = .seconds(60)
    private static let year: Duration = .seconds(31_536_000)

    /// - Parameter interval: between frames, where it is known: a slow camera isn't silent
    init(frameTimeout: Duration?, restartLimit: Int?, interval: Duration? = nil) {
        let least = min(interval ?? .zero, Self.year) * 3
        self.frameTimeout = frameTimeout.map { min(max($0, least, .milliseconds(1)), Self.year) }
        self.restartLimit = restartLimit
    }

    /// How long a frame may take now. It grows with each restart that brought none.
    var silenceLimit: Duration? {
        frameTimeout.map { min($0 * (1 << min(restarts, 8)), max($0, Self.longestSilence)) }
    }

    /// Takes note of an error.
    ///
    /// - Returns: whether it begins a trouble, so that it is news
    mutating func noteTrouble() -> Bool {
        defer { isTroubled = true }
        framesSinceTrouble = 0
        return !isTroubled
    }

    /// Takes note of a frame.
    ///
    /// - Returns: whether it ends a trouble
    mutating func noteFrame() -> Bool {
        hasStreamed = true
        guard isTroubled || restarts > 0 || failures > 0 else { return false }
        framesSinceTrouble += 1
        if framesSinceTrouble >= Self.steadyFrames { (restarts, failures) = (0, 0) }
        defer { isTroubled = false }
        return isTroubled
    }

    /// How long to wait before the stream is restarted; nil: give up. The first restart comes at once.
    ///
    /// - Parameter isSilence: the camera gives no frames, and no error. It is waited for without limit.
    mutating func pauseBeforeRestart(isSilence: Bool) -> Duration? {
        if !isSilence {
            if let restartLimit {
                guard failures < (hasStreamed ? restartLimit : min(restartLimit, Self.firstRestarts)) else {
                    return nil
                }
            }
            failures += 1
        }
        defer { restarts += 1 }
        return restarts == 0 ? .zero : min(.milliseconds(250) * (1 << min(restarts - 1, 8)), Self.longestPause)
    }
}

extension Duration {
    /// Seconds to a tenth, for people.
    var tenthsOfSeconds: Double {
        let (seconds, attoseconds) = components
        return (Double(seconds) * 10 + (Double(attoseconds) / 1e17).rounded()) / 10
    }
}
