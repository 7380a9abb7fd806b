import PeerTesting

extension SeededGenerator {
    /// What noise on a wire, or a peer that means ill, makes of bytes.
    mutating func spoil(_ bytes: [UInt8]) -> [UInt8] {
        var result = bytes
        for _ in 0..<Int.random(in: 1...4, using: &self) {
            let at = Int.random(in: 0...max(0, result.count - 1), using: &self)
            switch Int.random(in: 0..<6, using: &self) {
            case 0: result = Array(result.prefix(at))
            case 1 where !result.isEmpty: result[at] ^= 1 << UInt8.random(in: 0..<8, using: &self)
            case 2 where !result.isEmpty: result[at] = UInt8.random(in: 0...255, using: &self)
            case 3 where !result.isEmpty: result[at] = [0, 0x7f, 0x80, 0xff].randomElement(using: &self) ?? 0
            case 4: result.insert(UInt8.random(in: 0...255, using: &self), at: min(at, result.count))
            default:
                result += (0..<Int.random(in: 0..<8, using: &self)).map { _ in UInt8.random(in: 0...255, using: &self) }
            }
        }
        return result
    }
}
