/// The frame number as a square of 8 x 8 black and white cells: 48 bits of number, then 16 check bits.
///
/// Row `r` holds byte `r` of the code, most significant bit at the left; white is 1. The check bits are a CRC-16 (CCITT
/// polynomial 0x1021, start 0xFFFF, inverted at the end), so that neither an all-black nor an all-white image reads as
/// a number.
enum FrameNumberCode {
    /// Cells in a row, and rows.
    static let cellsPerSide = 8
    /// Numbers are drawn modulo this.
    static let limit: UInt64 = 1 << 48

    /// The 64 cells as bits, the top left cell in the most significant bit.
    static func cells(for number: UInt64) -> UInt64 {
        let number = number % limit
        return number << 16 | UInt64(check(number))
    }

    /// The number that the cells hold, or `nil` when the check bits don't fit it.
    static func number(from cells: UInt64) -> UInt64? {
        let number = cells >> 16
        return UInt64(check(number)) == cells & 0xFFFF ? number : nil
    }

    private static func check(_ number: UInt64) -> UInt16 {
        var crc: UInt16 = 0xFFFF
        for shift in stride(from: 40, through: 0, by: -8) {
            crc ^= UInt16(truncatingIfNeeded: number >> UInt64(shift) & 0xFF) << 8
            for _ in 0..<8 {
                crc = crc & 0x8000 == 0 ? crc << 1 : crc << 1 ^ 0x1021
            }
        }
        return ~crc
    }
}
