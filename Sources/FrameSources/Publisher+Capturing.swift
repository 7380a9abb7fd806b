internal import FrameShare
internal import Glibc

// What every capture's loop needs of its publisher.
extension Publisher {
    /// The back-pressure of subscribers that want every frame. The publisher cuts off who stalls too long; where they may
    /// stall for ever, `stop` must still be heard.
    /// - Returns: false if `stop` was raised meanwhile
    func waitForRoom(hearing stop: StopSignal, mayStallForEver: Bool) throws(ChannelError) -> Bool {
        while true {
            do throws(ChannelError) {
                try waitForRoom(timeout: mayStallForEver ? .milliseconds(200) : nil)
                return true
            } catch {
                guard error == .timedOut else { throw error }
                if stop.isStopped { return false }
            }
        }
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
