public import FrameMemory
internal import Glibc
internal import LeaseProtocol
public import PixelFormats
public import SystemPackage

/// What can go wrong with a channel. The text says what failed, with which value, and what to do.
public enum ChannelError: Error, Sendable, Equatable, CustomStringConvertible {
    // Names and places
    case badChannelName(String)
    case badStreamName(String)
    case badGroupName(String)
    case noDirectory
    case directory(path: String, Errno)
    case pathTooLong(String)
    case unknownGroup(String)

    // Publishing
    case channelInUse(channel: String, path: String)
    case noStreams
    case tooManyStreams(Int)
    case duplicateStream(String)
    case layout(stream: String, ImageLayoutError)
    case badSlotCount(Int)
    case badMetadataCapacity(Int)
    case badSubscriberCount(Int)
    case memory(MemoryError)
    case poolShape(String)
    case metadataTooLarge(size: Int, capacity: Int)
    case badMetadata(String)
    case slotNotAtSource(Int)
    case badCopies(CopyCapacity, slots: Int, most: Int)
    case badCopyFloor(Int, slots: Int)
    case unreadableForCopies(MemoryError)
    case reservationsDoNotFit(reserved: Int, sourceNeed: Int, slots: Int)

    // Connecting
    /// Nobody listens at the socket. `isLeftBehind`: the socket is there, since a publisher was killed.
    case noSuchChannel(channel: String, path: String, isLeftBehind: Bool = false)
    case notAllowed(channel: String, path: String)
    case refused(String)
    case versionMismatch(ours: ProtocolVersion, theirs: ProtocolVersion)
    case badRate(Double)
    case unknownStream(name: String, offered: [String])
    case outOfDescriptors
    case handshakeTimeout(channel: String)

    // In use
    /// The given time has passed. Of a subscriber that waited for a frame: what it held. With ``BudgetUse/isFull`` no frame
    /// could come.
    case timedOut(BudgetUse? = nil)
    case cancelled
    case closed
    case publisherLost(channel: String)
    case sourceFailed(String)
    case disconnected(String)
    case protocolViolation(String)
    case notPollable
    case tooManyGroups(Int)
    case resultsInUse(group: String)
    case replyTooLarge(Int)
    case controlsRefused(channel: String, reason: String)
    case system(call: String, Errno)

    /// Whether the given time has passed: ``timedOut(_:)``, whatever was held.
    public var isTimeout: Bool { if case .timedOut = self { true } else { false } }

    /// The error of a call that failed, out of descriptors told apart.
    static func failed(_ call: String, errno: Int32) -> ChannelError {
        errno == EMFILE || errno == ENFILE ? .outOfDescriptors : .system(call: call, Errno(rawValue: errno))
    }

    public var description: String {
        switch self {
        case .badChannelName(let name):
            "'\(name)' can't be a channel's name; use 1 to 64 letters, digits, '.', '_' or '-', not starting with '.'"
        case .badStreamName(let name):
            "'\(name)' can't be a stream's name; use 1 to 32 letters, digits, '.', '_' or '-', not starting with '.'"
        case .badGroupName(let name):
            "'\(name)' can't be a group's name; use 1 to 64 letters, digits, '.', '_' or '-', not starting with '.'"
        case .noDirectory:
            "there is no place for channels; set FRAMESHARE_DIR, or XDG_RUNTIME_DIR (a login session does that)"
        case .directory(let path, let errno):
            "the channel folder \(path) can't be used: \(errno); set FRAMESHARE_DIR to one that you may write to"
        case .pathTooLong(let path):
            "the socket path \(path) is longer than the kernel's 107 bytes; use a shorter FRAMESHARE_DIR or channel name"
        case .unknownGroup(let name):
            "there is no group '\(name)' on this machine; see 'getent group'"
        case .channelInUse(let channel, let path):
            "channel '\(channel)' is published already (\(path)); stop that publisher or choose another name"
        case .noStreams: "a channel needs at least one stream"
        case .tooManyStreams(let count): "\(count) streams are too many; a channel has at most \(Stream.maximumCount)"
        case .duplicateStream(let name): "stream '\(name)' is named twice"
        case .layout(let stream, let error): "the layout of stream '\(stream)' is not possible: \(error)"
        case .badSlotCount(let count):
            "a pool of \(count) slots is not possible; ask for 2 to \(SlotSet.capacity)"
        case .badSubscriberCount(let count):
            "\(count) subscribers can't be waited for; ask for 1 to \(ChannelLimits.subscribers)"
        case .badMetadataCapacity(let size): "a metadata capacity of \(size) bytes is not possible; ask for 0 to 16 MiB"
        case .memory(let error): "\(error)"
        case .poolShape(let text): "the pool does not fit its streams: \(text)"
        case .metadataTooLarge(let size, let capacity):
            "the metadata takes \(size) bytes, the channel's slots hold \(capacity);"
                + " give the publisher a larger metadata capacity"
        case .badMetadata(let text): "the frame's metadata is malformed: \(text)"
        case .slotNotAtSource(let slot):
            "slot \(slot) is not held by the source, so it can't be published or given back"
        case .badCopies(let capacity, let slots, let most):
            "\(capacity) for copies are \(slots) slots; beside this pool, ask for 1 to \(most)"
        case .badCopyFloor(let floor, let slots):
            "a floor of \(floor) slots is not possible for copies beside a pool of \(slots); ask for 1 to \(slots)"
        case .unreadableForCopies(let error):
            "the pool's buffers can't be copied from, so lagging subscribers can't be given copies: \(error)"
        case .reservationsDoNotFit(let reserved, let need, let slots):
            "a pool of \(slots) slots is too small: subscribers have \(reserved) reserved and the source needs \(need)"
        case .noSuchChannel(let channel, let path, true):
            "channel '\(channel)' was left behind by a publisher that was killed (\(path));"
                + " the next publisher of this name takes its place"
        case .noSuchChannel(let channel, let path, false):
            "there is no channel '\(channel)' (nobody listens at \(path)); 'frameshare list' shows what there is"
        case .notAllowed(let channel, let path):
            "channel '\(channel)' does not let you in (\(path)); the publisher's --mode, --group and --allow-uid say who may"
        case .refused(let reason): "the publisher refused: \(reason)"
        case .versionMismatch(let ours, let theirs):
            ProtocolVersion.comparison(of: "this program", ours, with: "the publisher", theirs)
        case .badRate(let rate):
            "a rate of \(rate) frames a second can't be asked for; ask for 1/3600 (one an hour) to 10000, or for none"
        case .unknownStream(let name, let offered):
            "the channel has no stream '\(name)'; it offers \(offered.joined(separator: ", "))"
        case .outOfDescriptors:
            "this process has no file descriptors left for the channel and its buffers; raise 'ulimit -n'"
        case .handshakeTimeout(let channel): "the publisher of '\(channel)' did not answer in time; is it stopped?"
        case .timedOut(nil): "nothing came in the given time"
        case .timedOut(let use?):
            use.isFull
                ? use.advice
                : "no frame came in the given time (\(use.held) of \(use.budget) frames are held)"
        case .cancelled: "waiting was cancelled"
        case .closed: "it was closed by this process"
        case .publisherLost(let channel):
            "the publisher of '\(channel)' has gone without a goodbye (it died, or was killed)"
        case .sourceFailed(let reason): "the source failed: \(reason)"
        case .disconnected(let reason): "the publisher ended this subscription: \(reason)"
        case .protocolViolation(let text): "the other side broke the protocol: \(text)"
        case .notPollable: "this subscriber was not opened with the option 'pollable', and has no pollable descriptor"
        case .tooManyGroups(let most): "the channel has \(most) groups, which is the most"
        case .resultsInUse(let group): "the results of group '\(group)' are being read already; read them in one place"
        case .replyTooLarge(let size):
            "a reply of \(size) bytes is too large; the most is \(ChannelLimits.replySize): share it as a channel of its own"
        case .controlsRefused(let channel, let reason): "the controls of '\(channel)' can't be had: \(reason)"
        case .system(let call, let errno): "\(call) failed: \(errno)"
        }
    }
}
