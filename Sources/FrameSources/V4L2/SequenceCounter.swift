/// The driver's 32-bit frame count carried on past 32 bits, and its gaps. The carried count always grows.
struct SequenceCounter {
    /// As far as a frame that was overtaken by later ones can lag behind; one further back is a count that began anew.
    private static let mostOvertaken: UInt32 = 32

    private var last: UInt32?
    private var sequence: UInt64 = 0

    /// Takes the next frame's number.
    ///
    /// - Returns: the whole number and how many were left out before it.
    mutating func next(_ number: UInt32) -> (sequence: UInt64, lost: Int) {
        guard let last else {
            self.last = number
            sequence = UInt64(number)
            return (sequence, 0)
        }
        let step = number &- last
        if step > 0, step < 1 << 31 {
            self.last = number
            sequence &+= UInt64(step)
            return (sequence, Int(step) - 1)
        }
        // uvcvideo completes frames on several processors, and now and then two of them in the wrong order.
        if last &- number > Self.mostOvertaken { self.last = number }
        sequence &+= 1
        return (sequence, 0)
    }
}
