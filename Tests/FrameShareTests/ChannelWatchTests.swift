import FrameShare
import Glibc
import PeerTesting
import Testing

/// The channels of a folder, listed and watched. What C sees of it is in Tests/CLibrary/channels.c.
@Suite("Watching channels", .timeLimit(.minutes(10)))
struct ChannelWatchTests {
    private func next(_ watch: ChannelDirectoryWatch) async throws -> ChannelChange {
        try await watch.next(timeout: .seconds(100))
    }

    @Test("publishers that come, are killed, and are replaced are told of, with who may connect")
    func changes() async throws {
        let folder = try PeerFolder()
        let directory = ChannelDirectory(path: folder.path)
        let watch = try directory.watch()
        #expect(throws: ChannelError.timedOut()) { try watch.nextBlocking(timeout: .zero) }
        let publisher = try await folder.publisher("slots=4")
        let live = try await next(watch).entry
        #expect(live.name == "camera" && live.state == .live && live.mode == 0o600 && live.uid == geteuid())
        #expect(try directory.entries() == [live])
        publisher.kill(SIGKILL)
        let left = try await next(watch)
        guard case .changed(let entry) = left else { throw Unexpected(left) }
        #expect(entry.state == .leftBehind && entry.uid == live.uid)
        #expect(try directory.entries() == [entry])
        // Another publisher has the name now.
        let second = try await folder.publisher("slots=4")
        #expect(try await next(watch) == .vanished(entry))
        #expect(try await next(watch) == .appeared(live))
        second.kill(SIGKILL)
        #expect(try await next(watch) == .changed(entry))
    }

    @Test("a wait ends when its task is cancelled, and when the watch is closed")
    func ends() async throws {
        let folder = try PeerFolder()
        let watch = try ChannelDirectory(path: folder.path).watch()
        let waiting = Task { try await watch.next() }
        waiting.cancel()
        await #expect(throws: ChannelError.cancelled) { try await waiting.value }
        let other = Task { try await watch.next() }
        try await Task.sleep(for: .milliseconds(20))
        watch.close()
        await #expect(throws: ChannelError.closed) { try await other.value }
        #expect(throws: ChannelError.closed) { try watch.nextBlocking() }
    }

    @Test("watching knocks at publishers and stays no connection of theirs")
    func knocks() async throws {
        let channel = try TestChannel()
        let publisher = try channel.publisher(slots: 4)
        for _ in 0..<300 { #expect(try channel.directory.entries().map(\.state) == [.live]) }
        // More than a publisher has room for: those of before have hung up.
        let subscriber = try channel.subscriber([], .latest)
        try publisher.send(1)
        #expect(try subscriber.tryNext() != nil)
    }

    private struct Unexpected: Error { init(_: ChannelChange) {} }
}
