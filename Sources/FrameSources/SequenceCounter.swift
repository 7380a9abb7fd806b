/// The driver's 32-bit frame count carried on past 32 bits, and its gaps. The carried count always grows.
struct SequenceCounter {
    struct Frame: Equatable {
        /// The whole number.
        var sequence: UInt64
        /// How many frames are known to be lost since the frame before.
        var lost = 0
        /// Whether the driver was without a buffer when it lost them.
        var starved = false
    }

    /// As far as a frame that was overtaken by later ones can lag behind; one further back is a count that began anew.
    private static let mostOvertaken: UInt32 = 32

    /// The largest gap of frames that may be lost: minutes, at any rate. A longer step is a count that began anew.
    private static let longestGap: UInt32 = 1 << 16

    /// For how many frames a number that was left out may still come, before it is lost.
    private let patience: Int
    private var last: UInt32?
    private var sequence: UInt64 = 0
    /// What was left out and may still come.
    private var missing = 0
    private var waited = 0
    private var starved = false

    /// - Parameter patience: how many frames may overtake one. Meanwhile a frame has the number of the one it overtook, and
    ///   a gap is told so many frames late.
    init(patience: Int = 0) {
        self.patience = patience
    }

    /// The counter for a driver. uvcvideo completes frames on several processors, and now and then two of them in the wrong
    /// order.
    init(driver: String) {
        self.init(patience: driver == "uvcvideo" ? 2 : 0)
    }

    /// Takes the next frame's number.
    ///
    /// - Parameter starved: whether the driver was without a buffer since the frame before
    mutating func next(_ number: UInt32, starved: Bool = false) -> Frame {
        guard let last else {
            self.last = number
            sequence = UInt64(number)
            return Frame(sequence: sequence)
        }
        let step = number &- last
        if step > 0, step <= Self.longestGap {
            self.last = number
            if step > 1 {
                missing += Int(step) - 1
                if starved { self.starved = true }
            }
        } else if last &- number > Self.mostOvertaken {
            self.last = number
        } else if missing > 0 {
            missing -= 1
        }
        var frame = Frame(sequence: sequence &+ 1)
        if missing > 0, waited >= patience {
            frame.sequence &+= UInt64(missing)
            frame.lost = missing
            frame.starved = self.starved
            missing = 0
        }
        waited = missing > 0 ? waited + 1 : 0
        if missing == 0 { self.starved = false }
        sequence = frame.sequence
        return frame
    }
}
