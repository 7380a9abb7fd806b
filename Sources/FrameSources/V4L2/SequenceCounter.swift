/// The driver's 32-bit frame count carried on past 32 bits, and its gaps.
struct SequenceCounter {
    private var last: UInt32?
    private var sequence: UInt64 = 0

    /// Takes the next frame's number.
    ///
    /// - Returns: the whole number and how many were left out before it. A number that doesn't go forward counts as the
    ///   next one: some drivers repeat or reset theirs.
    mutating func next(_ number: UInt32) -> (sequence: UInt64, lost: Int) {
        defer { last = number }
        guard let last else {
            sequence = UInt64(number)
            return (sequence, 0)
        }
        let step = number &- last
        let isForward = step > 0 && step < 1 << 31
        sequence &+= isForward ? UInt64(step) : 1
        return (sequence, isForward ? Int(step) - 1 : 0)
    }
}
