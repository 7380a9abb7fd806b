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
    /// Bumped when subscribers were sent something that they read also while no frame comes.
    var notices: UnsafeMutablePointer<Atomic<UInt32>> { word32(168) }

    /// What a reader sees; anything unknown counts as failed.
    var state: State {
        // Acquiring: what the publisher did before ending is seen.
        State(rawValue: stateWord.pointee.load(ordering: .acquiring)) ?? .failed
    }

    func set(_ state: State) { stateWord.pointee.store(state.rawValue, ordering: .releasing) }
}

/// What the pages that a publisher shares begin with: `struct fs_page_header`.
struct PageHeader {
    static let channelPage = PageHeader(
        magic: FS_CHANNEL_PAGE_MAGIC,
        size: MemoryLayout<fs_channel_page>.size,
        name: "channel page"
    )
    static let wakePage = PageHeader(
        magic: FS_WAKE_PAGE_MAGIC,
        size: MemoryLayout<fs_wake_page>.size,
        name: "wake page"
    )
    static let frameTable = PageHeader(
        magic: FS_FRAME_TABLE_MAGIC,
        size: MemoryLayout<fs_frame_table>.size,
        name: "frame table"
    )

    let magic: UInt32
    /// How many bytes of the page this program knows.
    let size: Int
    /// For people.
    let name: String

    func write(to base: UnsafeMutableRawPointer) {
        let version = ProtocolVersion.current
        base.storeBytes(
            of: fs_page_header(magic: magic, major: version.major, minor: version.minor, size: UInt16(clamping: size)),
            as: fs_page_header.self
        )
    }

    /// Checks the header of a page that a publisher wrote. A page of a newer minor version may be longer than this program
    /// knows; none may be shorter.
    /// - Parameter base: where at least ``size`` bytes are mapped
    func check(_ base: UnsafeMutableRawPointer) throws(ChannelError) {
        // Loaded once: the publisher can change it at any moment.
        let found = base.load(as: fs_page_header.self)
        guard found.magic == magic else { throw .protocolViolation("this is no \(name)") }
        let version = ProtocolVersion(major: found.major, minor: found.minor)
        guard version.major == ProtocolVersion.current.major else {
            throw .versionMismatch(ours: .current, theirs: version)
        }
        guard Int(found.size) >= size else {
            throw .protocolViolation("a \(name) of \(found.size) bytes; it has at least \(size)")
        }
    }

    /// Maps the first bytes of a page that a publisher sent, for reading, once its seals and size were checked.
    static func adopt(_ descriptor: consuming OwnedDescriptor, size: Int) throws(ChannelError) -> SharedMemory {
        do throws(MemoryError) {
            return try SharedMemory(adopting: descriptor, size: size, access: .read)
        } catch {
            throw .memory(error)
        }
    }
}
