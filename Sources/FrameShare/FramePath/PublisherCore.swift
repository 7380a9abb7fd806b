internal import CLinuxMedia
internal import FrameMemory
internal import Glibc
internal import LeaseProtocol
internal import Synchronization
internal import SystemPackage

/// The publisher's half of a frame's way: who is offered it, who holds it, and who is woken.
///
/// `state` is the hot lock: held for the few hundred nanoseconds of an offer, never across a system call on the publishing
/// path. `copying`, where there are slots for copies, is held while a frame is offered and copied, and by whoever changes the
/// generation: a copy is offered in the order and the generation of its frame. It is taken before `state`.
final class PublisherCore: Sendable {
    typealias SubscriberID = LeaseTable.SubscriberID

    /// What does not change while the channel is open.
    struct Settings: Sendable {
        /// Slots that the source itself must always have.
        var sourceNeed: Int
        /// See ``Publisher/Options/stallLimit``.
        var stallLimit: Duration?
        /// See ``Publisher/Options/leaseLimit``.
        var leaseLimit: Duration?
        /// Takes the memory for copies of a pool's frames, each with so much metadata; nil: none are made.
        var makeCopies: (@Sendable (FramePool, _ metadataCapacity: Int) throws(ChannelError) -> any FrameCopies)?
    }

    /// A subscriber as a process; its leases are in the generation.
    struct Member {
        let id: SubscriberID
        let pid: Int32
        let uid: UInt32
        /// The protocol that it speaks.
        let version: ProtocolVersion
        let name: String
        let request: LeaseRequest
        let streams: [String]
        /// The group that it is a member of.
        let group: LeaseTable.GroupID?
        /// The time between two frames that it asks for, in ns; 0: it asks for all.
        let interval: Int64
        let pollable: Bool
        let peer: any SubscriberPeer
        /// What it sleeps on, shared with the other subscribers of its user. Gone with the last of them.
        let wakePage: WakePage
        let attachedAt: Int64
        /// It said goodbye: it keeps what it holds and is offered nothing, in this generation and any later one.
        var isLeaving = false
        /// Its lane in the generation offered now; in the one that it left in, if it is leaving.
        var lane: LaneMemory
        /// Keeps the lane's words while publishing looks at them.
        var laneMemory: SharedMemory
        /// It wants the frames of the source's start-up, too.
        var takesStartup = false
        /// What it had lost in the last generation that it fitted, while it waits for the next one.
        var lossesBefore: LeaseTable.Losses?
    }

    /// What is looked at for each frame of one that may sleep: in a row beside the others', not a line for each.
    // @unchecked: the address of an atomic, whose memory the member keeps.
    struct Sleeper: @unchecked Sendable {
        /// Its lane's word that says so.
        let onFutex: UnsafeMutablePointer<Atomic<UInt32>>
        /// What it sleeps on.
        let word: WakeWord
        let id: SubscriberID
        /// The arming of its pollable descriptor that was answered last.
        var lastWoken: UInt32 = 0
        let isPollable: Bool
        let isMember: Bool
    }

    struct State {
        var generation: Generation
        /// What the next generation's slots have room for.
        var metadataCapacity: Int
        var retired: [Generation] = []
        /// Retired ones that nobody holds any more: the control thread unmaps their lanes.
        var gone: [Generation] = []
        var members: [Member] = [] { didSet { noteSleepers() } }
        /// The members once more, in the same order.
        private(set) var sleepers: [Sleeper] = []
        var nextID: SubscriberID = 1
        var nextSequence: UInt64 = 0
        var lastPublish: Int64? = nil
        /// For whom the source waits now, and how long it may yet.
        var stall: Stall
        /// How long the source has waited so far, in ns.
        var stalled: UInt64 = 0
        var ended = false
        /// When the last subscriber left, or the channel began, in ns.
        var unwantedSince = monotonicNow()
        /// Subscribers to be told why and hung up on, by the control thread.
        var disconnects: [(id: SubscriberID, peer: any SubscriberPeer, reason: String)] = []
        /// Since when each lease has been seen, in ns; kept only where leases have a limit.
        var leasesSeen: [LeaseKey: Int64] = [:]
        /// Subscribers that may hold a frame for as long as they must.
        var unlimited: Set<SubscriberID> = []
        /// Threads that sleep until a slot comes free.
        var waiting = 0
        /// Those whose event loops are to hear of a frame. Kept between calls so that publishing allocates nothing.
        var toWake: [any SubscriberPeer] = []
        /// The words of sleeping readers that a frame's first waker has not woken itself: those of further users.
        var wordsToWake: [WakeWord] = []
        /// Those on which more threads sleep than one call wakes: the control thread goes on.
        var crowds: [WakeWord] = []
        /// Frames copied for subscribers that lag.
        var copied: UInt64 = 0
        /// Somebody wants to know of every frame what becomes of it in a group, also while the group has no member.
        var groupsFollowAll = false
        /// What a thread that waits for a slot sleeps on: the lanes' memories, kept alive while it does.
        var waitSet: [SharedMemory] = []

        private mutating func noteSleepers() {
            let before = sleepers
            sleepers = members.map { member in
                var sleeper = Sleeper(
                    onFutex: member.lane.asleepOnFutex,
                    word: member.wakePage.word,
                    id: member.id,
                    isPollable: member.pollable,
                    isMember: member.group != nil
                )
                // In another lane its armings are counted anew.
                if let old = before.first(where: { $0.id == member.id }), old.onFutex == sleeper.onFutex {
                    sleeper.lastWoken = old.lastWoken
                }
                return sleeper
            }
        }

        @inline(never)
        func isAtSource(_ slot: Int) -> Bool { generation.leases.isAtSource(slot) }

        mutating func note(_ arming: UInt32, answeredTo index: Int) { sleepers[index].lastWoken = arming }
    }

    let channel: String
    let settings: Settings
    let groups: any GroupHooks
    let page: ChannelPage
    let startedAt = monotonicNow()
    let state: Mutex<State>
    let copying = Mutex<Void>(())
    /// Whether there are slots for copies.
    let makesCopies: Bool
    /// Whether the source waits for `everyFrame` subscribers without room at all.
    let waitsForRoom: Bool
    /// Whether a stream is compressed, so that only the data says whether an image is whole.
    let holdsCompressed: Atomic<Bool>
    /// Readable when a slot came free while an event-driven source was short.
    let freeSlotEvent: EventSignal
    /// Wakes the control thread.
    let controlEvent: EventSignal
    /// Readable when a subscriber has come or gone: for sources that run on demand.
    let demandEvent: EventSignal
    /// A futex word of this process: bumped when a thread that waits for a slot must look again.
    let attention: SharedMemory
    /// Whose memory the control thread unmaps.
    let pools = PoolsInUse()
    /// Readers of packets that can't begin before a keyframe.
    let keyframeWishes = KeyframeWishes()

    init(
        channel: String,
        pool: FramePool,
        metadataCapacity: Int,
        settings: Settings,
        groups: any GroupHooks
    ) throws(ChannelError) {
        try Self.check(metadataCapacity: metadataCapacity)
        guard settings.sourceNeed <= pool.slots.count else {
            throw .reservationsDoNotFit(reserved: 0, sourceNeed: settings.sourceNeed, slots: pool.slots.count)
        }
        self.channel = channel
        self.settings = settings
        self.groups = groups
        makesCopies = settings.makeCopies != nil
        waitsForRoom = settings.stallLimit.map { $0 > .zero } ?? true
        holdsCompressed = Atomic(pool.holdsCompressed)
        do throws(MemoryError) {
            page = try ChannelPage(creating: channel)
            attention = try SharedMemory(creating: "frameshare:\(channel):attention", size: 64, readersMayWrite: true)
        } catch {
            throw .memory(error)
        }
        let generation = try Generation(
            number: 1,
            pool: pool,
            channel: channel,
            metadataCapacity: metadataCapacity,
            settings: settings
        )
        state = Mutex(
            State(
                generation: generation,
                metadataCapacity: metadataCapacity,
                stall: Stall(limit: settings.stallLimit)
            )
        )
        pools.add(generation.memory)
        freeSlotEvent = try EventSignal()
        controlEvent = try EventSignal()
        demandEvent = try EventSignal()
    }

    private static func check(metadataCapacity: Int) throws(ChannelError) {
        guard (0...FrameTable.maximumMetadataCapacity).contains(metadataCapacity) else {
            throw .badMetadataCapacity(metadataCapacity)
        }
    }

    /// Sets what the slots of later generations have room for.
    func set(metadataCapacity: Int) throws(ChannelError) {
        try Self.check(metadataCapacity: metadataCapacity)
        state.withLock { $0.metadataCapacity = metadataCapacity }
    }

    private var attentionWord: UnsafeMutablePointer<Atomic<UInt32>> {
        attention.mapping.baseAddress.assumingMemoryBound(to: Atomic<UInt32>.self)
    }

    var attentionSeen: UInt32 { attentionWord.pointee.load(ordering: .sequentiallyConsistent) }

    /// Sleeps until threads that wait are to look again.
    func sleep(whileAttentionIs seen: UInt32, nanoseconds: Int64) {
        let word = attention.mapping.baseAddress.assumingMemoryBound(to: UInt32.self)
        _ = fs_futex_wait(word, seen, nanoseconds)
    }

    /// Makes threads that wait for a slot look again.
    func wakeSlotWaiters() {
        attentionWord.pointee.wrappingAdd(1, ordering: .sequentiallyConsistent)
        _ = fs_futex_wake(attention.mapping.baseAddress.assumingMemoryBound(to: UInt32.self), Int32.max)
    }

    // MARK: publishing

    /// Publishes the frame in a slot that the source holds. Metadata is encoded already.
    @section("frameshare_way")
    func publish(
        slot: Int,
        generation: UInt32?,
        metadataSize: Int,
        _ description: FrameDescription,
        asking: (any FrameQuestion)? = nil
    ) throws(ChannelError) -> UInt64 {
        if description.isSpecial || holdsCompressed.load(ordering: .relaxed) {
            return try publishLookingForDamage(slot, generation, metadataSize, description, asking)
        }
        return try publishAsDescribed(slot, generation, metadataSize, description, asking)
    }

    /// Publishes a frame whose description is final.
    @inline(__always)
    func publishAsDescribed(
        _ slot: Int,
        _ generation: UInt32?,
        _ metadataSize: Int,
        _ description: FrameDescription,
        _ asking: (any FrameQuestion)?,
        isStartup: Bool = false
    ) throws(ChannelError) -> UInt64 {
        if makesCopies { return try publishMakingCopies(slot, generation, metadataSize, description, asking) }
        return try offer(slot, generation, metadataSize, description, asking, isStartup: isStartup)
    }

    @inline(never)
    private func publishMakingCopies(
        _ slot: Int,
        _ generation: UInt32?,
        _ metadataSize: Int,
        _ description: FrameDescription,
        _ asking: (any FrameQuestion)?
    ) throws(ChannelError) -> UInt64 {
        var outcome = Result<UInt64, ChannelError>.failure(.closed)
        copying.withLock { _ in
            do throws(ChannelError) {
                let isStartup = description.flags.contains(.startup)
                let number = try offer(slot, generation, metadataSize, description, asking, isStartup: isStartup)
                makeCopy(number, asking)
                outcome = .success(number)
            } catch {
                outcome = .failure(error)
            }
        }
        return try outcome.get()
    }

    // Inlined, these three: a description is large, and this is the way of every frame.
    @inline(__always)
    private func offer(
        _ slot: Int,
        _ generation: UInt32?,
        _ metadataSize: Int,
        _ description: FrameDescription,
        _ asking: (any FrameQuestion)?,
        isStartup: Bool = false
    ) throws(ChannelError) -> UInt64 {
        let now = monotonicNow()
        var news = News()
        var number: UInt64 = 0
        var refusal = Refusal.none
        state.withLock { state in
            if state.ended {
                refusal = .ended
                return
            }
            // Not `isAtSource`: the way of a frame takes nothing out of the table as a whole, which would copy it.
            let isCurrent = generation == nil || generation == state.generation.memory.number
            let isHeld =
                slot >= 0 && slot < 64
                ? state.generation.leases.atSource.low &>> UInt64(slot) & 1 != 0
                : state.isAtSource(slot)
            guard isCurrent, isHeld else {
                refusal = .notAtSource
                return
            }
            number = page.published.pointee.load(ordering: .relaxed) &+ 1
            Self.fill(state.generation.memory.frames.record(slot), number, now, metadataSize, description, page, &state)
            if !state.retired.isEmpty { Self.collectRetired(&state, &news) }
            if isStartup {
                Self.offerStartup(slot, &state)
                // Releasing: a reader that sees the bumped word sees the offers.
                page.published.pointee.store(number, ordering: .releasing)
                announce(&state, &news)
            } else if state.generation.leases.hasRates {
                publishThinned(slot, number, now, asking, &state, &news)
            } else {
                state.generation.leases.collectAndPublish(slot)
                page.published.pointee.store(number, ordering: .releasing)
                announce(&state, &news, hasRates: false)
            }
            if !state.gone.isEmpty { news.forControl = true }
            state.lastPublish = now
            if asking != nil || makesCopies || state.generation.leases.hasGroups || state.groupsFollowAll {
                tellGroupsOrLeaveToCopy(slot, number, asking, now, &state, &news)
            }
        }
        if refusal != .none { throw refusal == .ended ? .closed : .slotNotAtSource(slot) }
        tell(&news)
        return number
    }

    /// Why a frame was not published.
    private enum Refusal {
        case none
        case ended
        case notAtSource
    }

    @inline(never)
    private static func collectRetired(_ state: inout State, _ news: inout News) {
        state.gone += collectRetired(&state)
        if state.retired.contains(where: { $0.leases.hasViolation }) { news.forControl = true }
    }

    @inline(never)
    private func tellGroupsOrLeaveToCopy(
        _ slot: Int,
        _ number: UInt64,
        _ asking: (any FrameQuestion)?,
        _ now: Int64,
        _ state: inout State,
        _ news: inout News
    ) {
        if makesCopies, state.generation.leases.copying?.replacesFrame ?? false {
            // The copy is what groups are given, and asked about.
            groups.framesWereWithdrawn(from: &state.generation, mayHandOver: false)
        } else if asking != nil || state.generation.leases.hasGroups || state.groupsFollowAll {
            tellGroups(slot, number, asking, now, &state, &news)
        }
    }

    /// Whom to tell, after the lock, of what was offered under it.
    struct News {
        /// The word of the first user whose reader sleeps.
        var word: WakeWord? = nil
        /// Whether `State.wordsToWake` has those of others.
        var moreWords = false
        /// Whether `State.toWake` has some.
        var peers = false
        var forControl = false
        var ofGroups = false
    }

    /// ANNOUNCE: after an offer, sees who sleeps, and bumps the words that they sleep on.
    /// - Parameters:
    ///   - groupsOnly: the offer was a member's of a group
    ///   - hasRates: whether a subscriber may have asked for a rate: it is woken for what it was offered alone
    @inline(__always)
    func announce(_ state: inout State, _ news: inout News, groupsOnly: Bool = false, hasRates: Bool = true) {
        // Offers come before the look at who sleeps; a reader announces its sleep before it looks for an offer. With a
        // fence on either side one of the two sees the other: no wake-up is lost. A reader notes the word before it
        // announces, so the bump that follows the look changes what it has noted, and the kernel lets it sleep no more.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        for i in state.sleepers.indices {
            if groupsOnly && !state.sleepers[i].isMember { continue }
            if hasRates, state.members[i].interval > 0,
                !state.generation.leases.hasNews(for: state.members[i].id)
            {
                continue
            }
            if state.sleepers[i].onFutex.pointee.load(ordering: .relaxed) != 0 {
                Self.bump(state.sleepers[i].word, &state, &news)
            }
            if state.sleepers[i].isPollable { Self.notePoller(i, &state, &news) }
        }
        if !state.disconnects.isEmpty || state.generation.leases.hasViolation { news.forControl = true }
    }

    @inline(never)
    private static func notePoller(_ i: Int, _ state: inout State, _ news: inout News) {
        let arming = state.members[i].lane.asleepOnSocket.pointee.load(ordering: .relaxed)
        guard arming != 0 && arming != state.sleepers[i].lastWoken else { return }
        state.note(arming, answeredTo: i)
        state.toWake.append(state.members[i].peer)
        news.peers = true
    }

    /// Offers a frame where subscribers asked for so many a second, and announces it to those alone who got it.
    @inline(never)
    private func publishThinned(
        _ slot: Int,
        _ number: UInt64,
        _ now: Int64,
        _ asking: (any FrameQuestion)?,
        _ state: inout State,
        _ news: inout News
    ) {
        state.generation.leases.collectReleases()
        state.generation.leases.publishThinned(
            slot,
            captured: state.generation.memory.frames.record(slot).pointee.timestamp,
            now: now,
            groupsAreAsked: asking != nil
        )
        // Releasing: as in `offer`.
        page.published.pointee.store(number, ordering: .releasing)
        announce(&state, &news)
    }

    /// Bumps a word that somebody sleeps on, once, and notes it to be woken after the lock.
    @inline(__always)
    static func bump(_ word: WakeWord, _ state: inout State, _ news: inout News) {
        if news.word == nil {
            word.bump()
            news.word = word
        } else if news.word != word {
            bumpFurther(word, &state, &news)
        }
    }

    @inline(never)
    private static func bumpFurther(_ word: WakeWord, _ state: inout State, _ news: inout News) {
        word.bump()
        // Where it still waits for an earlier frame's waker, that one wakes it after this bump.
        if !state.wordsToWake.contains(word) { state.wordsToWake.append(word) }
        news.moreWords = true
    }

    /// WAKE: the readers of further users, a call for each.
    @inline(never)
    private func wakeFurther() {
        while let word = state.withLock({ $0.wordsToWake.popLast() }) { wake(word) }
    }

    /// Wakes a user's sleepers; leaves those of a crowd to the control thread.
    @inline(__always)
    func wake(_ word: WakeWord) {
        if word.wakeSleepers(atMost: WakePage.mostWoken) >= WakePage.mostWoken { leaveCrowd(word) }
    }

    @inline(never)
    private func leaveCrowd(_ word: WakeWord) {
        state.withLock { if !$0.crowds.contains(word) { $0.crowds.append(word) } }
        controlEvent.signal()
    }

    /// CROWD: on the control thread, wakes what one call has not.
    func wakeCrowds() {
        var crowds: [WakeWord] = []
        state.withLock { state in
            guard !state.crowds.isEmpty else { return }
            crowds = state.crowds
            // Keeps its room, so that publishing allocates nothing.
            state.crowds.removeAll(keepingCapacity: true)
        }
        // In one call: whoever finds nothing and sleeps again is not woken twice.
        for word in crowds { word.wakeSleepers(atMost: WakePage.mostOfCrowd) }
    }

    /// After a frame was offered.
    @inline(never)
    func tellGroups(
        _ slot: Int,
        _ number: UInt64,
        _ asking: (any FrameQuestion)?,
        _ now: Int64,
        _ state: inout State,
        _ news: inout News
    ) {
        let (hasNews, deadline) = groups.frameWasOffered(slot, number, asking, now, &state)
        news.ofGroups = hasNews
        if deadline { news.forControl = true }
    }

    /// Wakes who sleeps and tells who must know.
    @inline(__always)
    func tell(_ news: inout News) {
        if let word = news.word { wake(word) }
        if news.moreWords { wakeFurther() }
        if news.peers { wakeLoops() }
        if news.forControl { controlEvent.signal() }
        if news.ofGroups { groups.tell(self) }
    }

    /// Wakes event loops. Where another thread publishes too, one of the two wakes those of both.
    @inline(never)
    private func wakeLoops() {
        var peers: [any SubscriberPeer] = []
        state.withLock { swap(&peers, &$0.toWake) }
        for peer in peers { peer.wake() }
        peers.removeAll(keepingCapacity: true)
        // Its room is kept, so that publishing allocates nothing.
        state.withLock { if $0.toWake.isEmpty { swap(&peers, &$0.toWake) } }
    }

    /// FILL: writes the frame's record, while its slot is nobody's but the source's.
    @inline(__always)
    private static func fill(
        _ record: UnsafeMutablePointer<fs_frame_record>,
        _ number: UInt64,
        _ now: Int64,
        _ metadataSize: Int,
        _ description: FrameDescription,
        _ page: ChannelPage,
        _ state: inout State
    ) {
        let sequence = description.sequence ?? state.nextSequence
        state.nextSequence = sequence &+ 1
        let timestamp = description.timestamp ?? FrameTimestamp(nanoseconds: now)
        record.pointee.number = number
        record.pointee.sequence = sequence
        record.pointee.timestamp = timestamp.nanoseconds
        record.pointee.publish_timestamp = now
        record.pointee.lost_source = page.lostBySource.pointee.load(ordering: .relaxed)
        record.pointee.lost_no_slot = page.lostNoFreeSlot.pointee.load(ordering: .relaxed)
        record.pointee.clock = UInt32(timestamp.clock.rawValue)
        record.pointee.flags = description.flags.rawValue
        record.pointee.metadata_size = UInt32(truncatingIfNeeded: metadataSize)  // at most the room's
        record.pointee.bytes_used_valid = description.bytesUsedIsSet ? 1 : 0
        if description.bytesUsedIsSet { fill(record, bytesUsed: description) }
    }

    @inline(never)
    private static func fill(
        _ record: UnsafeMutablePointer<fs_frame_record>,
        bytesUsed description: borrowing FrameDescription
    ) {
        let bytesUsed = (UnsafeMutableRawPointer(record) + FrameTable.bytesUsedOffset)
            .assumingMemoryBound(to: UInt32.self)
        for i in 0..<32 { bytesUsed[i] = description.bytesUsed[i] }
    }

    // MARK: slots

    /// A slot that was taken for a CPU source, and where its bytes are.
    struct TakenSlot {
        let slot: Int
        let memory: Generation.Memory
    }

    /// Takes a free slot for a CPU source, if there is one and no `everyFrame` subscriber is to be waited for.
    @section("frameshare_way")
    func tryTakeSlot() throws(ChannelError) -> TakenSlot? {
        var (ended, hasGone, slot) = (false, false, -1)
        let memory: Generation.Memory? = state.withLock { state in
            ended = state.ended
            guard !ended else { return nil }
            if waitsForRoom {
                guard mayGoOn(&state, &hasGone) else { return nil }
            } else {
                // Often one is free without a look at the lanes: the frame that is published next takes that.
                slot = state.generation.leases.takeFreeSlot()
            }
            if slot < 0 {
                state.generation.leases.collectReleases()
                slot = state.generation.leases.takeFreeSlot()
            }
            return slot < 0 ? nil : state.generation.memory
        }
        if hasGone { controlEvent.signal() }
        if let memory { return TakenSlot(slot: slot, memory: memory) }
        if ended { throw .closed }
        return nil
    }

    @inline(never)
    private func mayGoOn(_ state: inout State, _ hasGone: inout Bool) -> Bool {
        state.generation.leases.collectReleases()
        if !state.retired.isEmpty { hasGone = Self.retire(&state) }
        return Self.goesOn(inFlight: state.generation.leases.atSource.count, &state)
    }

    /// Gives a slot back unpublished.
    func giveBack(slot: Int, generation: UInt32?) {
        let (wake, isOld) = state.withLock { state in
            guard generation ?? state.generation.number == state.generation.number else { return (false, true) }
            state.generation.leases.giveBack(slot)
            return (state.waiting > 0, false)
        }
        if wake { wakeSlotWaiters() }
        // It may have been what kept its pool.
        if isOld { controlEvent.signal() }
    }

    /// Calls `attempt` until it returns a value, sleeping until releases, departures, the end of a user's credit or
    /// `interrupted` in between.
    func waitForSlots<T>(
        timeout: Duration?,
        interrupted: () -> Bool,
        _ attempt: () throws(ChannelError) -> T?
    ) throws(ChannelError) -> T {
        if let value = try attempt() { return value }
        let deadline = Deadline(after: timeout)
        state.withLock {
            $0.waiting += 1
            page.shortage.pointee.bitwiseOr(FS_SHORT_FUTEX, ordering: .sequentiallyConsistent)
        }
        defer {
            state.withLock {
                $0.waiting -= 1
                // Without a look that found room: from now on nobody keeps the source waiting.
                if waitsForRoom && $0.waiting == 0 { Self.endStall(&$0) }
                if $0.waiting == 0 {
                    page.shortage.pointee.bitwiseAnd(~FS_SHORT_FUTEX, ordering: .sequentiallyConsistent)
                }
            }
        }
        while true {
            // SLEEP: announce (above), snapshot the words, re-check, sleep; the kernel compares them once more. A
            // release bumps its word after the released bit is set, so it is seen by the re-check or by the kernel.
            let lanes = state.withLock {
                $0.retired.isEmpty ? $0.waitSet : $0.waitSet + $0.retired.flatMap(\.lanes.values)
            }
            var words = WaitWords(attention: attentionWord, lanes: lanes)
            atomicMemoryFence(ordering: .sequentiallyConsistent)
            if interrupted() { throw .cancelled }
            if let value = try attempt() { return value }
            if deadline.hasPassed { throw .timedOut() }
            // After the look, which says what is left.
            let stallLeft = state.withLock { $0.stall.left }
            // A tenth of a second at most: cancellation is looked at again, and a credit that ends.
            let nanoseconds = deadline.remaining(atMost: min(100_000_000, stallLeft))
            let result = words.wait(nanoseconds: max(nanoseconds, 1_000_000))
            withExtendedLifetime(lanes) {}
            if result != 0 && result != -EAGAIN && result != -ETIMEDOUT && result != -EINTR {
                // No futex_waitv (Linux before 5.16, or a sandbox without it): look again every millisecond.
                var pause = timespec(tv_sec: 0, tv_nsec: 1_000_000)
                if nanosleep(&pause, nil) != 0 { fs_note_signal() }
            }
        }
    }

    /// Takes everything from a subscriber at once; the control thread tells it later.
    func cutOff(_ id: SubscriberID, _ state: inout State, reason: String) {
        groups.subscriberLeaves(id, &state)
        guard let index = state.members.firstIndex(where: { $0.id == id }) else { return }
        let member = state.members.remove(at: index)
        state.generation.remove(id)
        for i in state.retired.indices { state.retired[i].remove(id) }
        state.waitSet = Array(state.generation.lanes.values)
        state.disconnects.append((id, member.peer, reason))
    }

    /// Takes out the old generations that nobody holds any more. The caller drops them after it has given back the lock, and
    /// tells the control thread, which unmaps their pools.
    static func collectRetired(_ state: inout State) -> [Generation] {
        for i in state.retired.indices { state.retired[i].leases.collectReleases() }
        let gone = state.retired.filter { $0.leases.pinned.isEmpty }
        if !gone.isEmpty { state.retired.removeAll { $0.leases.pinned.isEmpty } }
        for member in state.members where member.request.policy == .everyFrame {
            let pinned = state.retired.reduce(0) { $0 + $1.leases.outstanding(of: member.id) }
            state.generation.leases.setPinnedBefore(pinned, of: member.id)
        }
        return gone
    }

    /// Leaves old generations that nobody holds any more to the control thread.
    /// - Returns: whether there are any: it is to be told
    private static func retire(_ state: inout State) -> Bool {
        state.gone += collectRetired(&state)
        return !state.gone.isEmpty
    }

    // MARK: event-driven sources

    /// Every free slot goes to the source. When it has no more than it needs even so, releases are asked to say so.
    func takeFreeSlots() -> SlotSet {
        state.withLock { state in
            var taken = SlotSet()
            func take() {
                state.generation.leases.collectReleases()
                while let slot = state.generation.leases.takeFree() { taken.insert(slot) }
            }
            take()
            if state.generation.leases.atSource.count <= state.generation.leases.sourceNeed {
                page.shortage.pointee.bitwiseOr(FS_SHORT_SOCKET, ordering: .sequentiallyConsistent)
                atomicMemoryFence(ordering: .sequentiallyConsistent)
                take()  // a release between the first look and the announcement
            } else if page.shortage.pointee.load(ordering: .relaxed) & FS_SHORT_SOCKET != 0 {
                page.shortage.pointee.bitwiseAnd(~FS_SHORT_SOCKET, ordering: .relaxed)
            }
            return taken
        }
    }

    /// The slots of a generation that subscribers have queued or leased.
    func heldSlots(ofGeneration number: UInt32) -> [Int] {
        var gone: [Generation] = []
        defer { if !gone.isEmpty { controlEvent.signal() } }
        return state.withLock { state in
            var held: [Int] = []
            if state.generation.number == number {
                state.generation.leases.collectReleases()
                state.generation.leases.pinned.forEach { held.append($0) }
            } else {
                gone = Self.collectRetired(&state)
                state.retired.first { $0.number == number }?.leases.pinned.forEach { held.append($0) }
            }
            return held
        }
    }

    /// Whether a driver's next frame may be published now.
    func hasRoomForOne() throws(ChannelError) -> Bool {
        var (ended, hasGone) = (false, false)
        let room = state.withLock { state in
            ended = state.ended
            guard waitsForRoom, !ended else { return true }
            state.generation.leases.collectReleases()
            if !state.retired.isEmpty { hasGone = Self.retire(&state) }
            return Self.goesOn(inFlight: 0, &state)
        }
        if hasGone { controlEvent.signal() }
        if ended { throw .closed }
        return room
    }
}
