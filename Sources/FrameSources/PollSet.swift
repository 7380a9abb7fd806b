internal import Glibc

/// `ppoll(2)` without its traps.
enum PollSet {
    /// Waits until one of the descriptors has something, or the time is over. A signal ends the wait early: callers look
    /// again and come back.
    static func wait(_ descriptors: inout [pollfd], timeout: Duration?) {
        let milliseconds: Int32
        if let timeout {
            // Rounded up: a wait must not end before its time and turn into a spin.
            let (seconds, attoseconds) = timeout.components
            let rest = Int64((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
            milliseconds = Int32(clamping: max(0, min(seconds, 1 << 21)) * 1000 + max(0, rest))
        } else {
            milliseconds = -1
        }
        let count = poll(&descriptors, nfds_t(descriptors.count), milliseconds)
        if count < 0 {
            for index in descriptors.indices { descriptors[index].revents = 0 }
        }
    }
}
