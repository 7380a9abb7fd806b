/// Puts what comes in any order into the order in which it was expected, and waits for no straggler longer than until so
/// many later values are there.
struct ReorderWindow<Value> {
    /// What is given out, each expected frame once.
    enum Output {
        case value(Value)
        /// Later values filled the window: this frame's, should it come, is not taken any more.
        case passedOver(UInt64)
    }

    /// The most values that wait for an earlier one.
    let limit: Int
    private var expected: [(frame: UInt64, value: Value?)] = []
    private var waiting = 0

    init(limit: Int) { self.limit = max(0, limit) }

    /// A frame's value will come; call it in the order wanted.
    mutating func expect(_ frame: UInt64) { expected.append((frame, nil)) }

    /// A frame's value is there. Returns what can be given out now; nothing for a frame that is not expected (any more).
    mutating func complete(_ frame: UInt64, _ value: Value) -> [Output] {
        guard let i = expected.firstIndex(where: { $0.frame == frame && $0.value == nil }) else { return [] }
        expected[i].value = value
        waiting += 1
        var output: [Output] = []
        while let head = expected.first {
            if let value = head.value {
                waiting -= 1
                output.append(.value(value))
            } else if waiting > limit {
                output.append(.passedOver(head.frame))
            } else {
                break
            }
            expected.removeFirst()
        }
        return output
    }
}
