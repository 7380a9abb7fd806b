/// Numbers as people read them. No Foundation: it would double the command's memory.
package enum Quantities {
    /// `value` with so many digits after the point.
    package static func fixed(_ value: Double, _ digits: Int = 1) -> String {
        var scale: Int64 = 1
        for _ in 0..<min(digits, 18) { scale *= 10 }
        guard value.isFinite, abs(value) < 1e15, abs(value) * Double(scale) < 9e18 else { return "-" }
        let scaled = Int64((abs(value) * Double(scale)).rounded())
        let sign = value < 0 && scaled != 0 ? "-" : ""
        guard digits > 0 else { return sign + String(scaled) }
        let fraction = String(scaled % scale)
        return sign + String(scaled / scale) + "." + String(repeating: "0", count: digits - fraction.count) + fraction
    }

    /// Nanoseconds in the unit that fits: `840 ns`, `41.2 us`, `3.10 ms`, `2.0 s`, `3 min 5 s`, `2 h 10 min`.
    package static func time(nanoseconds: some BinaryInteger) -> String {
        let value = Double(nanoseconds)
        switch abs(value) {
        case ..<1e3: return "\(nanoseconds) ns"
        case ..<1e6: return fixed(value / 1e3) + " us"
        case ..<1e9: return fixed(value / 1e6, 2) + " ms"
        case ..<60e9: return fixed(value / 1e9) + " s"
        case ..<3600e9:
            let seconds = Int(value / 1e9)
            return "\(seconds / 60) min \(seconds % 60) s"
        default:
            let minutes = Int(value / 60e9)
            return "\(minutes / 60) h \(minutes % 60) min"
        }
    }

    /// A size in binary units: `900 B`, `64.0 KiB`, `1.3 MiB`.
    package static func bytes(_ count: some BinaryInteger) -> String {
        let value = Double(count)
        switch abs(value) {
        case ..<1024: return "\(count) B"
        case ..<1_048_576: return fixed(value / 1024) + " KiB"
        case ..<1_073_741_824: return fixed(value / 1_048_576) + " MiB"
        default: return fixed(value / 1_073_741_824, 2) + " GiB"
        }
    }

    /// Frames a second.
    package static func rate(_ value: Double) -> String { fixed(value) }

    /// `1 frame`, `2 frames`.
    package static func counted(_ count: some BinaryInteger, _ noun: String) -> String {
        count == 1 ? "1 \(noun)" : "\(count) \(noun)s"
    }
}
