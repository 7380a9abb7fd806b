public import FrameMemory

/// How a channel is doing, as its publisher sees it: what `list` and `top` show.
public struct ChannelStatistics: Sendable, Equatable {
    public var channel: String
    /// What feeds it, such as "pattern" or a camera's name.
    public var sourceName = ""
    public var publisherPID: Int32 = 0
    public var publisherUID: UInt32 = 0
    /// Counts reconfigurations, from 1.
    public var generation: UInt32 = 0
    public var streams: [StreamStatus] = []
    public var slots = 0
    /// Slots that nobody holds.
    public var slotsFree = 0
    /// Slots being filled, or queued to the driver.
    public var slotsAtSource = 0
    /// Slots that the source itself must always have.
    public var sourceNeed = 0
    /// Slots reserved for subscribers.
    public var slotsReserved = 0
    /// Buffers of earlier generations that are still held by someone.
    public var retiredSlotsHeld = 0
    /// The slots for copies, where subscribers that lag are given any (``Publisher/Options/lagCopies``).
    public var copies: CopyStatus? = nil
    /// Frames published since the channel began.
    public var published: UInt64 = 0
    /// Frames that the source lost by itself (gaps in its sequence).
    public var lostBySource: UInt64 = 0
    /// Frames that were lost since no slot was free to fill.
    public var lostNoFreeSlot: UInt64 = 0
    /// Frames that were published with ``FrameFlags/error``: the driver says so, or their data is not a whole image.
    public var damaged: UInt64 = 0
    /// How long the channel has existed, in ns.
    public var age: Int64 = 0
    /// How long ago the last frame was published, in ns; -1 before the first.
    public var sinceLastFrame: Int64 = -1
    public var subscribers: [SubscriberStatus] = []
    /// The groups that share work.
    public var groups: [GroupStatus] = []
    /// What is amiss with the source now, in its own words; empty: nothing that it knows of.
    public var sourceTrouble = ""
    /// Errors of the source that it went on after, such as a driver's failed call.
    public var sourceErrors: UInt64 = 0
    /// How long `everyFrame` subscribers have made the source wait, in ns. A live source waits for nobody.
    public var stalled: UInt64 = 0
    /// Whether the source runs now, where it does so on demand. A state that only newer publishers know counts as none.
    public var sourceState: SourceState {
        get { SourceState(rawValue: sourceStateNumber) ?? .alwaysOn }
        set { sourceStateNumber = newValue.rawValue }
    }
    /// ``sourceState`` as it travels.
    package var sourceStateNumber: UInt8 = 0
    /// Whether its process was started by a subscriber, and ends when nobody is left.
    public var isOwner = false

    /// A stream and the memory that it is in.
    public struct StreamStatus: Sendable, Equatable {
        public var stream: Stream
        public var memory: MemoryKind
        /// Whether readers are kept from writing, and how.
        public var protection: WriteProtection
    }

    /// How the slots for copies are used.
    public struct CopyStatus: Sendable, Equatable {
        /// How many there are.
        public var slots = 0
        /// Those that nobody holds.
        public var free = 0
        /// The slots that the source is to keep, by giving subscribers that lag copies.
        public var floor = 0
        /// Frames that were copied.
        public var copied: UInt64 = 0
    }

    /// A group of subscribers that share the frames.
    public struct GroupStatus: Sendable, Equatable {
        public var name = ""
        public var members = 0
        /// Frames given to a member.
        public var given: UInt64 = 0
        /// Frames that no member had room for.
        public var lost: UInt64 = 0
        /// Requests that were answered, and those that failed.
        public var answered: UInt64 = 0
        public var failed: UInt64 = 0
        /// Requests that are open.
        public var pending = 0
        /// Replies that nobody waited for (any more).
        public var discarded: UInt64 = 0
    }

    /// One subscriber, as the publisher sees it.
    public struct SubscriberStatus: Sendable, Equatable {
        /// The publisher's number for it.
        public var id: UInt32 = 0
        public var pid: Int32 = 0
        public var uid: UInt32 = 0
        public var name = ""
        public var policy = Policy.latest
        public var budget = 0
        public var reserved = false
        /// The group that it is a member of; empty: none.
        public var group = ""
        /// The streams it chose.
        public var streams: [String] = []
        /// Frames it took.
        public var delivered: UInt64 = 0
        /// Frames withdrawn since a newer one took their place.
        public var droppedByPolicy: UInt64 = 0
        /// Frames not offered since it held its whole budget, or had it queued and asked for every frame.
        public var droppedByBudget: UInt64 = 0
        /// Frames withdrawn or not offered since the pool ran short.
        public var droppedByShortage: UInt64 = 0
        /// Copies that it was offered.
        public var copies: UInt64 = 0
        /// Whether it lags, and is offered copies now.
        public var getsCopies = false
        /// Frames that wait in its lane.
        public var queued = 0
        /// Frames that it holds.
        public var held = 0
        /// The age of the oldest frame it holds, in ns since publication; 0 when it holds none.
        public var oldestLeaseAge: Int64 = 0
        /// From publication to taking, in ns, as the subscriber itself says: median, 99th percentile, largest.
        public var latencyP50: UInt64 = 0
        public var latencyP99: UInt64 = 0
        public var latencyMax: UInt64 = 0
        /// How long it has been attached, in ns.
        public var age: Int64 = 0
        /// The time between two frames that it asks for, in ns; 0: it asks for all.
        public var interval: Int64 = 0
        /// Frames that it was not offered since it asks for fewer. No losses.
        public var passedOver: UInt64 = 0

        /// All of its own losses.
        public var dropped: UInt64 { droppedByPolicy &+ droppedByBudget &+ droppedByShortage }
    }
}

// MARK: what each number is

// A new figure is a property above, set where it is known, and a line at the end of a list here; for C a member at the end of
// its struct in frameshare.h, of the same name.

extension ChannelStatistics {
    package static let figures: [Figure<ChannelStatistics>] = [
        .init("generation", \.generation, about: "Counts reconfigurations: a new one has new buffers."),
        .init("age", \.age, json: "age_ns", about: "How long the channel has existed."),
        .init(
            "since_last_frame",
            \.sinceLastFrame,
            json: "since_last_frame_ns",
            about: "How long ago the last frame was published; null before the first."
        ),
        .init("published", \.published, about: "Frames published.", metric: .counter("frames_published")),
        .init(
            "lost_source",
            \.lostBySource,
            json: "lost.source",
            about: "Frames that the source lost by itself.",
            metric: .counter("frames_lost", ("reason", "source"), about: "Frames lost before they were published.")
        ),
        .init(
            "lost_no_free_slot",
            \.lostNoFreeSlot,
            json: "lost.no_free_slot",
            about: "Frames lost since no slot was free to fill.",
            metric: .counter("frames_lost", ("reason", "no_free_slot"))
        ),
        .init(
            "source_errors",
            \.sourceErrors,
            about: "Errors of the source that it went on after.",
            metric: .counter("source_errors"),
            note: "errors of the source"
        ),
        .init(
            "damaged",
            \.damaged,
            about: "Frames published whose data is no whole image, or damaged to the driver's knowledge.",
            metric: .counter("frames_damaged"),
            note: "damaged"
        ),
        .init("slots", \.slots, json: "pool.slots", about: "Slots of the pool."),
        .init(
            "slots_free",
            \.slotsFree,
            json: "pool.free",
            about: "Slots that nobody holds.",
            metric: .gauge("slots", ("state", "free"), about: "Slots of the pool.")
        ),
        .init(
            "slots_at_source",
            \.slotsAtSource,
            json: "pool.at_source",
            about: "Slots being filled, or queued to the driver.",
            metric: .gauge("slots", ("state", "at_source"))
        ),
        .init(
            "source_need",
            \.sourceNeed,
            json: "pool.source_need",
            about: "Slots that the source itself must always have."
        ),
        .init("slots_reserved", \.slotsReserved, json: "pool.reserved", about: "Slots reserved for subscribers."),
        .init(
            "retired_slots_held",
            \.retiredSlotsHeld,
            json: "pool.retired_held",
            about: "Buffers of earlier generations that are still held."
        ),
        .init(
            "stalled",
            \.stalled,
            json: "stalled_ns",
            about: "How long readers of every frame have made the source wait.",
            metric: .counter("source_stalled_nanoseconds"),
            note: "that readers made the source wait"
        ),
        .init(
            "source_state",
            \.sourceStateNumber,
            about:
                "Whether the source runs: 0 always, 1 asleep, 2 starting, 3 running, 4 lingering, 5 waiting to try again."
        ),
        .init(
            "is_owner",
            \.isOwner,
            about: "Whether its process was started by a reader, and ends after the last one."
        ),
    ]
}

extension ChannelStatistics.CopyStatus {
    package static let figures: [Figure<ChannelStatistics.CopyStatus>] = [
        .init("copy_slots", \.slots, json: "slots", about: "Slots for copies, for subscribers that lag."),
        .init(
            "copy_slots_free",
            \.free,
            json: "free",
            about: "Slots for copies that nobody holds.",
            metric: .gauge("copy_slots", ("state", "free"), about: "Slots for copies, for subscribers that lag.")
        ),
        .init("copy_floor", \.floor, json: "floor", about: "The slots that the source is to keep."),
        .init(
            "copied",
            \.copied,
            about: "Frames copied for subscribers that lag.",
            metric: .counter("frames_copied")
        ),
    ]
}

extension ChannelStatistics.GroupStatus {
    package static let figures: [Figure<ChannelStatistics.GroupStatus>] = [
        .init("members", \.members, about: "Members of the group."),
        .init("given", \.given, about: "Frames given to a member."),
        .init("lost", \.lost, about: "Frames that no member had room for."),
        .init("answered", \.answered, about: "Requests that were answered."),
        .init("failed", \.failed, about: "Requests that failed."),
        .init("pending", \.pending, json: "open", about: "Requests that are open."),
        .init("discarded", \.discarded, json: "replies_discarded", about: "Replies that nobody waited for."),
    ]
}

extension ChannelStatistics.SubscriberStatus {
    package static let figures: [Figure<ChannelStatistics.SubscriberStatus>] = [
        .init("budget", \.budget, about: "The most slots that it may have."),
        .init("reserved", \.reserved, about: "Whether its budget is reserved."),
        .init(
            "delivered",
            \.delivered,
            about: "Frames a subscriber took.",
            metric: .counter("subscriber_delivered")
        ),
        .init(
            "dropped_by_policy",
            \.droppedByPolicy,
            json: "dropped_by.policy",
            about: "Frames withdrawn since a newer one took their place.",
            metric: .counter("subscriber_dropped", ("reason", "policy"), about: "Frames a subscriber was not given.")
        ),
        .init(
            "dropped_by_budget",
            \.droppedByBudget,
            json: "dropped_by.budget",
            about: "Frames not offered since it had no room in its budget.",
            metric: .counter("subscriber_dropped", ("reason", "budget"))
        ),
        .init(
            "dropped_by_shortage",
            \.droppedByShortage,
            json: "dropped_by.shortage",
            about: "Frames withdrawn or not offered since the pool ran short.",
            metric: .counter("subscriber_dropped", ("reason", "shortage"))
        ),
        .init("copies", \.copies, about: "Copies that it was offered."),
        .init("gets_copies", \.getsCopies, about: "Whether it lags, and is offered copies now."),
        .init("queued", \.queued, about: "Frames that wait in its lane."),
        .init("held", \.held, about: "Frames a subscriber holds.", metric: .gauge("subscriber_held")),
        .init(
            "oldest_lease_age",
            \.oldestLeaseAge,
            json: "oldest_lease_ns",
            about: "The age of the oldest frame it holds; 0 when it holds none."
        ),
        .init("latency_p50", \.latencyP50, json: "latency_ns.p50", about: "Half of its frames were taken within this."),
        .init("latency_p99", \.latencyP99, json: "latency_ns.p99", about: "99 of 100 frames were taken within this."),
        .init("latency_max", \.latencyMax, json: "latency_ns.max", about: "The longest from publication to taking."),
        .init("age", \.age, json: "age_ns", about: "How long it has been attached."),
        .init(
            "interval",
            \.interval,
            json: "interval_ns",
            about: "The time between two frames that it asks for; 0: it asks for all."
        ),
        .init(
            "passed_over",
            \.passedOver,
            about: "Frames not offered to a subscriber since it asks for fewer. No losses.",
            metric: .counter("subscriber_passed_over")
        ),
    ]
}
