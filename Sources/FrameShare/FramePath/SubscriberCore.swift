internal import CLinuxMedia
internal import LeaseProtocol
internal import Synchronization

/// A frame that was taken, before it becomes a `Frame`. Copyable only so that it can pass through a continuation; exactly one
/// `Frame` is made of it.
struct TakenFrame: Sendable {
    let received: ReceivedGeneration
    let slot: Int
    let record: FrameRecord
    let lost: FrameLoss

    var frame: Frame { Frame(received: received, slot: slot, record: record, lost: lost) }
}

/// A subscriber's half of a frame's way: it takes what lies in the lane, and counts what came and what was lost. Used under the
/// subscriber's lock.
struct SubscriberCore {
    /// The generation that frames come from now.
    private(set) var current: ReceivedGeneration
    /// Earlier ones, which end after the lock: unmapping a pool takes its time.
    var outgoing: [ReceivedGeneration] = []
    private var takes: LaneTakes
    /// The records of `current`.
    private var records: FrameTable.Rows
    /// Whether it shares a group's frames with others.
    private let isMember: Bool
    private(set) var delivered: UInt64 = 0
    /// Of those, the ones that came by earlier connections: a publisher is told its own only.
    private var deliveredBefore: UInt64 = 0
    private(set) var lost = FrameLoss()
    /// The counters in the record of the frame before.
    private var before: (number: UInt64, source: UInt64, noFreeSlot: UInt64)?
    /// What the next frame is marked with, beside what its publisher says: after a new connection, a break.
    var marks: FrameFlags = []
    private(set) var latency = LatencyWindow()
    /// The latency of the frame taken last, in ns, until it is booked: beside the way of a frame, not on it.
    private var unbooked: Int64?
    /// When the control socket was looked at last, or a frame came, in ns.
    var lookedAt: Int64 = 0

    init(_ first: ReceivedGeneration, isMember: Bool) {
        current = first
        self.isMember = isMember
        takes = LaneTakes(memory: first.lane, slots: first.offer.slots)
        records = first.frames.rows
    }

    // MARK: taking

    /// The slot that lies in the lane, to be booked by ``account(_:)``; nil: none does.
    @inline(__always)
    mutating func takeSlot() -> Int? { takes.take() }

    /// The frame that lies in the lane, made where its ticket is taken. Nil also where something else is to be looked at
    /// first.
    @inline(__always)
    mutating func takeFrame() -> Frame? {
        guard let slot = takes.take(), let lost = book(slot) else { return nil }
        return Frame(
            received: current,
            slot: slot,
            record: records.record(slot),
            lost: lost,
            marks: takeMarks()
        )
    }

    /// Books a frame; nil if the publisher has taken back what it had offered here, which may be rewritten by now.
    mutating func account(_ slot: Int) -> TakenFrame? {
        guard let lost = book(slot) else { return nil }
        var record = FrameRecord(records.record(slot))
        record.flags.formUnion(takeMarks())
        return TakenFrame(received: current, slot: slot, record: record, lost: lost)
    }

    @inline(__always)
    private mutating func takeMarks() -> FrameFlags {
        defer { marks = [] }
        return marks
    }

    /// - Returns: what was lost since the frame before; nil if the frame may be rewritten by now
    @inline(__always)
    private mutating func book(_ slot: Int) -> FrameLoss? {
        let record = records.record(slot)
        let (number, source, noFreeSlot) = (
            record.pointee.number, record.pointee.lost_source, record.pointee.lost_no_slot
        )
        let published = record.pointee.publish_timestamp
        if takes.isRevoked { return nil }
        var lost = FrameLoss()
        if let before, !isMember || before.number < number {
            lost.source = source &- before.source
            lost.noFreeSlot = noFreeSlot &- before.noFreeSlot
            // A member of a group has no share in most frames; the publisher counts what its group loses.
            if !isMember { lost.policy = number &- before.number &- 1 }
        }
        before = (number, source, noFreeSlot)
        self.lost.source &+= lost.source
        self.lost.noFreeSlot &+= lost.noFreeSlot
        self.lost.policy &+= lost.policy
        delivered += 1
        takes.memory.taken.pointee.store(delivered &- deliveredBefore, ordering: .relaxed)
        let now = monotonicNow()
        lookedAt = now
        bookLatency()
        // Wrapping: the record is the publisher's claim.
        unbooked = now &- published
        current.leases.begin()
        return lost
    }

    /// Whether something was offered that was not taken.
    var somethingIsOffered: Bool { takes.somethingOffered }

    // MARK: generations

    /// Goes over to the next generation of the same connection.
    mutating func attach(_ next: ReceivedGeneration) {
        bookLatency()
        outgoing.append(current)
        current = next
        next.lane.taken.pointee.store(delivered &- deliveredBefore, ordering: .relaxed)
        takes = LaneTakes(memory: next.lane, slots: next.offer.slots)
        records = next.frames.rows
    }

    /// Goes over to the first generation of a new connection.
    mutating func attach(reconnected first: ReceivedGeneration) {
        deliveredBefore = delivered
        attach(first)
        before = nil
        marks = .discontinuity
    }

    // MARK: latency

    mutating func bookLatency() {
        guard let ns = unbooked else { return }
        unbooked = nil
        guard latency.add(ns, now: lookedAt) else { return }
        let lane = takes.memory
        lane.latencyP50.pointee.store(latency.percentile(0.5), ordering: .relaxed)
        lane.latencyP99.pointee.store(latency.percentile(0.99), ordering: .relaxed)
        lane.latencyMax.pointee.store(latency.maximum, ordering: .relaxed)
    }
}

/// Recent latencies in buckets of about 6 %, for `top`. Fixed size: adding allocates nothing.
struct LatencyWindow: Sendable {
    private var buckets: InlineArray<512, UInt16> = .init(repeating: 0)
    private var count = 0
    private var largest: UInt64 = 0
    /// When the percentiles were asked for last, in ns.
    private var toldAt: Int64 = 0

    /// 16 buckets for each power of two, from 0 to 2^32 ns and beyond.
    private static func bucket(_ ns: UInt64) -> Int {
        guard ns >= 16 else { return Int(ns) }
        let power = 63 - ns.leadingZeroBitCount
        return min(511, (power - 3) * 16 + Int(ns >> UInt64(power - 4) & 15))
    }

    private static func lowerBound(_ bucket: Int) -> UInt64 {
        guard bucket >= 16 else { return UInt64(bucket) }
        return UInt64(16 + bucket % 16) << UInt64(bucket / 16 - 1)
    }

    /// Adds one, at the time `now` in ns. True ten times a second at most, when it is time to look at the percentiles: that
    /// takes longer than a frame.
    mutating func add(_ ns: Int64, now: Int64) -> Bool {
        let value = UInt64(max(0, ns))
        let index = Self.bucket(value)
        buckets[index] &+= 1
        largest = max(largest, value)
        count += 1
        if count >= 2048 { halve() }  // old samples fade
        guard count < 32 || now - toldAt >= 100_000_000 else { return false }
        toldAt = now
        return true
    }

    private mutating func halve() {
        count = 0
        for i in 0..<512 {
            buckets[i] /= 2
            count += Int(buckets[i])
        }
    }

    /// The latency below which `part` of the samples lie, in ns.
    func percentile(_ part: Double) -> UInt64 {
        let wanted = Int(Double(count) * part)
        var seen = 0
        // Through a span: an index into the array itself would copy all of it each time.
        let buckets = buckets.span
        for i in buckets.indices {
            seen += Int(buckets[i])
            if seen > wanted { return Self.lowerBound(i) }
        }
        return largest
    }

    /// The largest so far, in ns.
    var maximum: UInt64 { largest }
}
