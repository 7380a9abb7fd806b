public import FrameMemory

/// How a channel is doing, as its publisher sees it: what `list` and `top` show.
public struct ChannelStatistics: Sendable, Equatable {
    public var channel: String
    /// What feeds it, such as "pattern" or a camera's name.
    public var sourceName: String
    public var publisherPID: Int32
    public var publisherUID: UInt32
    /// Counts reconfigurations, from 1.
    public var generation: UInt32
    public var streams: [StreamStatus]
    public var slots: Int
    /// Slots that nobody holds.
    public var slotsFree: Int
    /// Slots being filled, or queued to the driver.
    public var slotsAtSource: Int
    /// Slots that the source itself must always have.
    public var sourceNeed: Int
    /// Slots reserved for subscribers.
    public var slotsReserved: Int
    /// Buffers of earlier generations that are still held by someone.
    public var retiredSlotsHeld: Int
    /// The slots for copies, where subscribers that lag are given any (``Publisher/Options/lagCopies``).
    public var copies: CopyStatus? = nil
    /// Frames published since the channel began.
    public var published: UInt64
    /// Frames that the source lost by itself (gaps in its sequence).
    public var lostBySource: UInt64
    /// Frames that were lost since no slot was free to fill.
    public var lostNoFreeSlot: UInt64
    /// Frames that were published with ``FrameFlags/error``: the driver says so, or their data is not a whole image.
    public var damaged: UInt64 = 0
    /// How long the channel has existed, in ns.
    public var age: Int64
    /// How long ago the last frame was published, in ns; -1 before the first.
    public var sinceLastFrame: Int64
    public var subscribers: [SubscriberStatus]
    /// The groups that share work.
    public var groups: [GroupStatus] = []
    /// What is amiss with the source now, in its own words; empty: nothing that it knows of.
    public var sourceTrouble = ""
    /// Errors of the source that it went on after, such as a driver's failed call.
    public var sourceErrors: UInt64 = 0

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
        public var slots: Int
        /// Those that nobody holds.
        public var free: Int
        /// The slots that the source is to keep, by giving subscribers that lag copies.
        public var floor: Int
        /// Frames that were copied.
        public var copied: UInt64
    }

    /// A group of subscribers that share the frames.
    public struct GroupStatus: Sendable, Equatable {
        public var name: String
        public var members: Int
        /// Frames given to a member.
        public var given: UInt64
        /// Frames that no member had room for.
        public var lost: UInt64
        /// Requests that were answered, and those that failed.
        public var answered: UInt64
        public var failed: UInt64
        /// Requests that are open.
        public var pending: Int
        /// Replies that nobody waited for (any more).
        public var discarded: UInt64
    }

    /// One subscriber, as the publisher sees it.
    public struct SubscriberStatus: Sendable, Equatable {
        /// The publisher's number for it.
        public var id: UInt32
        public var pid: Int32
        public var uid: UInt32
        public var name: String
        public var policy: Policy
        public var budget: Int
        public var reserved: Bool
        /// The group that it is a member of; empty: none.
        public var group = ""
        /// The streams it chose.
        public var streams: [String]
        /// Frames it took.
        public var delivered: UInt64
        /// Frames withdrawn since a newer one took their place.
        public var droppedByPolicy: UInt64
        /// Frames not offered since it held its whole budget, or had it queued and asked for every frame.
        public var droppedByBudget: UInt64
        /// Frames withdrawn or not offered since the pool ran short.
        public var droppedByShortage: UInt64
        /// Copies that it was offered.
        public var copies: UInt64 = 0
        /// Whether it lags, and is offered copies now.
        public var getsCopies = false
        /// Frames that wait in its lane.
        public var queued: Int
        /// Frames that it holds.
        public var held: Int
        /// The age of the oldest frame it holds, in ns since publication; 0 when it holds none.
        public var oldestLeaseAge: Int64
        /// From publication to taking, in ns, as the subscriber itself says: median, 99th percentile, largest.
        public var latencyP50: UInt64
        public var latencyP99: UInt64
        public var latencyMax: UInt64
        /// How long it has been attached, in ns.
        public var age: Int64

        /// All of its own losses.
        public var dropped: UInt64 { droppedByPolicy &+ droppedByBudget &+ droppedByShortage }
    }
}

// MARK: on the wire

extension WireWriter {
    mutating func put(_ s: ChannelStatistics) {
        put(s.channel)
        put(s.sourceName)
        put(s.publisherPID)
        put(s.publisherUID)
        put(s.generation)
        put(records: s.streams) { w, stream in
            w.putRecord { $0.put(stream.stream) }
            w.put(stream.memory.rawValue)
            w.put(stream.protection.rawValue)
        }
        for n in [s.slots, s.slotsFree, s.slotsAtSource, s.sourceNeed, s.slotsReserved, s.retiredSlotsHeld] { put(n) }
        put(s.copies != nil)
        if let copies = s.copies {
            putRecord { w in
                for n in [copies.slots, copies.free, copies.floor] { w.put(n) }
                w.put(copies.copied)
            }
        }
        for n in [s.published, s.lostBySource, s.lostNoFreeSlot, s.damaged] { put(n) }
        put(s.age)
        put(s.sinceLastFrame)
        put(records: s.subscribers) { $0.put($1) }
        put(records: s.groups) { $0.put($1) }
        put(s.sourceTrouble)
        put(s.sourceErrors)
    }

    mutating func put(_ s: ChannelStatistics.GroupStatus) {
        put(s.name)
        put(s.members)
        for n in [s.given, s.lost, s.answered, s.failed] { put(n) }
        put(s.pending)
        put(s.discarded)
    }

    mutating func put(_ s: ChannelStatistics.SubscriberStatus) {
        put(s.id)
        put(s.pid)
        put(s.uid)
        put(s.name)
        put(policy: s.policy)
        put(s.budget)
        put(s.reserved)
        put(s.group)
        put(names: s.streams)
        for n in [s.delivered, s.droppedByPolicy, s.droppedByBudget, s.droppedByShortage, s.copies] { put(n) }
        put(s.getsCopies)
        put(s.queued)
        put(s.held)
        put(s.oldestLeaseAge)
        for n in [s.latencyP50, s.latencyP99, s.latencyMax] { put(n) }
        put(s.age)
    }
}

extension WireReader {
    mutating func statistics() throws(WireError) -> ChannelStatistics {
        let channel = try text()
        let sourceName = try text()
        let pid: Int32 = try integer()
        let uid: UInt32 = try integer()
        let generation: UInt32 = try integer()
        let streams = try records(atMost: 255, "streams") { r throws(WireError) in
            let stream = try r.record { r throws(WireError) in try r.stream() }
            guard let memory = MemoryKind(rawValue: try r.integer()),
                let protection = WriteProtection(rawValue: try r.integer())
            else { throw WireError(text: "unknown memory") }
            return ChannelStatistics.StreamStatus(stream: stream, memory: memory, protection: protection)
        }
        let limit = 1 << 32
        return ChannelStatistics(
            channel: channel,
            sourceName: sourceName,
            publisherPID: pid,
            publisherUID: uid,
            generation: generation,
            streams: streams,
            slots: try count(atMost: limit),
            slotsFree: try count(atMost: limit),
            slotsAtSource: try count(atMost: limit),
            sourceNeed: try count(atMost: limit),
            slotsReserved: try count(atMost: limit),
            retiredSlotsHeld: try count(atMost: limit),
            copies: try copies(atMost: limit),
            published: try integer(),
            lostBySource: try integer(),
            lostNoFreeSlot: try integer(),
            damaged: try integer(),
            age: try integer(),
            sinceLastFrame: try integer(),
            subscribers: try records(atMost: 65535, "subscribers") { r throws(WireError) in try r.subscriber() },
            groups: try records(atMost: 65535, "groups") { r throws(WireError) in try r.group() },
            sourceTrouble: try text(),
            sourceErrors: try integer()
        )
    }

    private mutating func copies(atMost limit: Int) throws(WireError) -> ChannelStatistics.CopyStatus? {
        guard try bool() else { return nil }
        return try record { r throws(WireError) in
            .init(
                slots: try r.count(atMost: limit),
                free: try r.count(atMost: limit),
                floor: try r.count(atMost: limit),
                copied: try r.integer()
            )
        }
    }

    private mutating func group() throws(WireError) -> ChannelStatistics.GroupStatus {
        .init(
            name: try text(),
            members: try count(atMost: 1 << 32),
            given: try integer(),
            lost: try integer(),
            answered: try integer(),
            failed: try integer(),
            pending: try count(atMost: 1 << 32),
            discarded: try integer()
        )
    }

    private mutating func subscriber() throws(WireError) -> ChannelStatistics.SubscriberStatus {
        .init(
            id: try integer(),
            pid: try integer(),
            uid: try integer(),
            name: try text(),
            policy: try policy(),
            budget: try count(atMost: 1 << 32),
            reserved: try bool(),
            group: try text(),
            streams: try names(),
            delivered: try integer(),
            droppedByPolicy: try integer(),
            droppedByBudget: try integer(),
            droppedByShortage: try integer(),
            copies: try integer(),
            getsCopies: try bool(),
            queued: try count(atMost: 1 << 32),
            held: try count(atMost: 1 << 32),
            oldestLeaseAge: try integer(),
            latencyP50: try integer(),
            latencyP99: try integer(),
            latencyMax: try integer(),
            age: try integer()
        )
    }
}
