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

    /// Numbers a hostile peer would try: the ends of the range, small ones, powers of two and their neighbours.
    mutating func hostileInt() -> Int {
        switch Int.random(in: 0..<6, using: &self) {
        case 0: [Int.min, .min + 1, .max, .max - 1, -1, 0].randomElement(using: &self) ?? 0
        case 1: Int.random(in: -4...70_000, using: &self)
        case 2: Int(truncatingIfNeeded: next())
        case 3: (1 << Int.random(in: 0..<63, using: &self)) &+ Int.random(in: -2...2, using: &self)
        case 4: Int(truncatingIfNeeded: next() as UInt32)
        default: Int.random(in: 0..<8, using: &self)
        }
    }
}
