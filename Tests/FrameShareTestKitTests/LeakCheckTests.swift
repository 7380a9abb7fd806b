import FrameShare
import FrameShareTestKit
import Glibc
import Testing

@Suite("A leak check", .timeLimit(.minutes(10)))
struct LeakCheckTests {
    @Test("what is still open is named; once it is closed nothing is")
    func findsLeaks() async throws {
        let camera = try FakeCamera()
        let check = LeakCheck(channel: camera.channel)
        #expect(check.leaksNow() == [])
        var subscriber: Subscriber? = try camera.subscribe()
        let leaks = check.leaksNow()
        #expect(leaks.contains("descriptor of memfd:frameshare:\(camera.channel):main:0"))
        #expect(leaks.contains("mapping of memfd:frameshare:\(camera.channel):main:0"))
        #expect(await check.leaks(timeout: .milliseconds(10)) == check.leaksNow())
        subscriber?.close()
        subscriber = nil
        #expect(await check.leaks() == [])
    }

    @Test("a frame that is held is found by its channel's memory")
    func heldFrame() async throws {
        let camera = try FakeCamera()
        let check = LeakCheck(channel: camera.channel)
        try await hold(camera, check)
        #expect(await check.leaks() == [])
    }

    private func hold(_ camera: FakeCamera, _ check: LeakCheck) async throws {
        let frame: Frame?
        do {
            let subscriber = try camera.subscribe()
            try await camera.send()
            frame = try await subscriber.next()
            subscriber.close()
        }
        #expect(check.leaksNow() != [])
        _ = consume frame
    }

    @Test("another channel is not counted")
    func otherChannels() async throws {
        let camera = try FakeCamera()
        let other = try FakeCamera()
        let check = LeakCheck(channel: camera.channel)
        let subscriber = try other.subscribe()
        #expect(check.leaksNow() == [])
        let mine = try camera.subscribe()
        #expect(check.leaksNow() != [])
        withExtendedLifetime((subscriber, mine)) {}
    }

    @Test("without a channel everything counts, as often as it is there")
    func everything() {
        let check = LeakCheck()
        let descriptors = (0..<3).map { _ in open("/dev/zero", O_RDONLY | O_CLOEXEC) }
        #expect(check.leaksNow().contains("descriptor of /dev/zero, 3 times"))
        close(descriptors[0])
        close(descriptors[1])
        #expect(check.leaksNow().contains("descriptor of /dev/zero"))
        close(descriptors[2])
        #expect(!check.leaksNow().contains { $0.contains("/dev/zero") })
    }
}
