/// How long the subscribers of each user may yet make the source wait, of a limit that holds in any minute.
///
/// Pure state: the caller tells the time. It belongs to the user and not to the subscriber: whoever joins again has what
/// is left.
package struct StallCredit: Sendable {
    /// As the kernel tells it of a peer.
    package typealias UserID = UInt32

    /// A time that the source waited, which ended at `end`; in ns.
    private struct Wait {
        var end: Int64
        var duration: Int64
    }

    private struct Account {
        let user: UserID
        var waits: [Wait] = []

        /// What ended a minute ago, or before, counts no longer. What has ended since counts in full.
        mutating func forget(before now: Int64) {
            waits.removeAll { now.subtractingReportingOverflow($0.end).partialValue >= StallCredit.minute }
        }

        var used: Int64 {
            waits.reduce(0) { sum, wait in
                let (result, overflow) = sum.addingReportingOverflow(wait.duration)
                return overflow ? .max : result
            }
        }
    }

    private static let minute: Int64 = 60_000_000_000
    private static let second: Int64 = 1_000_000_000
    /// Whoever can be many users gets no memory for each: of more than these, those are forgotten that have made the source
    /// wait the least. So many users can't take another's time away by using a little of theirs.
    package static let mostUsers = 64

    /// In ns.
    private let limit: Int64
    private var accounts: [Account] = []

    /// - Parameter limit: how long each user may make the source wait in any minute, in ns
    package init(limit: Int64) { self.limit = max(0, limit) }

    /// What a user has left, in ns.
    package mutating func left(_ user: UserID, now: Int64) -> Int64 {
        guard let i = accounts.firstIndex(where: { $0.user == user }) else { return limit }
        accounts[i].forget(before: now)
        return max(0, limit - min(limit, accounts[i].used))
    }

    /// The source has waited for a user until now.
    /// - Parameter duration: for how long, in ns
    package mutating func charge(_ user: UserID, _ duration: Int64, now: Int64) {
        guard duration > 0 else { return }
        guard let i = accounts.firstIndex(where: { $0.user == user }) else {
            makeRoom(now)
            accounts.append(Account(user: user, waits: [Wait(end: now, duration: duration)]))
            return
        }
        accounts[i].forget(before: now)
        // A second's waits count as one: there are never more than a minute has seconds.
        if let last = accounts[i].waits.indices.last, accounts[i].waits[last].end / Self.second == now / Self.second {
            let (sum, overflow) = accounts[i].waits[last].duration.addingReportingOverflow(duration)
            accounts[i].waits[last] = Wait(end: now, duration: overflow ? .max : sum)
        } else {
            accounts[i].waits.append(Wait(end: now, duration: duration))
        }
    }

    /// Makes room for another account: those that count no longer go, or else the one that has used the least.
    private mutating func makeRoom(_ now: Int64) {
        guard accounts.count >= Self.mostUsers else { return }
        for i in accounts.indices { accounts[i].forget(before: now) }
        accounts.removeAll { $0.waits.isEmpty }
        guard accounts.count >= Self.mostUsers,
            let least = accounts.indices.min(by: { accounts[$0].used < accounts[$1].used })
        else { return }
        accounts.remove(at: least)
    }
}
