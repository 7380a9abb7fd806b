// What members of groups and their publisher say to each other.

extension Message {
    /// What a worker says of a frame. Its request is known by the frame's number and the connection that it came over.
    struct WorkerReply: Equatable {
        /// Where the job is.
        enum Stage: UInt8 {
            /// More will follow.
            case progress = 0
            case final = 1
            /// The bytes are a text that says what went wrong.
            case failure = 2
        }
        enum Content: UInt8 {
            case bytes = 0
            case metadata = 1
        }

        var frame: UInt64
        var stage: Stage
        var content: Content
        /// The bytes, where they are few.
        var bytes: [UInt8]
        /// How many bytes are in the memfd that comes along; 0: none does.
        var sharedSize: Int

        /// The most bytes that travel in the message itself.
        static let inlineLimit = 16 * 1024
    }
}

extension WireWriter {
    mutating func put(_ reply: Message.WorkerReply) {
        put(reply.frame)
        put(reply.stage.rawValue)
        put(reply.content.rawValue)
        put(reply.sharedSize)
        put(UInt16(clamping: reply.bytes.count))
        put(raw: reply.bytes.prefix(Message.WorkerReply.inlineLimit))
    }
}

extension WireReader {
    mutating func workerReply() throws(WireError) -> Message.WorkerReply {
        let frame: UInt64 = try integer()
        guard let stage = Message.WorkerReply.Stage(rawValue: try integer()),
            let content = Message.WorkerReply.Content(rawValue: try integer())
        else { throw WireError(text: "unknown kind of reply") }
        let sharedSize = try count(atMost: ChannelLimits.replySize)
        let count = Int(try integer(UInt16.self))
        guard count <= Message.WorkerReply.inlineLimit, sharedSize == 0 || count == 0 else {
            throw WireError(text: "a reply of \(count) bytes in its message")
        }
        return Message.WorkerReply(
            frame: frame,
            stage: stage,
            content: content,
            bytes: try raw(count),
            sharedSize: sharedSize
        )
    }
}
