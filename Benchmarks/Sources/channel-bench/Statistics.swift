/// The median; NaN of nothing.
func median(_ values: some Collection<Double>) -> Double { quantile(values, 0.5) }

/// The value below which `part` of the values lie, between neighbours in proportion; NaN of nothing.
func quantile(_ values: some Collection<Double>, _ part: Double) -> Double {
    guard !values.isEmpty else { return .nan }
    let sorted = values.sorted()
    let place = part * Double(sorted.count - 1)
    let below = Int(place)
    let above = min(below + 1, sorted.count - 1)
    return sorted[below] + (sorted[above] - sorted[below]) * (place - Double(below))
}

func quantile(_ values: [Int64], _ part: Double) -> Double { quantile(values.map(Double.init), part) }
