internal import CLinuxMedia
internal import FrameMemory
internal import LeaseProtocol
internal import Synchronization

/// The words that a publisher short of slots sleeps on: its own, and the release word of every lane. In place, so that
/// waiting allocates nothing.
///
/// Invariant: whoever makes one keeps the lanes' memories until ``wait(nanoseconds:)`` has returned.
struct WaitWords {
    /// The kernel takes no more.
    private static let capacity = 128

    private var words: InlineArray<128, UnsafePointer<UInt32>?> = .init(repeating: nil)
    private var expected: InlineArray<128, UInt32> = .init(repeating: 0)
    private var count = 1

    /// Notes what the words hold now: a change after this ends the wait.
    init(attention: UnsafeMutablePointer<Atomic<UInt32>>, lanes: [SharedMemory]) {
        put(attention, at: 0)
        for lane in lanes.prefix(Self.capacity - 1) {
            put(LaneMemory(at: lane.mapping.baseAddress, depth: 1).releaseWake, at: count)
            count += 1
        }
    }

    private mutating func put(_ word: UnsafeMutablePointer<Atomic<UInt32>>, at index: Int) {
        words[index] = UnsafePointer(UnsafeRawPointer(word).assumingMemoryBound(to: UInt32.self))
        // Acquiring: what was released before the bump is seen by the look that follows.
        expected[index] = word.pointee.load(ordering: .acquiring)
    }

    /// Sleeps until a word has changed or the time is over. Returns 0 or a negative errno.
    mutating func wait(nanoseconds: Int64) -> Int32 {
        var words = words.mutableSpan
        var expected = expected.mutableSpan
        return words.withUnsafeMutableBufferPointer { words in
            expected.withUnsafeMutableBufferPointer { expected in
                fs_futex_wait_any(words.baseAddress, expected.baseAddress, UInt32(count), nanoseconds)
            }
        }
    }
}
