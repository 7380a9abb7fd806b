/// Numbers in text from outside: options, addresses, headers. Swift's own reading takes more than people mean: `nan`, `inf`,
/// `0x10`, `+5`.
package enum DecimalText {
    /// Digits, with a "-" before them where the number is below 0. Nil for all else, and for what 64 bits don't hold.
    package static func integer(_ text: some StringProtocol) -> Int? {
        startsAsNumber(text) ? Int(text) : nil
    }

    /// As ``integer(_:)``, and a fraction (`29.97`, `.5`) or an exponent (`1e-3`). Nil for what no `Double` holds.
    package static func number(_ text: some StringProtocol) -> Double? {
        guard startsAsNumber(text), text.utf8.allSatisfy({ "0123456789.eE+-".utf8.contains($0) }) else { return nil }
        return Double(text).flatMap { $0.isFinite ? $0 : nil }
    }

    private static func startsAsNumber(_ text: some StringProtocol) -> Bool {
        let digits = text.utf8.first == UInt8(ascii: "-") ? text.utf8.dropFirst() : text.utf8.dropFirst(0)
        return digits.first.map { "0123456789.".utf8.contains($0) } ?? false
    }
}
