/// Random numbers that are the same in each run, so that a failure can be repeated (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }

    /// Words a hostile peer would write: nothing, all bits, tickets that look right, noise.
    mutating func hostileWord(slots: Int, offers: UInt64) -> UInt64 {
        switch Int.random(in: 0..<6, using: &self) {
        case 0: 0
        case 1: .max
        case 2:
            UInt64.random(in: 0...offers, using: &self) << 16 | UInt64.random(in: 0...UInt64(slots + 1), using: &self)
        case 3: 1 << UInt64.random(in: 0..<64, using: &self)
        case 4: UInt64.random(in: 0..<16, using: &self)
        default: next()
        }
    }
}
