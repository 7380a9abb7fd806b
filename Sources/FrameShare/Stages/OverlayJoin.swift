/// Brings frames and what is to be added to them together, by the frame's number. Frames come in order, and so do results;
/// either may come first, and either may be missing.
struct OverlayJoin<Frame> {
    private var frames: [(number: UInt64, frame: Frame)] = []
    /// Results that came before their frame.
    private var results: [UInt64: Metadata] = [:]
    private var newestFrame: UInt64 = 0
    private var newestResult: UInt64 = 0

    /// The most results that wait for their frame.
    private static var limit: Int { 256 }

    /// What can go on now, in order; nil: with nothing to add.
    typealias Output = [(frame: Frame, addition: Metadata?)]

    /// A frame has come.
    mutating func frame(_ number: UInt64, _ frame: Frame) -> Output {
        newestFrame = number
        // What belongs to frames that will not come any more.
        results = results.filter { $0.key >= number }
        frames.append((number, frame))
        return ready()
    }

    /// What became of a frame; nil: there is nothing to add to it.
    mutating func result(_ number: UInt64, _ addition: Metadata?) -> Output {
        newestResult = max(newestResult, number)
        guard number >= newestFrame || frames.contains(where: { $0.number == number }) else { return ready() }
        results[number] = addition ?? [:]
        if results.count > Self.limit, let oldest = results.keys.min() { results[oldest] = nil }
        return ready()
    }

    private mutating func ready() -> Output {
        var output: Output = []
        while let first = frames.first {
            if let addition = results.removeValue(forKey: first.number) {
                output.append((first.frame, addition.isEmpty ? nil : addition))
            } else if newestResult > first.number {
                output.append((first.frame, nil))  // results come in order: its own will not
            } else {
                break
            }
            frames.removeFirst()
        }
        return output
    }
}
