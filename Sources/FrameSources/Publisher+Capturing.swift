internal import FrameShare
internal import Glibc

// What the loops of sources need of their publisher.
extension Publisher {
    /// Waits for subscribers that asked for every frame, where the publisher waits for any, and looks every two seconds
    /// whether to stop.
    /// - Returns: how long it waited, in ns; 0 where it did not have to, however long this thread was kept from running
    func timeWaitingForRoom(stopped: () -> Bool) throws(ChannelError) -> Int64 {
        let began = FrameTimestamp.now().nanoseconds
        var patience = Duration.zero
        while !stopped() {
            do throws(ChannelError) {
                try waitForRoom(timeout: patience)
                break
            } catch .timedOut {
                patience = .seconds(2)
            }
        }
        return patience > .zero ? FrameTimestamp.now().nanoseconds - began : 0
    }

    /// Makes ``freeSlotDescriptor`` unreadable until the next slot comes free.
    func clearFreeSlotEvent() {
        var count: UInt64 = 0
        _ = read(freeSlotDescriptor, &count, 8)
    }

    /// Counts the frames that went missing before one: by the camera, or for want of a slot to put them in.
    func countLost(_ count: Int, starved: Bool) {
        guard count > 0 else { return }
        if starved { countLost(noFreeSlot: UInt64(count)) } else { countLost(source: UInt64(count)) }
    }
}
