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
    private let connection: LeaseCount

    init(frame: UInt64, connection: LeaseCount) {
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

    /// Says how far the work is; the answer is still to come. Waits only while the publisher's control socket is full.
    /// - Throws: `publisherLost`, `replyTooLarge`, `timedOut`, or what failed.
    public func progress(_ reply: Reply) throws(ChannelError) { try send(reply, .progress) }

    /// Answers, once. What is said of the frame after that is discarded.
    /// - Throws: as ``progress(_:)``.
    public func answer(_ reply: Reply) throws(ChannelError) {
        connection.cancelled?.forget(frame)
        try send(reply, .final)
    }

    /// Says that there will be no answer, and why (at most 4096 bytes of it are sent).
    /// - Throws: as ``progress(_:)``.
    public func fail(_ reason: String) throws(ChannelError) {
        connection.cancelled?.forget(frame)
        try send(.bytes(Array(reason.utf8.prefix(4096))), .failure)
    }

    private func send(_ reply: Reply, _ stage: Message.WorkerReply.Stage) throws(ChannelError) {
        let (content, bytes) = try reply.encoded()
        var message = Message.WorkerReply(frame: frame, stage: stage, content: content, bytes: bytes, sharedSize: 0)
        guard bytes.count > Message.WorkerReply.inlineLimit else { return try send(.reply(message), nil) }
        message.bytes = []
        message.sharedSize = bytes.count
        try send(.reply(message), try Self.share(bytes))
    }

    private static func share(_ bytes: [UInt8]) throws(ChannelError) -> SealedBytes {
        let result: Result<SealedBytes, MemoryError> = bytes.withUnsafeBytes { bytes in
            do throws(MemoryError) {
                return .success(try SealedBytes(copying: bytes, name: "frameshare:reply"))
            } catch {
                return .failure(error)
            }
        }
        do throws(MemoryError) { return try result.get() } catch { throw .memory(error) }
    }

    /// How long a publisher that does not read its control socket is waited for, in ms.
    private static let patience: Int32 = 5000

    private func send(_ message: Message, _ shared: SealedBytes?) throws(ChannelError) {
        let bytes = message.encoded
        while true {
            switch connection.socket.send(bytes: bytes, descriptors: shared.map { [$0.descriptor] } ?? []) {
            case .sent: return
            case .full:
                guard connection.socket.waitWritable(milliseconds: Self.patience) else { throw .timedOut }
            case .failed(.brokenPipe), .failed(.connectionReset), .failed(.socketNotConnected): throw .closed
            case .failed(let error): throw .system(call: "sendmsg", error)
            }
        }
    }
}

extension Frame {
    /// The publisher's wish for an answer to this frame; nil unless the subscriber is a member of a group.
    public var request: FrameRequest? {
        guard attachment.leases.cancelled != nil else { return nil }
        return FrameRequest(frame: number, connection: attachment.leases)
    }
}
