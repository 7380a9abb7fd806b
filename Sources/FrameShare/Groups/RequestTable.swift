internal import LeaseProtocol

/// Who waits for replies. Told outside of all locks, from any thread.
protocol WorkSink: AnyObject, Sendable {
    func receive(_ event: WorkEvent)
}

/// What has become of a request.
enum WorkEvent: Sendable {
    case progress(frame: UInt64, worker: UInt32, ReceivedReply)
    case answered(frame: UInt64, worker: UInt32, ReceivedReply)
    case failed(frame: UInt64, WorkError)
}

/// What groups were asked and have not answered yet: plain state, under the lock of ``GroupWork``.
///
/// A request is known by its frame's number and its group, and is with one member at a time. A reply counts only when it
/// comes from that member: late ones and repeated ones find nothing and are discarded. Each request ends exactly once.
struct RequestTable {
    typealias MemberID = LeaseTable.SubscriberID
    typealias GroupID = LeaseTable.GroupID

    struct Key: Hashable {
        let frame: UInt64
        let group: GroupID
    }

    struct Request {
        let key: Key
        /// Who has the frame now.
        var member: MemberID
        let slot: Int
        let generation: UInt32
        /// On the monotonic clock, in ns.
        let deadline: Int64?
        let options: AskOptions
        /// How many members have had it.
        var attempts = 1
        var sinks: [any WorkSink]
    }

    /// A group by name, with what has happened in it.
    struct Group {
        let name: String
        var members = 0
        /// Frames given to a member, and frames that no member had room for.
        var given: UInt64 = 0
        var lost: UInt64 = 0
        var answered: UInt64 = 0
        var failed: UInt64 = 0
        /// Replies that nobody waited for.
        var discarded: UInt64 = 0
        /// Who gets the results of all its frames.
        var results: ResultQueue?
    }

    /// The most groups that a channel keeps account of.
    static let maximumGroups = 64

    private(set) var groups: [Group] = []
    /// Whether anyone reads the results of a group.
    private(set) var hasReaders = false
    private(set) var requests: [Key: Request] = [:]
    /// When the first deadline comes, or earlier; nil: none.
    private(set) var firstDeadline: Int64?
    /// What is to be told, once the lock is released.
    private var told: [(sink: any WorkSink, event: WorkEvent)] = []
    var hasNews: Bool { !told.isEmpty }

    // MARK: groups

    func group(named name: String) -> GroupID? { groups.firstIndex { $0.name == name }.map(GroupID.init) }

    /// The group's number; the place of one that nobody uses any more is taken when all are taken. Nil: none is left.
    mutating func enter(_ name: String) -> GroupID? {
        if let known = group(named: name) { return known }
        if groups.count < Self.maximumGroups {
            groups.append(Group(name: name))
            return GroupID(groups.count - 1)
        }
        let unused = groups.indices.first { i in
            groups[i].members == 0 && groups[i].results == nil && !requests.keys.contains { $0.group == GroupID(i) }
        }
        guard let unused else { return nil }
        groups[unused] = Group(name: name)
        return GroupID(unused)
    }

    /// Changes a group's account.
    mutating func update(_ group: GroupID, _ body: (inout Group) -> Void) {
        guard groups.indices.contains(Int(group)) else { return }
        body(&groups[Int(group)])
    }

    /// Who gets the results of all frames of a group from now on; nil: nobody.
    mutating func setResults(_ queue: ResultQueue?, of group: GroupID) {
        update(group) { $0.results = queue }
        hasReaders = groups.contains { $0.results != nil }
    }

    func name(of group: GroupID) -> String { groups.indices.contains(Int(group)) ? groups[Int(group)].name : "" }

    /// For monitors: the groups that have members, or anything to tell.
    var status: [ChannelStatistics.GroupStatus] {
        groups.indices.compactMap { i in
            let (group, pending) = (groups[i], requests.keys.count { $0.group == GroupID(i) })
            guard group.members > 0 || group.given > 0 || group.lost > 0 else { return nil }
            return ChannelStatistics.GroupStatus(
                name: group.name,
                members: group.members,
                given: group.given,
                lost: group.lost,
                answered: group.answered,
                failed: group.failed,
                pending: pending,
                discarded: group.discarded
            )
        }
    }

    // MARK: requests

    mutating func add(_ request: Request) {
        requests[request.key] = request
        if let deadline = request.deadline { firstDeadline = min(firstDeadline ?? deadline, deadline) }
    }

    /// Tells someone whose request never came to be.
    mutating func refuse(_ sinks: [any WorkSink], frame: UInt64, _ error: WorkError) {
        for sink in sinks { told.append((sink, .failed(frame: frame, error))) }
    }

    /// A reply has come; whether somebody waited for it.
    @discardableResult
    mutating func receive(
        _ reply: ReceivedReply,
        _ stage: Message.WorkerReply.Stage,
        frame: UInt64,
        group: GroupID,
        from member: MemberID
    ) -> Bool {
        let key = Key(frame: frame, group: group)
        guard let request = requests[key], request.member == member else {
            update(group) { $0.discarded += 1 }
            return false
        }
        switch stage {
        case .progress: tell(request, .progress(frame: frame, worker: member, reply))
        case .final:
            requests[key] = nil
            update(group) { $0.answered += 1 }
            tell(request, .answered(frame: frame, worker: member, reply))
        case .failure:
            let bytes = if case .inline(let bytes) = reply.storage { bytes } else { [UInt8]() }
            fail(key, .failed(frame: frame, reason: String(decoding: bytes, as: UTF8.self)))
        }
        return true
    }

    /// Ends a request without an answer; what it was, if it was still open.
    @discardableResult
    mutating func fail(_ key: Key, _ error: WorkError) -> Request? {
        guard let request = requests.removeValue(forKey: key) else { return nil }
        update(key.group) { $0.failed += 1 }
        tell(request, .failed(frame: key.frame, error))
        return request
    }

    /// The frame is with another member now.
    /// - Parameter again: whether the member before has had it in its hands
    mutating func hand(_ key: Key, to member: MemberID, again: Bool) {
        requests[key]?.member = member
        if again { requests[key]?.attempts += 1 }
    }

    /// The request for a frame's answer that a member has.
    func request(for frame: UInt64, with member: MemberID) -> Request? {
        for group in groups.indices {
            if let request = requests[Key(frame: frame, group: GroupID(group))], request.member == member {
                return request
            }
        }
        return nil
    }

    /// Whether a frame's answer is wanted, and from this member.
    func isOpen(_ frame: UInt64, _ group: GroupID, with member: MemberID) -> Bool {
        requests[Key(frame: frame, group: group)]?.member == member
    }

    /// How many requests a member has.
    func open(with member: MemberID) -> Int {
        var count = 0
        for request in requests.values where request.member == member { count += 1 }
        return count
    }

    /// Whether a member of a group, other than this idle one, has more requests than the one that it works on.
    func hasWaiting(in group: GroupID, besides idle: MemberID) -> Bool {
        var counts: [MemberID: Int] = [:]
        for request in requests.values where request.key.group == group {
            if request.member == idle { return false }
            counts[request.member, default: 0] += 1
        }
        return counts.values.contains { $0 > 1 }
    }

    /// The requests that a member has, the oldest frame first.
    func requests(with member: MemberID) -> [Request] {
        requests.values.filter { $0.member == member }.sorted { $0.key.frame < $1.key.frame }
    }

    /// Ends what is overdue and returns it.
    mutating func expire(now: Int64) -> [Request] {
        guard let first = firstDeadline, now >= first else { return [] }
        let overdue = requests.values.filter { $0.deadline.map { $0 <= now } ?? false }
            .sorted { $0.key.frame < $1.key.frame }
        for request in overdue { fail(request.key, .deadlinePassed(frame: request.key.frame)) }
        firstDeadline = requests.values.compactMap(\.deadline).min()
        return overdue
    }

    private mutating func tell(_ request: Request, _ event: WorkEvent) {
        for sink in request.sinks { told.append((sink, event)) }
    }

    /// What is to be told, in order. The caller tells it once it has released the lock.
    mutating func takeNews() -> [(sink: any WorkSink, event: WorkEvent)] {
        guard !told.isEmpty else { return [] }
        defer { told = [] }
        return told
    }
}
