internal import CLinuxMedia
internal import FrameMemory
internal import Glibc
internal import Synchronization
internal import SystemPackage

/// What an event loop polls for a subscriber: an epoll descriptor that stands for the socket of whatever connection the
/// subscriber has, and for an alarm of its own. So the descriptor stays the same when the subscriber connects again, and tells
/// of frames for which no publisher sends a message: those that were there before anybody looked.
///
/// The alarm is raised and cleared under the subscriber's lock.
final class PollGate: Sendable {
    private let epoll: OwnedDescriptor
    private let alarm: OwnedDescriptor
    /// Whether the alarm is raised: then it costs no call to raise it again.
    private let isRaised = Atomic<Bool>(false)

    init() throws(ChannelError) {
        epoll = try Self.owned("epoll_create1", fs_epoll_create())
        alarm = try Self.owned("eventfd", fs_eventfd(0))
        let result = fs_epoll_add(epoll.number, alarm.number, FS_EPOLLIN, 0)
        guard result == 0 else { throw .system(call: "epoll_ctl", Errno(rawValue: -result)) }
    }

    private static func owned(_ call: String, _ result: Int32) throws(ChannelError) -> OwnedDescriptor {
        guard result >= 0 else {
            if -result == EMFILE || -result == ENFILE { throw .outOfDescriptors }
            throw .system(call: call, Errno(rawValue: -result))
        }
        return OwnedDescriptor(owning: result)
    }

    /// What is to be polled.
    var number: Int32 { epoll.number }

    /// From now on it is readable when the socket is.
    func watch(_ socket: ControlSocket) throws(ChannelError) {
        let result = fs_epoll_add(epoll.number, socket.number, FS_EPOLLIN, 0)
        guard result == 0 else { throw .system(call: "epoll_ctl", Errno(rawValue: -result)) }
    }

    /// The socket counts no more: it has hung up, and would be readable for ever.
    func forget(_ socket: ControlSocket) { _ = fs_epoll_remove(epoll.number, socket.number) }

    /// Makes it readable until it is cleared.
    func raise() {
        guard !isRaised.exchange(true, ordering: .sequentiallyConsistent) else { return }
        var one: UInt64 = 1
        _ = write(alarm.number, &one, 8)
    }

    func clear() {
        guard isRaised.exchange(false, ordering: .sequentiallyConsistent) else { return }
        var value: UInt64 = 0
        _ = read(alarm.number, &value, 8)
    }
}
