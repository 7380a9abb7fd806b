internal import CLinuxMedia
internal import FrameMemory
internal import Glibc
internal import SystemPackage

/// One end of a control connection. Sending never blocks; it closes with its last reference.
final class ControlSocket: Sendable {
    private let socket: OwnedDescriptor

    init(owning descriptor: consuming OwnedDescriptor) { socket = descriptor }

    var number: Int32 { socket.number }

    enum SendOutcome: Equatable {
        case sent
        /// The peer does not read: its queue is full.
        case full
        /// The kernel has no memory for it at this moment. What must not be lost is to be sent again.
        case noMemory
        /// The peer is gone, or the kernel refused.
        case failed(Errno)
    }

    /// Sends a message, with copies of `descriptors` for the peer.
    @discardableResult
    func send(_ message: Message, descriptors: [Int32] = []) -> SendOutcome {
        send(bytes: message.encoded, descriptors: descriptors)
    }

    /// Sends bytes as one message.
    @discardableResult
    func send(bytes: [UInt8], descriptors: [Int32] = []) -> SendOutcome {
        let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
        let result = bytes.withUnsafeBytes { buffer in
            descriptors.withUnsafeBufferPointer { fds in
                fs_send(number, buffer.baseAddress, buffer.count, fds.baseAddress, Int32(fds.count), flags)
            }
        }
        if result >= 0 { return .sent }
        let error = Errno(rawValue: Int32(-result))
        switch error {
        case .resourceTemporarilyUnavailable: return .full
        case .noBufferSpace, .noMemory: return .noMemory
        default: return .failed(error)
        }
    }

    /// Sends a message that must not be lost: while the kernel has no memory for it, tries again for a tenth of a second.
    @discardableResult
    func sendPatiently(_ message: Message) -> SendOutcome {
        let (bytes, deadline) = (message.encoded, Deadline(after: .milliseconds(100)))
        while true {
            let outcome = send(bytes: bytes)
            if outcome != .noMemory || deadline.hasPassed { return outcome }
            BackgroundThread.pause(nanoseconds: 1_000_000)
        }
    }

    /// What came in.
    struct Received: ~Copyable {
        var bytes: ArraySlice<UInt8>
        var descriptors: DescriptorList
        /// The message was longer than any that is ever sent, or not all of its descriptors could be delivered.
        var truncated: Bool
    }

    enum ReceiveOutcome: ~Copyable {
        case message(Received)
        case nothing
        case hangUp
        case failed(Errno)
    }

    /// Room for the longest message. Its memory is not touched before a message comes to lie in it: what follows the
    /// message in it is never read.
    static func messageBuffer() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Message.maximumSize) { _, count in count = Message.maximumSize }
    }

    /// The most descriptors that the kernel delivers with a message (SCM_MAX_FD of unix(7), and one more to notice).
    private static let descriptorRoom = 254

    /// Takes one message, if there is one.
    func receive(into buffer: inout [UInt8]) -> ReceiveOutcome {
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: Self.descriptorRoom) { room in
            var (count, truncated): (Int32, Int32) = (0, 0)
            func receiveOnce() -> Int {
                buffer.withUnsafeMutableBytes { bytes in
                    fs_receive(
                        number,
                        bytes.baseAddress,
                        bytes.count,
                        room.baseAddress,
                        Int32(room.count),
                        &count,
                        &truncated,
                        Int32(MSG_DONTWAIT)
                    )
                }
            }
            var result = receiveOnce()
            // A peer that closed with our messages unread: the kernel tells that once, before what the peer said last.
            if result == -Int(ECONNRESET) { result = receiveOnce() }
            // The kernel has written as many as it counts.
            let list = DescriptorList(owning: count > 0 ? Array(room.prefix(Int(count))) : [])
            if result < 0 {
                let error = Errno(rawValue: Int32(-result))
                switch error {
                case .resourceTemporarilyUnavailable, .interrupted: return .nothing
                case .connectionReset, .brokenPipe: return .hangUp
                default: return .failed(error)
                }
            }
            // A SEQPACKET message is never empty here, so no bytes mean that the peer hung up.
            if result == 0 && list.isEmpty { return .hangUp }
            return .message(
                Received(bytes: buffer[0..<Int(result)], descriptors: list, truncated: truncated != 0)
            )
        }
    }

    /// Waits until the socket is readable or hung up; at most `timeout` ms.
    func waitReadable(milliseconds timeout: Int32) -> Bool {
        wait(for: POLLIN, milliseconds: timeout)
    }

    private func wait(for events: Int32, milliseconds timeout: Int32) -> Bool {
        var entry = pollfd(fd: number, events: Int16(events), revents: 0)
        let count = poll(&entry, 1, timeout)
        if count < 0, errno == EINTR { fs_note_signal() }
        return count > 0
    }

    /// Waits until the socket takes a message again, or is hung up; at most `timeout` ms.
    func waitWritable(milliseconds timeout: Int32) -> Bool {
        wait(for: POLLOUT, milliseconds: timeout)
    }

    /// Who is at the other end, as the kernel recorded it when they connected.
    func peer() -> (pid: Int32, uid: UInt32)? {
        var (pid, uid, gid): (Int32, UInt32, UInt32) = (0, 0, 0)
        guard fs_peer_credentials(number, &pid, &uid, &gid) == 0 else { return nil }
        return (pid, uid)
    }
}

/// Descriptors that came with a message; those nobody takes are closed.
struct DescriptorList: ~Copyable {
    private var numbers: [Int32]

    init(owning numbers: [Int32]) { self.numbers = numbers }

    var isEmpty: Bool { numbers.isEmpty }
    var count: Int { numbers.count }

    /// Takes the first, in the order sent.
    mutating func takeFirst() -> OwnedDescriptor? {
        numbers.isEmpty ? nil : OwnedDescriptor(owning: numbers.removeFirst())
    }

    deinit { for number in numbers { close(number) } }
}
