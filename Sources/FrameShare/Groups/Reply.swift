internal import FrameMemory

/// What a worker says of a frame: bytes of any meaning, or typed values by name. Up to 16 kB travel in a message, more, up
/// to ``maximumSize``, in shared memory of their own.
public enum Reply: Sendable, Hashable {
    case bytes([UInt8])
    case metadata(Metadata)

    /// The most bytes of one reply: 64 MiB.
    public static let maximumSize = ChannelLimits.replySize

    /// Nothing but that the work is done.
    public static let done = Reply.bytes([])

    /// The bytes; nil where it is metadata.
    public var bytes: [UInt8]? { if case .bytes(let bytes) = self { bytes } else { nil } }
    /// The metadata; nil where it is bytes.
    public var metadata: Metadata? { if case .metadata(let metadata) = self { metadata } else { nil } }
    /// The value under a key; nil where there is none, or where the reply is bytes.
    public subscript(key: String) -> MetadataValue? { metadata?[key] }
}

extension Reply: ExpressibleByDictionaryLiteral {
    /// Metadata; a key that stands twice keeps the last value.
    public init(dictionaryLiteral elements: (String, MetadataValue)...) {
        var metadata = Metadata()
        for (key, value) in elements { metadata[key] = value }
        self = .metadata(metadata)
    }
}

// MARK: on the wire

extension Reply {
    /// The reply's bytes: metadata as it stands in a frame.
    package func encodedBytes() throws(ChannelError) -> [UInt8] { try encoded().bytes }

    /// The reply as bytes.
    func encoded() throws(ChannelError) -> (content: Message.WorkerReply.Content, bytes: [UInt8]) {
        switch self {
        case .bytes(let bytes):
            guard bytes.count <= Self.maximumSize else { throw .replyTooLarge(bytes.count) }
            return (.bytes, bytes)
        case .metadata(let metadata):
            let size = MetadataCoding.size(of: metadata)
            guard size <= Self.maximumSize else { throw .replyTooLarge(size) }
            var bytes = [UInt8](repeating: 0, count: size)
            var failure: ChannelError? = nil
            bytes.withUnsafeMutableBytes { room in
                do throws(ChannelError) {
                    _ = try MetadataCoding.encode(metadata, into: room)
                } catch {
                    failure = error
                }
            }
            if let failure { throw failure }
            return (.metadata, bytes)
        }
    }
}

/// A reply as it came, not yet decoded: that is left to whoever waits for it, so that the control thread has no more
/// work with a large reply than with a small one.
struct ReceivedReply: Sendable {
    enum Storage: Sendable {
        case inline([UInt8])
        case shared(ReceivedBytes)
    }
    let content: Message.WorkerReply.Content
    let storage: Storage

    func decoded() throws(ChannelError) -> Reply {
        switch storage {
        case .inline(let bytes): try Self.decode(content, bytes.withUnsafeBytes { Array($0) })
        case .shared(let memory): try Self.decode(content, memory.withBytes { Array($0) })
        }
    }

    private static func decode(_ content: Message.WorkerReply.Content, _ bytes: [UInt8]) throws(ChannelError) -> Reply {
        switch content {
        case .bytes: return .bytes(bytes)
        case .metadata: return .metadata(try MetadataView(bytes: bytes.span.bytes).copy())
        }
    }
}
