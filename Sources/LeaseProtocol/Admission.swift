/// What a subscriber asks of the pool when it joins.
public struct LeaseRequest: Sendable, Hashable {
    public var policy: DeliveryPolicy
    /// The most slots it can pin, counting what is queued for it.
    public var budget: Int
    /// Whether the budget is kept for it alone. `everyFrame` always is.
    public var reserved: Bool

    public init(policy: DeliveryPolicy, budget: Int? = nil, reserved: Bool = false) {
        self.policy = policy
        self.budget = budget ?? policy.defaultBudget
        self.reserved = reserved || policy == .everyFrame
    }
}

/// Why a subscriber was not let in. The text has the arithmetic.
public enum AdmissionRefusal: Error, Equatable, Sendable, CustomStringConvertible {
    case badDepth(Int)
    case badBudget(Int, slots: Int)
    case depthAboveBudget(depth: Int, budget: Int)
    case reservationsDoNotFit(slots: Int, sourceNeed: Int, reserved: Int, asked: Int)
    case nothingLeftToShare(slots: Int, sourceNeed: Int, reserved: Int)
    /// What is to be reserved is leased by subscribers that share.
    case sharedSlotsAreHeld(asked: Int, shared: Int, held: Int)

    public var description: String {
        switch self {
        case .badDepth(let depth):
            "a queue of \(depth) frames is not possible; ask for 1 to \(LaneMemory.maximumDepth)"
        case .badBudget(let budget, let slots):
            "a budget of \(budget) slots is not possible in a pool of \(slots); ask for 1 to \(slots)"
        case .depthAboveBudget(let depth, let budget):
            "a queue of \(depth) frames does not fit a budget of \(budget) slots; ask for a budget of \(depth + 1)"
        case .reservationsDoNotFit(let slots, let need, let reserved, let asked):
            "\(asked) slots can't be reserved: the pool has \(slots), the source needs \(need), \(reserved) are reserved"
                + " already, so \(max(0, slots - need - reserved)) are left; start the publisher with at least"
                + " \(need + reserved + asked) slots, ask for a smaller budget, or do not reserve"
        case .nothingLeftToShare(let slots, let need, let reserved):
            "no slot is left to share: the pool has \(slots), the source needs \(need), \(reserved) are reserved;"
                + " start the publisher with at least \(need + reserved + 1) slots"
        case .sharedSlotsAreHeld(let asked, let shared, let held):
            "\(asked) slots can't be reserved now: subscribers that share hold \(held) frames, and \(shared) slots would be"
                + " left to them; ask again when they have released some, or start the publisher with at least"
                + " \(held - shared) slots more"
        }
    }
}
