internal import CLinuxMedia
internal import Glibc
internal import Synchronization

// Frames for groups, and what their members answer.
extension Publisher {
    /// Publishes a filled slot, to everyone who may have it, and waits for a group's answer to it.
    ///
    /// ```swift
    /// let detections = try await publisher.ask("detectors", slot)
    /// show(detections["boxes"])
    /// ```
    /// - Parameters:
    ///   - group: whose answer is wanted; exactly one member gets the frame
    ///   - options: the deadline, and what becomes of a frame whose worker dies
    /// - Throws: why there is no answer. The frame was published even so, unless it is `channel`.
    public func ask(
        _ group: String,
        _ slot: consuming WritableSlot,
        _ description: FrameDescription = FrameDescription(),
        metadata: Metadata = [:],
        options: AskOptions = AskOptions()
    ) async throws(WorkError) -> Answer {
        try await submit(group, slot, description, metadata: metadata, options: options).answer
    }

    /// As ``ask(_:_:_:metadata:options:)``, and returns at once: for replies on the way, for cancelling, and to have several
    /// frames with a group at a time.
    public func submit(
        _ group: String,
        _ slot: consuming WritableSlot,
        _ description: FrameDescription = FrameDescription(),
        metadata: Metadata = [:],
        options: AskOptions = AskOptions()
    ) throws(WorkError) -> PendingAnswer {
        let inbox = Inbox()
        do throws(ChannelError) {
            let (number, generation) = (slot.slot, slot.generation)
            let size = try MetadataCoding.encode(metadata, into: slot.metadataRoom)
            let frame = try core.publish(
                slot: number,
                generation: generation,
                metadataSize: size,
                description,
                asking: Asking(group: group, options: options, sink: inbox)
            )
            slot.disarm()
            return PendingAnswer(core: core, groups: host.groups, group: group, frame: frame, inbox: inbox)
        } catch {
            throw .channel(error)
        }
    }

    /// As ``submit(_:_:_:metadata:options:)``, for a slot that a camera has filled.
    public func submit(
        _ group: String,
        slot: Int,
        _ description: FrameDescription,
        metadata: Metadata = [:],
        options: AskOptions = AskOptions()
    ) throws(WorkError) -> PendingAnswer {
        let inbox = Inbox()
        do throws(ChannelError) {
            let frame = try publish(
                slot: slot,
                description,
                metadata: metadata,
                asking: Asking(group: group, options: options, sink: inbox)
            )
            return PendingAnswer(core: core, groups: host.groups, group: group, frame: frame, inbox: inbox)
        } catch {
            throw .channel(error)
        }
    }

    /// The results of all frames that a group is given from now on, however they are published, until this is dropped. A
    /// group can have one such reader.
    /// - Parameters:
    ///   - order: as they come, or in the order of the frames
    ///   - capacity: how many results are kept for a slow reader; of those beyond, the oldest are dropped and counted
    ///   - options: for frames that are not asked about by themselves
    /// - Throws: `badGroupName`, `tooManyGroups`, `resultsInUse`, `closed`.
    public func results(
        of group: String,
        order: WorkResults.Order = .arrival,
        capacity: Int = 256,
        options: AskOptions = AskOptions()
    ) throws(ChannelError) -> WorkResults {
        guard ChannelName.isValid(group) else { throw .badGroupName(group) }
        let (core, groups) = (core, host.groups)
        let queue = ResultQueue(order: order, capacity: capacity, options: options) { [weak core] frame in
            if let core { groups.cancel(frame, group: group, core) }
        }
        try groups.beginResults(of: group, queue, core)
        return WorkResults(core: core, groups: groups, group: group, queue: queue)
    }

    /// Waits until a member of a group can take a frame without losing another: the brake for a source that can wait.
    /// - Throws: `timedOut`; `cancelled` when the task is; `closed` once the channel has ended.
    public func waitForRoom(in group: String, timeout: Duration? = nil) async throws(ChannelError) {
        let (core, groups) = (core, host.groups)
        if try groups.hasRoom(in: group, core) { return }
        try await waiters.wait(onCancel: { core.wakeSlotWaiters() }) { interrupted throws(ChannelError) in
            try core.waitForSlots(timeout: timeout, interrupted: interrupted) {
                () throws(ChannelError) -> Void? in
                try groups.hasRoom(in: group, core) ? () : nil
            }
        }
    }

    /// As ``waitForRoom(in:timeout:)``, waiting on the calling thread.
    /// - Throws: `timedOut`; `closed` once the channel has ended.
    public func waitForRoomBlocking(in group: String, timeout: Duration? = nil) throws(ChannelError) {
        let (core, groups) = (core, host.groups)
        try core.waitForSlots(timeout: timeout, interrupted: { false }) {
            () throws(ChannelError) -> Void? in
            try groups.hasRoom(in: group, core) ? () : nil
        }
    }

    /// Waits until groups have answered all that they were asked, or failed: before ``close()``, so that nothing is cut
    /// short. A program that goes on publishing keeps it waiting.
    /// - Returns: how many requests are still open after `timeout`
    @discardableResult
    public func drain(timeout: Duration? = nil) async -> Int {
        let deadline = Deadline(after: timeout)
        while true {
            let open = openRequests
            if open == 0 || deadline.hasPassed { return open }
            do { try await Task.sleep(for: .milliseconds(5)) } catch { return open }
        }
    }

    /// As ``drain(timeout:)``, waiting on the calling thread.
    @discardableResult
    public func drainBlocking(timeout: Duration? = nil) -> Int {
        let deadline = Deadline(after: timeout)
        while true {
            let open = openRequests
            if open == 0 || deadline.hasPassed { return open }
            var pause = timespec(tv_sec: 0, tv_nsec: 5_000_000)
            nanosleep(&pause, nil)
        }
    }

    private var openRequests: Int { host.groups.openRequests }
}
