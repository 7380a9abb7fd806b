internal import CLinuxMedia
internal import FrameMemory
internal import Glibc
internal import SystemPackage

/// Ends a ``V4L2Capture/run(until:)`` from another thread or from a signal handler.
public final class V4L2StopSignal: Sendable {
    private let event: OwnedDescriptor

    /// - Throws: ``V4L2Error/call(_:path:value:_:)`` where the process has no descriptors left.
    public init() throws(V4L2Error) {
        let number = fs_eventfd(0)
        guard number >= 0 else { throw .call("eventfd", path: "stop signal", value: "", Errno(rawValue: -number)) }
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
