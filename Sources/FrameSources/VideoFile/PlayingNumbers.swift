internal import FrameShare

/// The numbers and metadata that frames of a file get.
struct PlayingNumbers {
    /// In the order of showing.
    private let told: [SidecarLine]
    /// Of the next frame, in this pass.
    private var index = 0
    private var offset: UInt64 = 0
    /// The next frame's number, if nothing is lost.
    private var expected: UInt64?
    /// What the file's clock shows at the side-car's time 0, in ns.
    private var origin: Int64?

    /// Two times that are no further apart mean the same frame, in ns: containers round to milliseconds.
    private static let nearby: UInt64 = 2_000_000

    /// - Parameters:
    ///   - told: what the side-car says of each frame
    ///   - origin: the file's time of its first frame, in ns
    init(_ told: [SidecarLine], origin: Int64?) {
        (self.told, self.origin) = (told.sorted { $0.pts < $1.pts }, origin)
    }

    /// What the side-car says of the next picture.
    /// - Parameters:
    ///   - time: the picture's, by the file, in ns
    ///   - lost: how many pictures could not be decoded before it, about
    mutating func line(at time: Int64?, lost: Int) -> SidecarLine? {
        if lost > 0 {
            let first = index
            index += lost
            if let time, let origin, let found = nearest(to: time &- origin, from: first) { index = found }
        }
        guard index < told.count else { return nil }
        if lost == 0, let time { origin = time &- told[index].pts }
        return told[index]
    }

    private func nearest(to pts: Int64, from first: Int) -> Int? {
        var (low, high) = (min(first, told.count), told.count)
        while low < high {
            let middle = (low + high) / 2
            if told[middle].pts < pts { low = middle + 1 } else { high = middle }
        }
        let candidates = [low - 1, low].filter { $0 >= first && told.indices.contains($0) }
        let distance = { (index: Int) in (told[index].pts &- pts).magnitude }
        return candidates.min { distance($0) < distance($1) }.flatMap { distance($0) <= Self.nearby ? $0 : nil }
    }

    /// The number of the next frame, and how many the source has lost before it.
    mutating func take(_ line: SidecarLine?) -> (sequence: UInt64, lost: UInt64) {
        let sequence = (line?.sequence ?? UInt64(index)) &+ offset
        let lost = expected.map { sequence > $0 ? sequence - $0 : 0 } ?? 0
        (expected, index) = (sequence &+ 1, index + 1)
        return (sequence, lost)
    }

    /// A picture that the decoder gave could not be shown.
    mutating func skip() { index += 1 }

    /// The file begins again.
    /// - Parameter lost: pictures at its end that could not be decoded
    mutating func beginAgain(lost: Int) {
        let (first, last) = (told.first?.sequence ?? 0, told.last?.sequence ?? UInt64(max(0, index - 1 + lost)))
        offset &+= last &- first &+ 1
        index = 0
    }
}
