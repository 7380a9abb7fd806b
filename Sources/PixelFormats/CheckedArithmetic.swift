// Layouts come from peers and drivers: no number in them may trap, whatever it is.
extension Int {
    /// The product, nil if it overflows.
    func times(_ other: Int) -> Int? {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? nil : product
    }

    /// The sum, nil if it overflows.
    func plus(_ other: Int) -> Int? {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? nil : sum
    }

    /// The quotient rounded up, for a value of 0 or above and a divisor above 0.
    func dividedRoundingUp(by divisor: Int) -> Int {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder > 0 ? quotient + 1 : quotient
    }

    /// The next multiple, nil if it overflows; for a value of 0 or above and a divisor above 0.
    func roundedUp(toMultipleOf divisor: Int) -> Int? {
        dividedRoundingUp(by: divisor).times(divisor)
    }
}
