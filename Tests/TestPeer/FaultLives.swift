internal import FaultInjector
internal import FrameShare
internal import Glibc

/// A publisher's life: it starts, lets a subscriber in, streams, runs short of slots, is reconfigured, asks a group, answers
/// a monitor and ends.
struct PublisherLife {
    private let arguments: PeerArguments
    private let publisher: Publisher

    init(_ arguments: PeerArguments) throws(ChannelError) {
        self.arguments = arguments
        var options = Publisher.Options()
        options.directory = ChannelDirectory(path: arguments.folder)
        options.access.group = "\(getegid())"
        options.metadataCapacity = 1024
        publisher = try Publisher(
            channel: arguments.channel,
            streams: [PublishRole.stream(64, 48)],
            slots: 4,
            options: options
        )
    }

    func live() throws(ChannelError) {
        defer { publisher.close() }
        try streamUntilRead()
        try runShort()
        try publisher.reconfigure(streams: [PublishRole.stream(128, 96)], slots: 4)
        try streamUntilRead()
        try wakeEventLoop()
        try askGroup()
        answer()
    }

    /// Until the subscriber outside has taken two frames more.
    private func streamUntilRead() throws(ChannelError) {
        var target: UInt64?
        let deadline = FrameTimestamp.now().nanoseconds + 10_000_000_000
        while FrameTimestamp.now().nanoseconds < deadline {
            let sequence = publisher.statistics.published
            let slot = try publisher.nextSlotBlocking(timeout: .seconds(10))
            slot["main"].withUnsafeMutableBytes { bytes in PixelPattern.fill(bytes, sequence: sequence) }
            try publisher.publish(
                slot,
                FrameDescription(sequence: sequence),
                metadata: ["Number": .int64(Int64(sequence))]
            )
            if let subscriber = publisher.statistics.subscribers.first {
                target = target ?? subscriber.delivered + 2
                if subscriber.delivered >= target ?? 0 { return }
            } else {
                target = nil
            }
            usleep(500)
        }
        throw .timedOut()
    }

    /// One frame wakes an event loop that has run empty. The loop is another side: its own calls are spared.
    private func wakeEventLoop() throws(ChannelError) {
        fault_spare(1)
        defer { fault_spare(0) }
        var options = Subscriber.Options()
        options.directory = ChannelDirectory(path: arguments.folder)
        options.pollable = true
        let loop: Subscriber
        do throws(ChannelError) {
            loop = try Subscriber(channel: arguments.channel, options: options)
        } catch { return }  // the fault kept it out
        defer { loop.close() }
        let publisher = publisher
        for _ in 0..<3 {
            do throws(ChannelError) {
                while try loop.tryNext() != nil {}
            } catch { return }
            fault_spare(0)
            let slot = try publisher.nextSlotBlocking(timeout: .seconds(10))
            let sequence = publisher.statistics.published
            slot["main"].withUnsafeMutableBytes { bytes in PixelPattern.fill(bytes, sequence: sequence) }
            try publisher.publish(
                slot,
                FrameDescription(sequence: sequence),
                metadata: ["Number": .int64(Int64(sequence))]
            )
            fault_spare(1)
            var entry = pollfd(fd: try loop.pollDescriptor, events: Int16(POLLIN), revents: 0)
            if poll(&entry, 1, 10_000) != 1 { throw .timedOut() }
        }
    }

    /// Until the worker outside, which comes back where a fault has cost it its connection, has answered.
    private func askGroup() throws(ChannelError) {
        let deadline = FrameTimestamp.now().nanoseconds + 10_000_000_000
        while FrameTimestamp.now().nanoseconds < deadline {
            let sequence = publisher.statistics.published
            let slot = try publisher.nextSlotBlocking(timeout: .seconds(10))
            slot["main"].withUnsafeMutableBytes { bytes in PixelPattern.fill(bytes, sequence: sequence) }
            do throws(WorkError) {
                let answer = try answer(to: slot, sequence)
                if answer.reply == .bytes(SubscribeRole.longReply) { return }
                say("wrong-answer \(answer.reply)")
            } catch .channel(let error) {
                throw error
            } catch {
                usleep(2000)
            }
        }
        throw .timedOut()
    }

    private func answer(to slot: consuming WritableSlot, _ sequence: UInt64) throws(WorkError) -> Answer {
        var options = AskOptions()
        options.deadline = .seconds(5)
        let pending = try publisher.submit(
            "answerers",
            slot,
            FrameDescription(sequence: sequence),
            metadata: ["Number": .int64(Int64(sequence))],
            options: options
        )
        return try finish { () async throws(WorkError) in try await pending.answer }
    }

    /// With all slots in its own hands it waits in vain, blocking and not.
    private func runShort() throws(ChannelError) {
        var slots: [HeldSlot] = []
        while slots.count < 4 { slots.append(HeldSlot(try publisher.nextSlotBlocking(timeout: .seconds(10)))) }
        let publisher = publisher
        do throws(ChannelError) {
            _ = try publisher.nextSlotBlocking(timeout: .milliseconds(3))
        } catch {
            if !error.isTimeout { throw error }
        }
        try finish { () async throws(ChannelError) in
            do throws(ChannelError) {
                _ = try await publisher.nextSlot(timeout: .milliseconds(3))
            } catch {
                if !error.isTimeout { throw error }
            }
        }
        withExtendedLifetime(slots) {}
    }

    private final class HeldSlot {
        let slot: WritableSlot
        init(_ slot: consuming WritableSlot) { self.slot = slot }
    }

    /// The monitor is another side: its own calls are spared, and what it is not told is not this side's loss.
    private func answer() {
        fault_spare(1)
        defer { fault_spare(0) }
        do throws(ChannelError) {
            let directory = ChannelDirectory(path: arguments.folder)
            _ = try ChannelMonitor(channel: arguments.channel, directory: directory, timeout: .milliseconds(500))
                .snapshot()
        } catch {}
    }
}

/// A subscriber's life: it finds the channel, joins a group, reads, answers, is cut off and joins again, goes along with a
/// reconfiguration, reads blocking, polling and async, looks as a monitor and for channels, and leaves.
struct SubscriberLife {
    private let arguments: PeerArguments
    private let directory: ChannelDirectory
    private let subscriber: Subscriber

    init(_ arguments: PeerArguments) throws(ChannelError) {
        self.arguments = arguments
        directory = ChannelDirectory(path: arguments.folder)
        _ = try directory.channels()
        var options = Subscriber.Options()
        options.directory = directory
        options.name = "faulty"
        options.reconnect = true
        options.pollable = true
        options.group = "faulty"
        options.connectTimeout = .seconds(10)
        subscriber = try Subscriber(channel: arguments.channel, policy: .queue(2), options: options)
    }

    func live() throws(ChannelError) {
        defer { subscriber.close() }
        for _ in 0..<3 { _ = try taken() }
        try answer()
        _ = try subscriber.tryNext()
        cutOff()
        let before = try taken()
        let deadline = FrameTimestamp.now().nanoseconds + 10_000_000_000
        while try taken() == before {
            if FrameTimestamp.now().nanoseconds > deadline { throw .timedOut() }
        }
        let subscriber = subscriber
        try finish { () async throws(ChannelError) in
            for _ in 0..<2 { _ = try await subscriber.next(timeout: .seconds(10)) }
        }
        _ = try ChannelMonitor(channel: arguments.channel, directory: directory, timeout: .seconds(10)).snapshot()
        try watch()
    }

    /// Its connection breaks: it is the only one of the process.
    private func cutOff() {
        fault_spare(1)
        defer { fault_spare(0) }
        for number in Int32(3)..<256 {
            var (type, size) = (Int32(0), socklen_t(4))
            let isSocket = getsockopt(number, SOL_SOCKET, SO_TYPE, &type, &size) == 0
            if isSocket, type == Int32(SOCK_SEQPACKET.rawValue) { shutdown(number, Int32(SHUT_RDWR)) }
        }
    }

    /// It is told of the channel that there is, or that no look succeeded; then of nothing.
    private func watch() throws(ChannelError) {
        let watch = try directory.watch()
        defer { watch.close() }
        for _ in 0..<2 {
            do throws(ChannelError) {
                _ = try watch.nextBlocking(timeout: .milliseconds(3))
            } catch {
                if !error.isTimeout { throw error }
            }
        }
    }

    /// Its publisher asks nobody, and so discards it.
    private func answer() throws(ChannelError) {
        guard let frame = try subscriber.nextBlocking(timeout: .seconds(10)) else { throw .closed }
        try frame.request?.answer(.bytes(SubscribeRole.longReply))
    }

    /// The generation of the next frame, whose pixels must be right.
    private func taken() throws(ChannelError) -> UInt32 {
        guard let frame = try subscriber.nextBlocking(timeout: .seconds(10)) else { throw .closed }
        if !PixelPattern.holds(frame["main"].bytes, sequence: frame.sequence) {
            say("broken-frame \(frame.sequence)")
            exit(1)
        }
        return frame.generation
    }
}
