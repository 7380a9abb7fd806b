internal import CLinuxMedia

/// What a source says of a frame beside its pixels and metadata. Fixed size: making one allocates nothing.
public struct FrameDescription: Sendable {
    /// The source's own count, whose gaps are frames the source lost; nil: the publisher's count.
    public var sequence: UInt64?
    /// When the frame was captured; nil: now, on the monotonic clock.
    public var timestamp: FrameTimestamp?
    public var flags: FrameFlags
    @usableFromInline var bytesUsed: InlineArray<32, UInt32>
    @usableFromInline var bytesUsedIsSet: Bool

    @inlinable
    public init(sequence: UInt64? = nil, timestamp: FrameTimestamp? = nil, flags: FrameFlags = []) {
        self.sequence = sequence
        self.timestamp = timestamp
        self.flags = flags
        bytesUsed = InlineArray(repeating: 0)
        bytesUsedIsSet = false
    }

    /// Says how many bytes of a plane hold data (a compressed image); a plane that is not mentioned is full. Fewer than the
    /// rows of the plane need make the frame a damaged one: it is published with ``FrameFlags/error``.
    /// - Parameters:
    ///   - bytes: from the plane's offset
    ///   - stream: the stream's place in the channel, from 0
    ///   - plane: the plane's place in the image, from 0
    public mutating func setBytesUsed(_ bytes: Int, stream: Int, plane: Int) {
        guard (0..<Int(FS_MAX_STREAMS)).contains(stream), (0..<Int(FS_MAX_PLANES)).contains(plane) else { return }
        // 0 means "full" in the record, so an empty plane is told as the largest number, which no count may reach.
        bytesUsed[stream * Int(FS_MAX_PLANES) + plane] = bytes <= 0 ? .max : min(UInt32(clamping: bytes), .max - 1)
        bytesUsedIsSet = true
    }

    /// How many bytes of a plane hold data, of the `size` that it has.
    func bytesUsed(stream: Int, plane: Int, of size: Int) -> Int {
        guard bytesUsedIsSet, stream < Int(FS_MAX_STREAMS), plane < Int(FS_MAX_PLANES) else { return size }
        return switch bytesUsed[stream * Int(FS_MAX_PLANES) + plane] {
        case 0: size
        case .max: 0
        case let bytes: min(Int(bytes), size)
        }
    }
}

/// What is particular about a frame.
public struct FrameFlags: OptionSet, Sendable, Hashable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// The data may be damaged: the driver says so (`V4L2_BUF_FLAG_ERROR`), or the publisher saw that it is no whole image
    /// (`ImageDamage`).
    public static let error = FrameFlags(rawValue: 1)
    /// One of the first frames, before exposure and white balance have settled (libcamera `FrameStartup`).
    public static let startup = FrameFlags(rawValue: 2)
    /// The first frame after a break in the source, or after this subscriber connected again: what it missed meanwhile is
    /// unknown, and in no count.
    public static let discontinuity = FrameFlags(rawValue: 4)
    /// A compressed frame that can be decoded alone.
    public static let keyframe = FrameFlags(rawValue: 8)
}

/// Frames lost between two frames, or in all, by where they were lost.
public struct FrameLoss: Sendable, Hashable, CustomStringConvertible {
    /// By the source itself: gaps in its sequence.
    public var source: UInt64
    /// Since no slot was free to fill.
    public var noFreeSlot: UInt64
    /// By this subscriber's own policy, budget, or share of the pool: published, but not given to it.
    public var policy: UInt64
    /// Whether these are all. False of the first frame after the subscriber connected again, and from then on in its statistics:
    /// nobody counts what is published while it has no connection.
    public var isKnown = true

    public init(source: UInt64 = 0, noFreeSlot: UInt64 = 0, policy: UInt64 = 0, isKnown: Bool = true) {
        self.source = source
        self.noFreeSlot = noFreeSlot
        self.policy = policy
        self.isKnown = isKnown
    }

    /// All that are known of: see ``isKnown``.
    public var total: UInt64 { source &+ noFreeSlot &+ policy }

    /// ``total``; `unknown` where that is not all.
    public var description: String { isKnown ? "\(total)" : total == 0 ? "unknown" : "\(total) or more" }
}
