import Glibc
import Synchronization
import Testing

@testable import FrameShare

@Suite("Demand, and what readers hear of a source", .timeLimit(.minutes(10)))
struct DemandTests {
    @Test("a publisher hears when frames are wanted, and when nobody has wanted any for a while")
    func waiting() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        #expect(throws: ChannelError.timedOut()) { try publisher.waitForDemandBlocking(timeout: .milliseconds(20)) }
        try publisher.waitForNoDemandBlocking(linger: .zero)
        async let wanted: Void = publisher.waitForDemand()
        do {
            let reader = try channel.subscriber()
            try await wanted
            #expect(publisher.subscriberCount == 1)
            #expect(throws: ChannelError.timedOut()) {
                try publisher.waitForNoDemandBlocking(linger: .zero, timeout: .milliseconds(20))
            }
            reader.close()
        }
        try await publisher.waitForNoDemand(linger: .milliseconds(30))
        #expect(publisher.subscriberCount == 0)
        publisher.close()
        #expect(throws: ChannelError.closed) { try publisher.waitForDemandBlocking() }
    }

    @Test("its descriptor is readable once a reader has come or gone")
    func descriptor() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        var count: UInt64 = 0
        _ = read(publisher.demandDescriptor, &count, 8)
        #expect(!isReadable(publisher.demandDescriptor))
        let reader = try channel.subscriber()
        try await eventually { isReadable(publisher.demandDescriptor) && publisher.subscriberCount == 1 }
        _ = read(publisher.demandDescriptor, &count, 8)
        reader.close()
        try await eventually { isReadable(publisher.demandDescriptor) && publisher.subscriberCount == 0 }
    }

    @Test("a reader that waits hears what is amiss with the source, and that it is over")
    func trouble() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher()
        let reader = try channel.subscriber()
        #expect(reader.sourceTrouble == "")
        let frame = OwnThread { () -> Bool in (try? reader.nextBlocking()) != nil }
        publisher.setSourceTrouble("the camera is busy")
        try await eventually { reader.state.withLock { $0.toldTrouble } == "the camera is busy" }
        #expect(reader.sourceTrouble == "the camera is busy")
        let late = try channel.subscriber()
        try await eventually { late.sourceTrouble == "the camera is busy" }
        publisher.setSourceTrouble("")
        try await eventually { late.sourceTrouble == "" && reader.sourceTrouble == "" }
        try publisher.send()
        #expect(try await frame.value)
    }

    @Test("frames of a start-up are held back from readers that did not ask, in groups too, and count as nobody's loss")
    func startup() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 8)
        let usual = try channel.subscriber([], .queue(4))
        let member = try channel.subscriber([], .queue(4)) { $0.group = "workers" }
        let curious = try channel.subscriber([], .queue(4)) { $0.startupFrames = true }
        try await eventually { publisher.startupTakers == 1 }
        for value in 1...2 { try publisher.send(UInt8(value), FrameDescription(flags: .startup)) }
        try publisher.send(3)
        #expect(try curious.drain() == [1, 2, 3])
        #expect(try usual.drain() == [3])
        #expect(try member.drain() == [3])
        #expect(usual.statistics.lost == FrameLoss())
        #expect(publisher.statistics.subscribers.allSatisfy { $0.dropped == 0 })
    }
}

@Suite("A socket that a service manager passes")
struct PassedSocketTests {
    @Test(
        "what the environment says is checked",
        arguments: [
            (nil, "1", nil), ("", "1", "LISTEN_PID"), ("x", "1", "LISTEN_PID"), ("-1", "1", "LISTEN_PID"),
            ("99999999999", "1", "LISTEN_PID"), ("own", "x", "LISTEN_FDS"), ("own", "-1", "LISTEN_FDS"),
            ("own", "99999999999", "LISTEN_FDS"), ("own", "0", nil), ("1", "1", nil), ("own", nil, nil),
        ] as [(String?, String?, String?)]
    )
    func variables(pid: String?, count: String?, fault: String?) throws {
        let pid = pid == "own" ? "\(getpid())" : pid
        do throws(PassedSocketError) {
            let socket = try PassedSocket.take(for: "cam", pid: pid, count: count, names: nil)
            #expect(socket == nil && fault == nil)
        } catch {
            guard case .badVariable(let name, _) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(name == fault)
        }
    }
}
