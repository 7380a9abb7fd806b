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
/// subscriber's lock. What a frame needs comes first.
struct SubscriberCore {
    /// The generation that frames come from now.
    private(set) var current: ReceivedGeneration
    private var takes: LaneTakes
    /// The records of `current`.
    private var records: FrameTable.Rows
    /// Whether gaps in the numbers are its own losses alone: not a member's, and not those of a subscriber that asked for
    /// a rate.
    private let gapsAreLosses: Bool
    /// Frames that it did not get since it asked for fewer.
    private(set) var passedOver: UInt64 = 0
    /// Of those that its publisher says in the lane, how many are accounted for.
    private var passedOverBooked: UInt64 = 0
    /// What had been published when it joined.
    private var numberAtStart: UInt64
    private(set) var delivered: UInt64 = 0
    /// Of those, the ones that came by earlier connections: a publisher is told its own only.
    private var deliveredBefore: UInt64 = 0
    private(set) var lost = FrameLoss()
    /// The counters in the record of the frame before; `number` is 0 before the first.
    private var before = (number: UInt64(0), source: UInt64(0), noFreeSlot: UInt64(0))
    /// When the control socket was looked at last, or a frame came, in ns.
    var lookedAt: Int64 = 0
    private var latencies = RecentLatencies()
    /// What the next frame is marked with, beside what its publisher says: after a new connection, a break.
    private var marks: FrameFlags = []
    /// Whether what was lost before the next frame is known.
    private var lossIsKnown = true
    /// Whether it shares a group's frames with others.
    private let isMember: Bool
    /// Earlier generations, which end after the lock: unmapping a pool takes its time.
    var outgoing: [ReceivedGeneration] = []

    init(_ first: ReceivedGeneration, isMember: Bool, hasRate: Bool) {
        current = first
        self.isMember = isMember
        gapsAreLosses = !isMember && !hasRate
        takes = LaneTakes(memory: first.lane, slots: first.offer.slots)
        records = first.frames.rows
        numberAtStart = first.page.published.pointee.load(ordering: .relaxed)
    }

    // MARK: taking

    /// The slot that lies in the lane, to be booked by ``account(_:)``; nil: none does.
    @section("frameshare_way")
    mutating func takeSlot() -> Int? { takes.take() }

    /// The frame that lies in the lane, made where its ticket is taken. Nil also where something else is to be looked at
    /// first.
    @inline(never)
    @section("frameshare_way")
    mutating func takeFrame() -> Frame? {
        guard let slot = takes.take() else { return nil }
        let record = records.record(slot)
        guard let lost = book(record) else { return nil }
        return Frame(received: current, slot: slot, record: record, lost: lost, marks: takeMarks())
    }

    /// Books a frame; nil if the publisher has taken back what it had offered here, which may be rewritten by now.
    @section("frameshare_way")
    mutating func account(_ slot: Int) -> TakenFrame? {
        guard let lost = book(records.record(slot)) else { return nil }
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
    private mutating func book(_ record: UnsafeMutablePointer<fs_frame_record>) -> FrameLoss? {
        let (number, source, noFreeSlot) = (
            record.pointee.number, record.pointee.lost_source, record.pointee.lost_no_slot
        )
        let published = record.pointee.publish_timestamp
        if takes.isRevoked { return nil }
        var lost = FrameLoss(isKnown: lossIsKnown)
        lossIsKnown = true
        if before.number != 0, !isMember || before.number < number {
            lost.source = source &- before.source
            lost.noFreeSlot = noFreeSlot &- before.noFreeSlot
            // A member of a group has no share in most frames; the publisher counts what its group loses.
            if gapsAreLosses {
                lost.policy = number &- before.number &- 1
            } else if !isMember {
                lost.policy = lossesAmongPassedOver(number &- before.number &- 1)
            }
        } else if before.number == 0, !gapsAreLosses, !isMember {
            bookPassedOver(before: number)
        }
        before = (number, source, noFreeSlot)
        self.lost.source &+= lost.source
        self.lost.noFreeSlot &+= lost.noFreeSlot
        self.lost.policy &+= lost.policy
        delivered &+= 1
        takes.memory.taken.pointee.store(delivered &- deliveredBefore, ordering: .relaxed)
        // Of earlier frames: beside the way of this one.
        if latencies.isFull, latencies.areDue(lookedAt) { tellLatencies() }
        let now = monotonicNow()
        lookedAt = now
        // Wrapping: the record is the publisher's claim.
        latencies.add(now &- published)
        current.leases.begin()
        return lost
    }

    /// What was passed over before its first frame counts nowhere, as what was lost then.
    @inline(never)
    private mutating func bookPassedOver(before number: UInt64) {
        let passed = takes.memory.passedOver.pointee.load(ordering: .relaxed)
        passedOverBooked = min(passed, number > numberAtStart ? number &- numberAtStart &- 1 : 0)
    }

    /// A gap in the numbers, without what its publisher passed over. The publisher's count may be ahead of the frame that was
    /// just taken: what it is ahead counts with the next.
    @inline(never)
    private mutating func lossesAmongPassedOver(_ gap: UInt64) -> UInt64 {
        let passed = takes.memory.passedOver.pointee.load(ordering: .relaxed) &- passedOverBooked
        let booked = min(passed, gap)
        passedOverBooked &+= booked
        passedOver &+= booked
        return gap &- booked
    }

    /// A frame that was just taken is more than was asked for: its publisher is too old to know of rates.
    mutating func passOver() {
        delivered &-= 1
        passedOver &+= 1
    }

    /// Whether something was offered that was not taken.
    var somethingIsOffered: Bool { takes.somethingOffered }

    // MARK: generations

    /// Whether the channel is open, and offers this generation.
    var isCurrent: Bool {
        current.page.state == .open
            && current.page.generation.pointee.load(ordering: .acquiring) == current.generation
    }

    /// Goes over to the next generation of the same connection.
    mutating func attach(_ next: ReceivedGeneration) {
        tellLatencies()
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
        before = (0, 0, 0)
        passedOverBooked = 0
        numberAtStart = first.page.published.pointee.load(ordering: .relaxed)
        (marks, lossIsKnown, lost.isKnown) = (.discontinuity, false, false)
    }

    /// The program does not get this frame, which was taken: the next one is the first after the break.
    mutating func passOver(_ taken: TakenFrame) {
        if taken.record.flags.contains(.discontinuity) { marks = .discontinuity }
        if !taken.lost.isKnown { lossIsKnown = false }
    }

    // MARK: latency

    /// Tells the publisher the figures, where it is time: before a sleep, not on the way of a frame.
    mutating func tellLatenciesIfDue() {
        if latencies.areDue(lookedAt) { tellLatencies() }
    }

    @inline(never)
    private mutating func tellLatencies() {
        let figures = latencyFigures()
        let lane = takes.memory
        lane.latencyP50.pointee.store(figures.p50, ordering: .relaxed)
        lane.latencyP99.pointee.store(figures.p99, ordering: .relaxed)
        lane.latencyMax.pointee.store(figures.maximum, ordering: .relaxed)
    }

    /// The figures with those of the frames until now.
    mutating func latencyFigures() -> (p50: UInt64, p99: UInt64, maximum: UInt64) {
        latencies.book(now: lookedAt).figures
    }
}

/// The latencies of the latest frames, until they are counted: a store for each frame, and the rest ten times a second at most.
/// Of more than 640 frames a second the latest are counted, and the largest of all.
struct RecentLatencies: @unchecked Sendable {  // @unchecked: the row is changed by one holder, who serialises that
    private static let capacity = 64

    /// In ns: those of `window`, which keeps them.
    private let row: UnsafeMutablePointer<Int64>
    private var count = 0
    private var limit = 1
    private var largest: Int64 = 0
    /// When they are to be counted, in ns.
    private var due: Int64 = .min
    private let window = LatencyWindow(rowCapacity: capacity)

    init() { row = window.row }

    @inline(__always)
    mutating func add(_ ns: Int64) {
        row[count & (Self.capacity &- 1)] = ns
        count &+= 1
        if ns > largest { largest = ns }
    }

    /// Whether the next one takes the place of one that is not counted. The first are to be counted at once.
    @inline(__always)
    var isFull: Bool { count >= limit }

    /// Whether it is time to count them.
    @inline(__always)
    func areDue(_ now: Int64) -> Bool { now >= due }

    /// Counts them.
    mutating func book(now: Int64) -> LatencyWindow {
        for i in 0..<min(count, Self.capacity) { window.add(row[i]) }
        window.raise(to: largest)
        count = 0
        // The first ones are told at once.
        (due, limit) = window.isYoung ? (now, 1) : (now &+ 100_000_000, Self.capacity)
        return window
    }
}

/// Recent latencies in buckets of about 6 %, for `top`.
// @unchecked: its one owner serialises all use.
final class LatencyWindow: @unchecked Sendable {
    private static let bucketCount = 512

    /// Room for those that are not counted yet.
    let row: UnsafeMutablePointer<Int64>
    private let buckets: UnsafeMutablePointer<UInt16>
    private var count = 0
    private var added = 0
    private var largest: UInt64 = 0

    init(rowCapacity: Int = 0) {
        row = .allocate(capacity: rowCapacity)
        row.initialize(repeating: 0, count: rowCapacity)
        buckets = .allocate(capacity: Self.bucketCount)
        buckets.initialize(repeating: 0, count: Self.bucketCount)
    }

    deinit {
        row.deallocate()
        buckets.deallocate()
    }

    /// 16 buckets for each power of two, from 0 to 2^32 ns and beyond.
    private static var scale: LatencyScale { LatencyScale(bits: 4) }

    private static func bucket(_ ns: UInt64) -> Int { min(bucketCount - 1, scale.bucket(ns)) }

    /// Adds one, in ns.
    func add(_ ns: Int64) {
        let value = UInt64(max(0, ns))
        buckets[Self.bucket(value)] &+= 1
        raise(to: ns)
        count += 1
        added &+= 1
        if count >= 2048 { halve() }  // old samples fade
    }

    /// Whether there are few as yet.
    var isYoung: Bool { added < 32 }

    func raise(to ns: Int64) { largest = max(largest, UInt64(max(0, ns))) }

    private func halve() {
        count = 0
        for i in 0..<Self.bucketCount {
            buckets[i] /= 2
            count += Int(buckets[i])
        }
    }

    /// The latencies below which half and 99 % of the samples lie, and the largest, in ns.
    var figures: (p50: UInt64, p99: UInt64, maximum: UInt64) {
        let (half, most) = (count / 2, Int(Double(count) * 0.99))
        var (p50, seen) = (largest, 0)
        for i in 0..<Self.bucketCount {
            let before = seen
            seen &+= Int(buckets[i])
            if before <= half && half < seen { p50 = Self.scale.leastLatency(of: i) }
            if most < seen { return (p50, Self.scale.leastLatency(of: i), largest) }
        }
        return (p50, largest, largest)
    }
}
