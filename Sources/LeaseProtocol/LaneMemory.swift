internal import CLinuxMedia
public import Synchronization

/// The words of one lane, wherever its memory is: a mapping that two processes share, or plain memory in a test.
///
/// It owns nothing. Whoever makes one keeps the memory alive and of at least ``size(depth:)`` bytes, aligned to `FS_CACHE_LINE`,
/// for as long as any copy is used; `LaneOffers` and `LaneTakes` are held beside the mapping's owner for that reason.
///
/// Every word here may be changed at any moment by the other process, to anything. Nothing read from it is used as an
/// index or a length before it has been checked against private state.
// @unchecked: a pointer to words that are only ever touched as atomics.
public struct LaneMemory: Equatable, @unchecked Sendable {
    @usableFromInline let base: UnsafeMutableRawPointer
    /// How many cells the lane has.
    public let depth: Int

    /// The most cells a lane may have.
    public static let maximumDepth = Int(FS_MAX_DEPTH)
    private static let headerSize = MemoryLayout<fs_lane>.size

    /// The bytes that a lane of `depth` cells takes.
    public static func size(depth: Int) -> Int { headerSize + depth * 8 }

    /// Lays a lane over memory. A new lane's memory must be all zero.
    public init(at base: UnsafeMutableRawPointer, depth: Int) {
        precondition(depth >= 1 && depth <= Self.maximumDepth, "a lane has 1 to 1024 cells")
        self.base = base
        self.depth = depth
    }

    // The offsets below are those of `struct fs_lane`, which the header asserts; each word is aligned for its Atomic.
    @inlinable @inline(__always)
    func word64(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        (base + offset).assumingMemoryBound(to: Atomic<UInt64>.self)
    }
    @inlinable @inline(__always)
    func word32(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt32>> {
        (base + offset).assumingMemoryBound(to: Atomic<UInt32>.self)
    }

    @inlinable var offered: UnsafeMutablePointer<Atomic<UInt64>> { word64(256) }
    /// Frames withdrawn since a newer one took their place.
    public var droppedByPolicy: UnsafeMutablePointer<Atomic<UInt64>> { word64(192) }
    /// Frames not offered since the subscriber held its whole budget, or had it queued and asked for every frame.
    public var droppedByBudget: UnsafeMutablePointer<Atomic<UInt64>> { word64(200) }
    /// Frames withdrawn or not offered since the pool ran short.
    public var droppedByShortage: UnsafeMutablePointer<Atomic<UInt64>> { word64(208) }
    /// 1 once the publisher has taken back all that was leased here. It is stored before any of it is rewritten, so a
    /// reader that looks after it has read knows whether what it read was whole.
    @inlinable public var revoked: UnsafeMutablePointer<Atomic<UInt32>> { word32(216) }
    /// Frames not offered since the subscriber asked for so many a second.
    public var passedOver: UnsafeMutablePointer<Atomic<UInt64>> { word64(224) }
    /// 1 while the subscriber sleeps on the channel's wake word. Written by the subscriber alone.
    @inlinable public var asleepOnFutex: UnsafeMutablePointer<Atomic<UInt32>> { word32(0) }
    /// The number of the subscriber's latest arming of its pollable descriptor, 0 = none. Written by it alone.
    @inlinable public var asleepOnSocket: UnsafeMutablePointer<Atomic<UInt32>> { word32(4) }
    /// The word that a publisher short of slots sleeps on; the subscriber bumps it with a release.
    @inlinable public var releaseWake: UnsafeMutablePointer<Atomic<UInt32>> { word32(8) }
    /// Frames taken, as the subscriber says.
    @inlinable public var taken: UnsafeMutablePointer<Atomic<UInt64>> { word64(144) }
    /// The subscriber's own latency figures in ns: p50, p99, largest.
    public var latencyP50: UnsafeMutablePointer<Atomic<UInt64>> { word64(152) }
    public var latencyP99: UnsafeMutablePointer<Atomic<UInt64>> { word64(160) }
    public var latencyMax: UnsafeMutablePointer<Atomic<UInt64>> { word64(168) }

    /// What a subscriber has said of itself in the lane before stands in this one until it says more.
    public func takeOverClaims(of before: LaneMemory) {
        for word in [\LaneMemory.taken, \.latencyP50, \.latencyP99, \.latencyMax] {
            self[keyPath: word].pointee.store(
                before[keyPath: word].pointee.load(ordering: .relaxed),
                ordering: .relaxed
            )
        }
    }

    // Invariant of both: a word below FS_SLOT_WORDS, a cell below `depth`.
    @inlinable @inline(__always)
    func released(_ word: Int) -> UnsafeMutablePointer<Atomic<UInt64>> { word64(16 &+ word &* 8) }
    @inlinable @inline(__always)
    func cell(_ index: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        word64(264 &+ index &* 8)  // sizeof(struct fs_lane), as the header asserts
    }
}
