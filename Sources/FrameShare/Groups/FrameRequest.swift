internal import FrameMemory
internal import Glibc
internal import SystemPackage

/// What the publisher wants of a member of a group: an answer to one frame. See ``Frame/request``.
///
/// It may be used from any thread, and after the frame itself was released, as long as the subscriber is not closed. Replies
/// are matched by the frame and the connection that it came over: one that nobody waits for any more is discarded by the
/// publisher.
public struct FrameRequest: Sendable {
    /// The number of the frame.
    public let frame: UInt64
    private let connection: SubscriberConnection

    init(frame: UInt64, connection: SubscriberConnection) {
        self.frame = frame
        self.connection = connection
    }

    /// Whether the publisher has said that the answer is not wanted any more: it gave up waiting, or was told to. With
    /// ``Subscriber/Options/pollable`` this is known only once ``Subscriber/tryNext()`` was called since.
    public var isCancelled: Bool { connection.cancelled?.contains(frame) ?? false }

    /// Runs `action`, as a task of its own, when the request is cancelled; at once if it was already. One action is kept
    /// for each request, until it is answered.
    public func whenCancelled(_ action: @escaping @Sendable () -> Void) {
        connection.cancelled?.whenCancelled(frame, action)
    }

    /// Says how far the work is; the answer is still to come. While the publisher's control socket is full, waits on a thread
    /// of the connection's own, 5 s at most.
    /// - Throws: `closed`, `replyTooLarge`, `timedOut`; `cancelled` when the task is; or what failed.
    public func progress(_ reply: Reply) async throws(ChannelError) { try await send(reply, .progress) }

    /// Answers, once. What is said of the frame after that is discarded. Waits as `progress` does.
    public func answer(_ reply: Reply) async throws(ChannelError) {
        connection.cancelled?.forget(frame)
        try await send(reply, .final)
    }

    /// Says that there will be no answer, and why (at most 4096 bytes of it are sent). Waits as `progress` does.
    public func fail(_ reason: String) async throws(ChannelError) {
        connection.cancelled?.forget(frame)
        try await send(.bytes(Array(reason.utf8.prefix(4096))), .failure)
    }

    /// As the `async` one, waiting on the calling thread.
    /// - Throws: `closed`, `replyTooLarge`, `timedOut`, or what failed.
    @available(*, noasync, message: "it may wait: use 'await'")
    public func progress(_ reply: Reply) throws(ChannelError) { try send(reply, .progress) }

    /// As the `async` one, waiting on the calling thread.
    /// - Throws: `closed`, `replyTooLarge`, `timedOut`, or what failed.
    @available(*, noasync, message: "it may wait: use 'await'")
    public func answer(_ reply: Reply) throws(ChannelError) {
        connection.cancelled?.forget(frame)
        try send(reply, .final)
    }

    /// As the `async` one, waiting on the calling thread.
    /// - Throws: `closed`, `replyTooLarge`, `timedOut`, or what failed.
    @available(*, noasync, message: "it may wait: use 'await'")
    public func fail(_ reason: String) throws(ChannelError) {
        connection.cancelled?.forget(frame)
        try send(.bytes(Array(reason.utf8.prefix(4096))), .failure)
    }

    private func send(_ reply: Reply, _ stage: Message.WorkerReply.Stage) throws(ChannelError) {
        try wrapped(reply, stage).send(on: connection.socket)
    }

    private func send(_ reply: Reply, _ stage: Message.WorkerReply.Stage) async throws(ChannelError) {
        let (parcel, socket) = (try wrapped(reply, stage), connection.socket)
        if try parcel.isSent(on: socket) { return }
        guard let threads = connection.replyThreads else { throw .closed }
        try await threads.wait(onCancel: {}) { interrupted throws(ChannelError) in
            try parcel.send(on: socket, interrupted)
        }
    }

    private func wrapped(_ reply: Reply, _ stage: Message.WorkerReply.Stage) throws(ChannelError) -> ReplyParcel {
        let (content, bytes) = try reply.encoded()
        var message = Message.WorkerReply(frame: frame, stage: stage, content: content, bytes: bytes, sharedSize: 0)
        guard bytes.count > Message.WorkerReply.inlineLimit else { return ReplyParcel(message) }
        message.bytes = []
        message.sharedSize = bytes.count
        return ReplyParcel(message, try ReplyParcel.share(bytes))
    }
}

/// A reply that is ready to be sent, with the memory of a large one.
private struct ReplyParcel: Sendable {
    private let bytes: [UInt8]
    private let shared: SealedBytes?

    /// How long a publisher that does not read its control socket is waited for.
    private static let patience = Duration.seconds(5)

    init(_ message: Message.WorkerReply, _ shared: SealedBytes? = nil) {
        bytes = Message.reply(message).encoded
        self.shared = shared
    }

    static func share(_ bytes: [UInt8]) throws(ChannelError) -> SealedBytes {
        let result: Result<SealedBytes, MemoryError> = bytes.withUnsafeBytes { bytes in
            do throws(MemoryError) {
                return .success(try SealedBytes(copying: bytes, name: "frameshare:reply"))
            } catch {
                return .failure(error)
            }
        }
        do throws(MemoryError) { return try result.get() } catch { throw .memory(error) }
    }

    /// Sends it, unless there is no room for it now.
    func isSent(on socket: ControlSocket) throws(ChannelError) -> Bool {
        switch socket.send(bytes: bytes, descriptors: shared.map { [$0.descriptor] } ?? []) {
        case .sent: return true
        case .full, .noMemory: return false
        case .failed(.brokenPipe), .failed(.connectionReset), .failed(.socketNotConnected): throw .closed
        case .failed(let error): throw .system(call: "sendmsg", error)
        }
    }

    /// Sends it, and waits for room on the calling thread.
    func send(on socket: ControlSocket, _ interrupted: () -> Bool = { false }) throws(ChannelError) {
        let deadline = Deadline(after: Self.patience)
        while try !isSent(on: socket) {
            if interrupted() { throw .cancelled }
            if deadline.hasPassed { throw .timedOut() }
            let left = deadline.remaining(atMost: 100_000_000) / 1_000_000
            // Without memory the socket may be writable all the time.
            if socket.waitWritable(milliseconds: Int32(left)) { BackgroundThread.pause(nanoseconds: 1_000_000) }
        }
    }
}

extension Frame {
    /// The publisher's wish for an answer to this frame; nil unless the subscriber is a member of a group.
    public var request: FrameRequest? {
        guard let connection = received.leases.connection as? SubscriberConnection, connection.cancelled != nil else {
            return nil
        }
        return FrameRequest(frame: number, connection: connection)
    }
}
