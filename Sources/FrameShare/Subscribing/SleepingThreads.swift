/// The threads that sleep for one connection's frames, and who has woken them beside its publisher. Used under the
/// subscriber's lock.
// @unchecked: `page` does not change; all else is touched under the subscriber's lock alone.
final class SleepingThreads: @unchecked Sendable {
    /// What they sleep on.
    let page: WakePage
    /// How many have announced that they sleep.
    private(set) var count = 0
    /// How often all of them were told to look again.
    private var alarms: UInt32 = 0
    /// Those that have not done so since the last time.
    private(set) var unheard = 0
    /// The publisher has hung up: there is to be no more sleep.
    var isHungUp = false
    /// What ends their sleep when the publisher dies.
    var watch = HangUpWatch.none

    enum HangUpWatch {
        /// Nobody has slept yet.
        case none
        case thread(HangUpWatcher.Watch)
        /// There can be no thread for it: they look by themselves, ten times a second.
        case timer
    }

    /// Whether a thread of this process ends their sleep when the publisher dies, which it has not yet.
    var haveThread: Bool {
        guard !isHungUp, case .thread(let watch) = watch else { return false }
        return watch.isOfThisProcess
    }

    init(on page: WakePage) { self.page = page }

    /// A thread is about to sleep. Returns what it gives back to ``leave(_:)``.
    func enter() -> UInt32 {
        count += 1
        return alarms
    }

    /// It does not sleep any more.
    func leave(_ ticket: UInt32) {
        count -= 1
        if ticket != alarms { unheard -= 1 }
    }

    /// All that sleep now, or are about to, are to look again.
    /// - Returns: whether there are any
    func raiseAlarm() -> Bool {
        alarms &+= 1
        unheard = count
        return count > 0
    }

    /// In a forked child: none of the threads that were counted is here.
    func forgetAll() { (count, unheard) = (0, 0) }
}
