internal import ArgumentParser
internal import FrameJSON

/// Frames a second: `30`, `29.97`, `30000/1001`; 0 where a source may run as fast as it can.
package enum FrameRateArgument {
    package static func parse(_ text: String) throws -> Double {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { DecimalText.number($0) }
        let rate: Double? =
            switch parts.count {
            case 1: parts[0]
            case 2: parts[0].flatMap { top in parts[1].map { top / $0 } }
            default: nil
            }
        guard let rate, rate.isFinite, (0...100_000).contains(rate) else {
            throw ValidationError("give frames a second, such as 30, 29.97 or 30000/1001")
        }
        return rate
    }
}

/// A length of time: `250us`, `100ms`, `1.5s`, `2min`; a bare number is seconds.
package enum DurationArgument {
    package static func parse(_ text: String) throws -> Duration {
        let units: [(ending: String, nanoseconds: Double)] = [
            ("ns", 1), ("us", 1e3), ("ms", 1e6), ("min", 60e9), ("s", 1e9), ("m", 60e9), ("h", 3600e9), ("", 1e9),
        ]
        for unit in units where text.hasSuffix(unit.ending) {
            guard let value = DecimalText.number(text.dropLast(unit.ending.count)) else { continue }
            guard value >= 0, value * unit.nanoseconds < 1e18 else { break }
            return .nanoseconds(Int64(value * unit.nanoseconds))
        }
        throw ValidationError("give a length of time, such as 250us, 100ms, 1.5s or 2min")
    }
}

/// A count of at least one.
package enum CountArgument {
    package static func parse(_ text: String) throws -> Int {
        guard let count = DecimalText.integer(text), count >= 1 else {
            throw ValidationError("give a whole number from 1 up")
        }
        return count
    }
}

extension Duration {
    /// Clamped to what 64 bits hold.
    package var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : product.addingReportingOverflow(attoseconds / 1_000_000_000).partialValue
    }
}
