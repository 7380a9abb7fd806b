public import FrameMemory

extension Subscriber {
    /// The publisher as the kernel names it, and the memory it offers.
    public struct PublisherInfo: Sendable {
        public let pid: Int32
        public let uid: UInt32
        public let sourceName: String
        /// The slots of its pool, with those for copies (``LagCopies``).
        public let slots: Int
        /// For each stream: what memory it is in, and how readers are kept from writing to it.
        public let memory: [(stream: String, kind: MemoryKind, protection: WriteProtection)]
    }
}

/// What a subscriber got and what it lost.
public struct SubscriberStatistics: Sendable, Hashable {
    /// Frames taken.
    public let delivered: UInt64
    /// Frames lost between those that were taken, by where. What was lost between two connections is in none of the counts: then
    /// ``FrameLoss/isKnown`` is false.
    public let lost: FrameLoss
    /// Frames that it was not given since it asked for fewer: ``Subscriber/Options/atMost``. No losses.
    public let passedOver: UInt64
    /// Frames held now.
    public let held: Int
    /// The most slots that it can pin. A subscriber that holds as many frames is given no more.
    public let budget: Int
    /// How often it has connected: 1 unless it reconnects.
    public let connections: UInt64
    /// From publication to taking, in ns: median, 99th percentile, largest.
    public let latencyP50: UInt64
    public let latencyP99: UInt64
    public let latencyMax: UInt64
}
