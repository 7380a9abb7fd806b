internal import CLinuxMedia
internal import FrameMemory
internal import Synchronization

/// The channel page: one per publisher, written by it alone, read by every subscriber. It outlives reconfigurations.
///
/// The kernel keeps readers from writing (`F_SEAL_FUTURE_WRITE`), so no reader can mislead another by it. Nobody sleeps on
/// a word of it: that would let every reader wake and move the sleepers (``WakePage``).
// @unchecked: `base` points into `memory`, which is kept beside it, and is used for atomics and immutable words only.
struct ChannelPage: @unchecked Sendable {
    enum State: UInt32 {
        case open = 0
        case ended = 1
        case failed = 2
    }

    static let size = MemoryLayout<fs_channel_page>.size

    let memory: SharedMemory
    private let base: UnsafeMutableRawPointer

    init(creating name: String) throws(MemoryError) {
        memory = try SharedMemory(creating: "frameshare:\(name)", size: Self.size, readersMayWrite: false)
        base = memory.mapping.baseAddress
        PageHeader.channelPage.write(to: base)
        generation.pointee.store(1, ordering: .releasing)
    }

    /// Maps the page that a publisher sent, for reading.
    init(adopting descriptor: consuming OwnedDescriptor) throws(ChannelError) {
        memory = try PageHeader.adopt(descriptor, size: Self.size)
        base = memory.mapping.baseAddress
        try PageHeader.channelPage.check(base)
    }

    // Offsets of `struct fs_channel_page`, asserted in its header. On the reader's side the mapping is read-only:
    // only loads are made there.
    private func word32(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt32>> {
        (base + offset).assumingMemoryBound(to: Atomic<UInt32>.self)
    }
    private func word64(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        (base + offset).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// `FS_SHORT_*`: whether and how the publisher wants to hear of releases.
    var shortage: UnsafeMutablePointer<Atomic<UInt32>> { word32(64) }
    var generation: UnsafeMutablePointer<Atomic<UInt32>> { word32(128) }
    private var stateWord: UnsafeMutablePointer<Atomic<UInt32>> { word32(132) }
    var published: UnsafeMutablePointer<Atomic<UInt64>> { word64(136) }
    var lostBySource: UnsafeMutablePointer<Atomic<UInt64>> { word64(144) }
    var lostNoFreeSlot: UnsafeMutablePointer<Atomic<UInt64>> { word64(152) }
    var damaged: UnsafeMutablePointer<Atomic<UInt64>> { word64(160) }

    /// What a reader sees; anything unknown counts as failed.
    var state: State {
        // Acquiring: what the publisher did before ending is seen.
        State(rawValue: stateWord.pointee.load(ordering: .acquiring)) ?? .failed
    }

    func set(_ state: State) { stateWord.pointee.store(state.rawValue, ordering: .releasing) }
}
