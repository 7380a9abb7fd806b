internal import CLinuxMedia
internal import FrameMemory
public import FrameShare
internal import Glibc
internal import SystemPackage

/// Ends a capture from another thread or from a signal handler: ``V4L2Capture/run(until:)``, ``LibcameraCapture/run(until:)``.
public final class StopSignal: Sendable {
    private let event: OwnedDescriptor

    /// - Throws: `outOfDescriptors`, `system`.
    public init() throws(ChannelError) {
        let number = fs_eventfd(0)
        guard number >= 0 else {
            if number == -EMFILE || number == -ENFILE { throw .outOfDescriptors }
            throw .system(call: "eventfd", Errno(rawValue: -number))
        }
        event = OwnedDescriptor(owning: number)
    }

    /// Ends the run, or the next one if there is none now. May be called often, from any thread, and from a signal
    /// handler: it is one `write(2)`.
    public func stop() {
        var one: UInt64 = 1
        // It is full only when it is readable anyway.
        _ = write(descriptor, &one, 8)
    }

    /// Readable once ``stop()`` was called.
    public var descriptor: Int32 { event.number }

    /// Whether ``stop()`` was called.
    public var isStopped: Bool { wait(for: .zero) }

    /// Waits until ``stop()`` is called.
    ///
    /// - Returns: false when the time is over first.
    func wait(for timeout: Duration) -> Bool {
        var set = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
        PollSet.wait(&set, timeout: timeout)
        return set[0].revents != 0
    }

    /// Makes it unread again.
    func clear() {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
    }
}
