/// How many frames a subscriber holds, and how many it may hold.
public struct BudgetUse: Sendable, Hashable {
    /// Frames that it has taken and not released.
    public var held: Int
    /// The most slots that it can pin.
    public var budget: Int

    public init(held: Int, budget: Int) { (self.held, self.budget) = (held, budget) }

    /// Whether it gets no frame before it releases one.
    public var isFull: Bool { held >= budget }

    var advice: String {
        "no frame can come: you hold \(held) of \(budget) frames; release one, copy what you keep, or"
            + " ask for a larger budget"
    }
}
