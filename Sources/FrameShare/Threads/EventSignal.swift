internal import CLinuxMedia
internal import FrameMemory
internal import Glibc

/// An eventfd that a thread or an event loop of this process polls.
final class EventSignal: Sendable {
    private let descriptor: OwnedDescriptor

    init() throws(ChannelError) {
        let number = fs_eventfd(0)
        guard number >= 0 else { throw .failed("eventfd", errno: -number) }
        descriptor = OwnedDescriptor(owning: number)
    }

    var number: Int32 { descriptor.number }

    /// Makes it readable.
    func signal() {
        var one: UInt64 = 1
        _ = write(descriptor.number, &one, 8)  // a full counter is readable already
    }
}
