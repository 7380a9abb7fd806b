internal import CLinuxMedia
internal import Synchronization

/// Whether the CPU's access to the streams of one slot has begun. The thread that touches a stream first begins it; others
/// that touch the stream meanwhile wait until that is done.
///
/// It is laid over a word that its owner keeps: bits 0 to 7 say of which streams the access was begun, 8 to 15 of which that
/// is done, and bit 16 that a thread sleeps until one more is.
struct CPUAccessGate {
    private let word: UnsafeMutablePointer<Atomic<UInt32>>
    private static let sleeper: UInt32 = 1 << 16

    init(_ word: UnsafeMutablePointer<Atomic<UInt32>>) { self.word = word }

    /// Returns once `begin` has returned, on this thread or another.
    func pass(stream: Int, _ begin: () -> Void) {
        let (begun, done) = (1 << UInt32(stream), 256 << UInt32(stream)) as (UInt32, UInt32)
        // Acquiring: what the thread that began has made visible is seen.
        if word.pointee.load(ordering: .acquiring) & done != 0 { return }
        if word.pointee.bitwiseOr(begun, ordering: .acquiringAndReleasing).oldValue & begun == 0 {
            begin()
            let before = word.pointee.bitwiseOr(done, ordering: .acquiringAndReleasing).oldValue
            if before & Self.sleeper != 0 { _ = fs_futex_wake(futex, Int32.max) }
            return
        }
        while true {
            let seen = word.pointee.bitwiseOr(Self.sleeper, ordering: .acquiringAndReleasing).newValue
            if seen & done != 0 { return }
            _ = fs_futex_wait(futex, seen, -1)
        }
    }

    /// Closes the gate; returns the streams, a bit each, whose access is to be ended.
    func close() -> UInt32 { word.pointee.exchange(0, ordering: .acquiringAndReleasing) >> 8 & 0xff }

    private var futex: UnsafeMutablePointer<UInt32> {
        UnsafeMutableRawPointer(word).assumingMemoryBound(to: UInt32.self)
    }
}
